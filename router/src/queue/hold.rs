//! Hold: mail that waits for a person's word. A person who edits the maps has said one: what they hold no
//! more goes on, and what they still hold is held again: by its route at its next attempt, and by an access
//! table, which is asked here.

use std::sync::{Arc, Weak};

use switchyard_maps::{Access, Answer, Found, Snapshot};
use switchyard_smtp::address::Mailbox;
use switchyard_smtp::envelope::{Envelope, Recipient};
use tokio::sync::watch;

use super::scheduler::Place;
use super::{QueueHandle, Shared};
use crate::spool::QueueId;

impl QueueHandle {
    /// Puts a message on hold; one that is active, when its attempt has ended. False when there is no such message.
    pub fn hold(&self, id: QueueId) -> bool {
        let shared = &self.0;
        let mut scheduler = shared.lock();
        let Some((message, place)) = scheduler.message(id).map(|(message, place)| (message.clone(), place))
        else {
            return false;
        };
        match place {
            Place::Active => message.state().hold = Some("put on hold by hand".into()),
            Place::Hold => {}
            Place::Incoming | Place::Deferred(_) => {
                let progress = message.state().progress(shared.clock.now_wall(), true);
                shared.spool.progress(id, &progress);
                scheduler.shift(id, Place::Hold);
            }
        }
        shared.publish(&scheduler);
        true
    }

    /// Releases a message that is on hold, for an attempt now. False when it is not on hold.
    pub fn release(&self, id: QueueId) -> bool {
        let shared = &self.0;
        let released = {
            let mut scheduler = shared.lock();
            let held = scheduler.message(id).filter(|(_, place)| *place == Place::Hold);
            let Some(message) = held.map(|(message, _)| message.clone()) else { return false };
            let progress = message.state().progress(shared.clock.now_wall(), false);
            shared.spool.progress(id, &progress);
            scheduler.shift(id, Place::Incoming);
            shared.publish(&scheduler);
            true
        };
        // It goes by way of the incoming queue, so that the limit of active messages holds.
        shared.wake.notify_one();
        released
    }

    /// Releases everything that is on hold; says how many messages that were.
    pub fn release_all(&self) -> usize {
        let held = self.0.lock().ids_on_hold();
        held.into_iter().filter(|id| self.release(*id)).count()
    }

    /// Releases what no access table holds; says how many messages that were.
    async fn release_unheld(&self) -> usize {
        let maps = self.0.maps.snapshot();
        let held = self.0.lock().ids_on_hold();
        let mut released = 0;
        for id in held {
            let envelope = self.0.lock().message(id).map(|(message, _)| Arc::clone(&message.envelope));
            let Some(envelope) = envelope else { continue };
            if !maps.settled(|maps| is_held(maps, &envelope)).await && self.release(id) {
                released += 1;
            }
        }
        released
    }
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
        let messages = QueueHandle(shared).release_unheld().await;
        if messages > 0 {
            tracing::info!(messages, "the maps changed: mail on hold is asked about again");
        }
    }
}
