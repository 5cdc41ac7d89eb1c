//! A job is shown to the mail filters of its next hop before it is tried: what they say is the fate of some of its
//! recipients, or of all of them, and the rest goes as they leave it.

use switchyard_maps::Destination;
use switchyard_smtp::envelope::Content;

use super::Shared;
use super::message::Job;
use crate::deliver::Fate;
use crate::deliver::outgoing::{Answer, Going, Outgoing, Shown, Whose};
use crate::spool::{Held, Holder};

/// What is left of a job.
pub(super) struct Left {
    /// Recipients of whom no attempt is made.
    pub fates: Vec<(u32, Fate)>,
    /// What is tried.
    pub rest: Rest,
}

/// What is tried of a job.
pub(super) enum Rest {
    /// All of it, as it is.
    Unasked,
    /// A part of it, or all, as the filters leave it.
    Going(Box<Going>),
    /// Nothing.
    Nothing,
}

impl Shared {
    /// Asks the filters of a job's next hop, if there are any.
    pub(super) async fn leave(
        &self,
        outgoing: &Outgoing,
        destination: &Destination,
        job: &Job,
        content: &Content,
    ) -> Left {
        let names = outgoing.of(destination);
        if names.is_empty() {
            return Left { fates: Vec::new(), rest: Rest::Unasked };
        }
        let message = &job.message;
        let whose = match &message.arrival.from {
            Some(from) => Whose::Client(from),
            None if message.is_report => Whose::Us,
            None => Whose::Somebody,
        };
        let shown = Shown {
            id: message.id.to_string(),
            whose,
            sender: job.sender.as_deref().unwrap_or(&message.envelope.sender),
            envelope: &message.envelope,
            recipients: &job.recipients,
            content,
        };
        let released = message.state().released;
        let Answer { fates, hold, going } = outgoing.ask(&names, destination, shown, released).await;
        if let Some(reason) = hold {
            // As at the way in: only a hand releases it. One that did while a filter was asked has done so for this copy too:
            // it goes with the next attempt.
            let mut state = message.state();
            if !state.released {
                state.hold.get_or_insert_with(|| Held::new(Holder::Hand, &reason));
            }
        }
        Left { fates, rest: going.map_or(Rest::Nothing, |going| Rest::Going(Box::new(going))) }
    }
}
