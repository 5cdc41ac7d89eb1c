//! What this front would do with a message, and why: the rooms of [`policy`](crate::policy) decide, on a
//! snapshot of the maps that takes notes.
//!
//! What hangs on more than the maps and the message is not judged here: caps that are reached, what a router
//! said a moment ago, the routers themselves.

use std::net::IpAddr;
use std::sync::Arc;

use switchyard_maps::Snapshot;
use switchyard_maps::explain::{Explanation, Message, Notes};
use switchyard_smtp::reply::table;

use crate::policy::recipient::judge;

/// The front that explains.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    /// Our host's name.
    pub(crate) host: String,
    /// Where we connect from, if that is known.
    pub(crate) address: Option<IpAddr>,
    /// The mail filters that are asked, by name.
    pub(crate) filters: Vec<String>,
    /// Those that only watch.
    pub(crate) watching: Vec<String>,
    /// Listeners that have filters of their own, each with their names.
    pub(crate) by_listener: Vec<(String, Arc<[Box<str>]>)>,
}

impl Front {
    /// Judges a message as a session would.
    pub(crate) fn explain(&self, maps: &Snapshot, message: &Message) -> Explanation {
        let (maps, mut notes) = Notes::begin(maps, "mx", &self.host, self.address);
        let Some(standing) = notes.welcome(&maps, message) else { return notes.end() };
        let mut any = false;
        for path in &message.to {
            let Some(standing) = notes.welcome_recipient(&maps, &standing, path) else { continue };
            let (answer, unavailable) = match judge(&maps, path) {
                Ok(()) => (Ok(table::RECIPIENT_OK), false),
                Err(no) => (Err(no.reply), no.unavailable.is_some()),
            };
            any |= notes.answered(path, &standing, answer, unavailable);
        }
        if any {
            notes.filtered(&standing, &self.filters, &self.watching);
            for (listener, names) in &self.by_listener {
                notes.filtered_at(listener, &standing, names, &self.watching);
            }
        }
        notes.end()
    }
}
