//! A signed message on its way to the hubs, and what is done when the answer is lost.
//!
//! A hub may have taken a message and die before it says so, or the line may. So it is asked what it has, and if that is
//! not there, the same octets are brought once more; another hub is asked where this one is gone. Nothing is signed for
//! it: hubs take one message twice as one.

use std::mem;
use std::time::Duration;

use hyper::StatusCode;

use super::{Admin, AdminError};
use crate::client::{ClientError, Hub, Newest};

/// A message that is brought.
pub(super) struct Message {
    /// Of which kind.
    pub(super) what: Newest,
    /// What it is counted by.
    pub(super) number: u64,
    /// The generation that a head follows.
    pub(super) after: u64,
    /// The envelope.
    pub(super) octets: Vec<u8>,
}

impl Admin {
    /// With other hubs, for when this one is gone in the middle of something.
    #[must_use]
    pub fn with_others(mut self, others: Vec<Hub>) -> Self {
        self.others = others;
        self
    }

    /// What became of an answer that was lost, although a hub has what was brought; told once.
    pub fn take_lost(&mut self) -> Option<ClientError> {
        self.lost.take()
    }

    /// Brings a message, to another hub if this one is gone.
    pub(super) async fn bring_message(&mut self, message: Message) -> Result<(), AdminError> {
        let Err(lost) = bring(&mut self.hub, &message).await else { return Ok(()) };
        if !may_have_it(&lost) {
            return Err(lost.into());
        }
        match found(&mut self.hub, &message).await {
            Ok(()) => {}
            Err(error) if !may_have_it(&error) => return Err(error.into()),
            Err(_gone) => self.hub = self.found_elsewhere(&message).await.ok_or_else(|| lost.clone())?,
        }
        self.lost = Some(lost);
        Ok(())
    }

    /// The first of the other hubs that has it, or takes it now. A no from one of them says nothing: it may lag behind, or
    /// take no pushes.
    async fn found_elsewhere(&mut self, message: &Message) -> Option<Hub> {
        for mut hub in mem::take(&mut self.others) {
            match found(&mut hub, message).await {
                Ok(()) => return Some(hub),
                // The next one would be waited for as long.
                Err(error) if error.not_yet => return None,
                Err(_no) => {}
            }
        }
        None
    }
}

/// It has it already, or takes it now.
async fn found(hub: &mut Hub, message: &Message) -> Result<(), ClientError> {
    if has(hub, message).await? { Ok(()) } else { bring(hub, message).await }
}

async fn bring(hub: &mut Hub, message: &Message) -> Result<(), ClientError> {
    let octets = message.octets.clone();
    match message.what {
        Newest::Head => hub.push_head(octets, message.after).await,
        what => hub.push_message(what, octets).await,
    }
}

async fn has(hub: &mut Hub, message: &Message) -> Result<bool, ClientError> {
    match message.what {
        // Somebody may have pushed another one since.
        Newest::Head => match hub.head(message.number).await {
            Ok(shown) => Ok(shown == message.octets),
            Err(error) if error.status == Some(StatusCode::NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
        },
        what => {
            let shown = hub.newest(what, 0, Duration::ZERO).await?;
            Ok(shown.is_some_and(|shown| shown.octets == message.octets))
        }
    }
}

/// Whether a hub may have taken it all the same: it gave no answer, or could not say yes in time.
pub(super) fn may_have_it(error: &ClientError) -> bool {
    !error.not_yet && error.status.is_none_or(|status| status.is_server_error())
}
