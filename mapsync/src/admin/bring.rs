//! A signed message on its way to the hubs, and what is done when the answer is lost.
//!
//! A hub may have taken a message and die before it says so, or the line may. So it is asked what it has, and if that
//! is not there, the same octets are brought once more; another hub is asked where this one is gone. Nothing is
//! signed for it: hubs take one message twice as one.

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
        let found = match found(&mut self.hub, &message).await {
            Ok(found) => found,
            Err(error) if !may_have_it(&error) => return Err(error.into()),
            Err(_gone) => {
                let (hub, found) = self.found_elsewhere(&message).await.ok_or_else(|| lost.clone())?;
                self.hub = hub;
                found
            }
        };
        if let Found::Overtaken(by) = found {
            return Err(AdminError::Overtaken { number: message.number, by, lost });
        }
        self.lost = Some(lost);
        Ok(())
    }

    /// The first of the other hubs that has it, or takes it now. A no from one of them says nothing: it may lag
    /// behind, or take no pushes.
    async fn found_elsewhere(&mut self, message: &Message) -> Option<(Hub, Found)> {
        for mut hub in mem::take(&mut self.others) {
            match found(&mut hub, message).await {
                Ok(found) => return Some((hub, found)),
                // The next one would be waited for as long.
                Err(error) if error.not_yet => return None,
                Err(_no) => {}
            }
        }
        None
    }
}

/// What a hub says of a message of which the answer was lost.
enum Found {
    /// It has it.
    There,
    /// It has a later one, and does not say whether it had this one before.
    Overtaken(u64),
}

/// It has it already, or takes it now. Between the two questions it may have come to have it after all, or a later
/// one.
async fn found(hub: &mut Hub, message: &Message) -> Result<Found, ClientError> {
    if let Some(found) = has(hub, message).await? {
        return Ok(found);
    }
    match bring(hub, message).await {
        Ok(()) => Ok(Found::There),
        Err(no) if is_late(&no) => has(hub, message).await?.ok_or(no),
        Err(no) => Err(no),
    }
}

async fn bring(hub: &mut Hub, message: &Message) -> Result<(), ClientError> {
    let octets = message.octets.clone();
    match message.what {
        Newest::Head => hub.push_head(octets, message.after).await,
        what => hub.push_message(what, octets).await,
    }
}

/// None if it is to be brought again.
async fn has(hub: &mut Hub, message: &Message) -> Result<Option<Found>, ClientError> {
    match message.what {
        // Somebody may have pushed another one since.
        Newest::Head => match hub.head(message.number).await {
            Ok(shown) => Ok((shown == message.octets).then_some(Found::There)),
            Err(error) if error.status == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        },
        // Of the others only the newest is shown, and no hub takes an older one after it.
        what => Ok(match hub.newest(what, 0, Duration::ZERO).await? {
            Some(shown) if shown.octets == message.octets => Some(Found::There),
            Some(shown) if shown.number > message.number => Some(Found::Overtaken(shown.number)),
            _ => None,
        }),
    }
}

/// Whether a hub may have taken it all the same: it gave no answer, or could not say yes in time.
pub(super) fn may_have_it(error: &ClientError) -> bool {
    !error.not_yet && error.status.is_none_or(|status| status.is_server_error())
}

/// Whether a hub says no because of what it has: the same, a later one, or another of that number.
fn is_late(error: &ClientError) -> bool {
    matches!(error.status, Some(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED))
}

#[cfg(test)]
mod tests;
