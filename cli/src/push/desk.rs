//! Where an admin works: at a hub that answers, with the keys for releases. What all verbs that put something in use share.

use switchyard_mapsync::admin::{Admin, AdminError};
use switchyard_mapsync_protocol::keys::SecretKey;

use super::{Office, text};
use crate::output::{Exit, Output};

/// An admin at work.
pub(super) struct Desk<'a> {
    /// By whose settings.
    pub(super) office: &'a Office,
    /// At which hub.
    pub(super) admin: Admin,
    /// The keys for releases.
    pub(super) keys: Vec<SecretKey>,
    /// To whom it is said.
    pub(super) output: &'a mut Output,
}

impl Desk<'_> {
    /// It is not in force as far as is known; what was overtaken may have been, and that is said.
    pub(super) fn not_in_force(&mut self, error: &AdminError) -> Result<Exit, String> {
        if !error.is_overtaken() {
            return Err(error.to_string());
        }
        self.output.say(format_args!("{error}\nlook what is: switchyard log")).map_err(text)?;
        Ok(Exit::Wrong)
    }

    /// Says that an answer was lost, if one was, and that what was brought is there all the same.
    pub(super) fn say_lost(&mut self) -> Result<(), String> {
        let Some(lost) = self.admin.take_lost() else { return Ok(()) };
        let hub = self.admin.hub().address().to_owned();
        self.output.say(format_args!("{lost}\nits answer was lost: {hub} has what was brought")).map_err(text)
    }
}
