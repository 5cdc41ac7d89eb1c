//! Room in the active queue: how much of it one destination may fill with mail that only waits for it.
//!
//! A line may be as long as there is room left beside all that is active. So one slow destination fills half of the
//! active queue, two fill a third each, and however many there are, there is room for mail to the next one. What
//! finds its line full is *parked*: it is in the incoming queue again, its content leaves memory, and no worker
//! knows of it. When the line is short enough, it is *called*: it has its turn in the incoming queue, is routed by the
//! maps of that moment, and is not turned away by that line again.

use std::sync::Arc;

use switchyard_maps::Destination;
use switchyard_smtp::priority::Priority;

use super::{Claim, Entry, Place, Scheduler};
use crate::queue::destination::DestinationState;
use crate::queue::message::Message;
use crate::spool::QueueId;

impl Entry {
    /// True when it becomes active as soon as its turn comes.
    pub(super) fn waits_for_room(&self) -> bool {
        self.place == Place::Incoming && !matches!(self.claim, Claim::Parked(_))
    }
}

impl Claim {
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::Called(_))
    }

    fn is_call_of(&self, destination: &Destination) -> bool {
        matches!(self, Self::Called(of) if **of == *destination)
    }

    fn is_parked_at(&self, destination: &Destination) -> bool {
        matches!(self, Self::Parked(at) if **at == *destination)
    }
}

impl Scheduler {
    /// Whether a message has to be parked at a destination, for others fill its share of the active queue.
    pub(in crate::queue) fn is_full(&self, destination: &Destination, message: &Message) -> bool {
        let Some(state) = self.destinations.get(destination) else { return false };
        let is_called =
            self.messages.get(&message.id).is_some_and(|entry| entry.claim.is_call_of(destination));
        !is_called && state.jobs.len() + state.called >= self.room(message.priority())
    }

    /// Messages that may wait for one destination: as many as still may become active, and one at least.
    fn room(&self, priority: Priority) -> usize {
        self.limit(priority).saturating_sub(self.active).max(1)
    }

    /// Parks a message at a destination. True when the message was there; then others may be active.
    pub(in crate::queue) fn park(&mut self, id: QueueId, destination: &Destination) -> bool {
        self.give_back(id);
        let Some(entry) = self.messages.get_mut(&id) else { return false };
        let from = std::mem::replace(&mut entry.place, Place::Incoming);
        entry.claim = Claim::Parked(Box::new(destination.clone()));
        let message = Arc::clone(&entry.message);
        self.exit(id, from);
        self.incoming_count += 1;
        let fresh = || DestinationState::new(&self.options.window);
        let state = self.destinations.entry(destination.clone()).or_insert_with(fresh);
        state.parked.push(&message.lane(), id);
        // The line may have become empty meanwhile, and then nothing else would call it.
        self.call(destination);
        true
    }

    /// A message that was called has found its way, to this destination or elsewhere.
    pub(in crate::queue) fn give_back(&mut self, id: QueueId) {
        let Some(entry) = self.messages.get_mut(&id).filter(|entry| entry.claim.is_call()) else { return };
        let claim = std::mem::take(&mut entry.claim);
        self.end(&claim);
    }

    /// What a message had to do with a destination is over.
    pub(super) fn end(&mut self, claim: &Claim) {
        let Claim::Called(destination) = claim else { return };
        if let Some(state) = self.destinations.get_mut(&**destination) {
            state.called = state.called.saturating_sub(1);
        }
        self.call(destination);
    }

    /// Calls what is parked at a destination, as far as its line has become short enough.
    pub(super) fn call(&mut self, destination: &Destination) {
        let room = self.room(Priority::NORMAL);
        let Some(state) = self.destinations.get_mut(destination) else { return };
        while state.jobs.len() + state.called < room {
            let Some(id) = state.parked.pop() else { return };
            // An order may have put it elsewhere.
            let Some(entry) =
                self.messages.get_mut(&id).filter(|entry| entry.claim.is_parked_at(destination))
            else {
                continue;
            };
            entry.claim = Claim::Called(Box::new(destination.clone()));
            state.called += 1;
            self.incoming.push(&entry.message.lane(), id);
            self.has_called = true;
        }
    }

    /// Takes a message that is parked back into the incoming queue: its way may be another one now.
    pub(in crate::queue) fn unpark(&mut self, id: QueueId) {
        let Some(entry) = self.messages.get_mut(&id) else { return };
        if let Claim::Parked(_) = entry.claim {
            entry.claim = Claim::None;
            self.incoming.push(&entry.message.lane(), id);
        }
    }

    /// The same for all of them.
    pub(in crate::queue) fn unpark_all(&mut self) {
        let parked: Vec<QueueId> =
            self.destinations.values_mut().flat_map(|destination| destination.parked.drain()).collect();
        parked.into_iter().for_each(|id| self.unpark(id));
    }

    /// Whether mail was called since this was asked last: somebody has to make it active.
    pub(in crate::queue) fn has_called(&mut self) -> bool {
        std::mem::take(&mut self.has_called)
    }
}
