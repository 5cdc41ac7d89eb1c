//! Hold: mail that waits for a person's word. Who edits the maps has said one: what they held and hold no more
//! goes on, and what they still hold is held again: by its route at its next attempt, and by an access table, which
//! is asked here. What a hand holds, only a hand releases ([`order`](super::order)); what a hand released, no map holds.

use std::sync::{Arc, Weak};

use switchyard_maps::{Access, Answer, Found, Snapshot};
use switchyard_smtp::address::Mailbox;
use switchyard_smtp::envelope::{Envelope, Recipient};
use tokio::sync::watch;

use super::Shared;
use super::message::Message;
use super::scheduler::Place;
use crate::spool::Holder;

impl Shared {
    /// Releases what the maps held and no access table holds; says how many messages that were.
    async fn release_unheld(&self) -> usize {
        let maps = self.maps.snapshot();
        let held = {
            let mut scheduler = self.lock();
            // What waits for room somewhere may go another way now.
            scheduler.unpark_all();
            scheduler.ids_on_hold()
        };
        let mut released = 0;
        for id in held {
            let message = self.lock().message(id).map(|(message, _)| Arc::clone(message));
            let Some(message) = message.filter(|message| is_held_by_map(message)) else { continue };
            if !maps.settled(|maps| is_held(maps, &message.envelope)).await && self.release(&message) {
                released += 1;
            }
        }
        self.wake.notify_one();
        released
    }

    /// Releases a message that the maps hold, for an attempt now. False when they do not.
    fn release(&self, message: &Message) -> bool {
        let mut scheduler = self.lock();
        if scheduler.message(message.id).is_none_or(|(_, place)| place != Place::Hold) {
            return false;
        }
        let mut state = message.state();
        if state.hold.take_if(|held| held.by == Holder::Map).is_none() {
            return false;
        }
        let now = self.now();
        self.spool.progress(message.id, &state.progress(now.wall, now));
        // It goes by way of the incoming queue, so that the limit of active messages holds.
        scheduler.shift(message.id, Place::Incoming);
        self.publish(&mut scheduler);
        true
    }
}

fn is_held_by_map(message: &Message) -> bool {
    message.state().hold.as_ref().is_some_and(|held| held.by == Holder::Map)
}

/// Whether an access table says `HOLD` of the sender, or of a recipient under the name that it came by. One that
/// cannot say leaves things as they are.
fn is_held(maps: &Snapshot, envelope: &Envelope) -> bool {
    let holds = |answer: Answer<Found<Access>>| match answer {
        Answer::Found(found) => matches!(found.value, Access::Hold(_)),
        Answer::NotFound => false,
        Answer::Unavailable(_) => true,
    };
    let of_recipient = |recipient: &Recipient| {
        let original = recipient.orcpt.as_ref().and_then(|orcpt| Mailbox::parse(&orcpt.address).ok());
        let mailbox = original.or_else(|| recipient.forward_path.mailbox().cloned());
        mailbox.is_some_and(|mailbox| holds(maps.access_recipient(&mailbox)))
    };
    holds(maps.access_sender(&envelope.sender.reverse_path)) || envelope.recipients.iter().any(of_recipient)
}

/// Asks anew about everything on hold whenever another set of maps is in use.
pub(super) async fn follow_maps(queue: Weak<Shared>, mut generations: watch::Receiver<u64>) {
    while generations.changed().await.is_ok() {
        let Some(shared) = queue.upgrade() else { return };
        let messages = shared.release_unheld().await;
        if messages > 0 {
            tracing::info!(messages, "the maps changed: mail on hold is asked about again");
        }
    }
}
