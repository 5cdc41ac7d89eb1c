//! A message's place, from its coming to its going.

use std::sync::Arc;
use std::time::Instant;

use switchyard_smtp::priority::Priority;

use super::{Claim, Entry, Place, Scheduler};
use crate::queue::message::Message;
use crate::spool::QueueId;

/// Of the active queue, urgent mail has one part in so many for itself.
const URGENT_SHARE: usize = 10;
impl Scheduler {
    /// Takes a message in, at a place that is wished for. True when it became active: its jobs are to be made.
    pub(in crate::queue) fn insert(&mut self, message: &Arc<Message>, wish: Place) -> bool {
        let place = match wish {
            Place::Active if self.draining || !self.has_room_for(message.priority()) => Place::Incoming,
            other => other,
        };
        self.enter(message, place);
        let before = self
            .messages
            .insert(message.id, Entry { message: Arc::clone(message), place, claim: Claim::None });
        debug_assert!(before.is_none(), "a queue id came twice");
        place == Place::Active
    }

    /// Moves a message. True when it was there.
    pub(in crate::queue) fn shift(&mut self, id: QueueId, to: Place) -> bool {
        let Some(entry) = self.messages.get_mut(&id) else { return false };
        let from = std::mem::replace(&mut entry.place, to);
        let message = Arc::clone(&entry.message);
        // One that was called is on its way until its jobs are there.
        let is_on_its_way = to == Place::Active && entry.claim.is_call();
        let ended = if is_on_its_way { Claim::None } else { std::mem::take(&mut entry.claim) };
        self.exit(id, from);
        self.enter(&message, to);
        self.end(&ended);
        true
    }

    /// Forgets a message. True when it was there.
    pub(in crate::queue) fn remove(&mut self, id: QueueId) -> bool {
        let Some(entry) = self.messages.remove(&id) else { return false };
        self.exit(id, entry.place);
        self.end(&entry.claim);
        true
    }

    fn enter(&mut self, message: &Message, place: Place) {
        let id = message.id;
        match place {
            Place::Incoming => {
                self.incoming.push(&message.lane(), id);
                self.incoming_count += 1;
            }
            Place::Active => self.active += 1,
            Place::Deferred(until) => drop(self.deferred.insert((until, id))),
            Place::Hold => self.held += 1,
        }
    }

    pub(super) fn exit(&mut self, id: QueueId, place: Place) {
        match place {
            // Its id stays in the line and is passed over when its turn comes.
            Place::Incoming => self.incoming_count -= 1,
            Place::Active => self.active -= 1,
            Place::Deferred(until) => drop(self.deferred.remove(&(until, id))),
            Place::Hold => self.held -= 1,
        }
    }

    /// Makes one waiting message active, if there is room and one whose time has come.
    pub(in crate::queue) fn promote(&mut self, now: Instant) -> Option<Arc<Message>> {
        if self.draining {
            return None;
        }
        if !self.has_room_for(Priority::NORMAL) {
            return self.promote_urgent();
        }
        self.deferred_first = !self.deferred_first;
        let id = if self.deferred_first {
            self.due(now).or_else(|| self.first_incoming())
        } else {
            self.first_incoming().or_else(|| self.due(now))
        }?;
        self.shift(id, Place::Active);
        self.messages.get(&id).map(|entry| Arc::clone(&entry.message))
    }

    /// Urgent mail that waits behind a full active queue.
    fn promote_urgent(&mut self) -> Option<Arc<Message>> {
        while self.active < self.urgent_limit() {
            let id = self.incoming.pop_urgent()?;
            if self.messages.get(&id).is_some_and(Entry::waits_for_room) {
                self.shift(id, Place::Active);
                return self.messages.get(&id).map(|entry| Arc::clone(&entry.message));
            }
        }
        None
    }

    /// Whether a message of this priority may become active: there is room beside what others may fill for urgent
    /// mail alone.
    fn has_room_for(&self, priority: Priority) -> bool {
        self.active < self.limit(priority)
    }

    /// Messages of this priority and lower ones that may be active.
    pub(super) fn limit(&self, priority: Priority) -> usize {
        if priority > Priority::NORMAL { self.urgent_limit() } else { self.options.active_limit }
    }

    fn urgent_limit(&self) -> usize {
        self.options.active_limit.saturating_add((self.options.active_limit / URGENT_SHARE).max(1))
    }

    fn due(&self, now: Instant) -> Option<QueueId> {
        self.deferred.first().filter(|(until, _)| *until <= now).map(|(_, id)| *id)
    }

    fn first_incoming(&mut self) -> Option<QueueId> {
        while let Some(id) = self.incoming.pop() {
            if self.messages.get(&id).is_some_and(Entry::waits_for_room) {
                return Some(id);
            }
        }
        None
    }

    /// True when room in the active queue would be used at once.
    pub(in crate::queue) fn has_backlog(&self) -> bool {
        self.incoming_count > 0 || self.active + 1 >= self.options.active_limit
    }

    /// When the next deferred message is due.
    pub(in crate::queue) fn next_due(&self) -> Option<Instant> {
        self.deferred.first().map(|(until, _)| *until)
    }

    /// Makes everything due, and every destination worth an attempt.
    pub(in crate::queue) fn flush(&mut self, now: Instant) -> usize {
        let waiting: Vec<QueueId> = self.deferred.iter().map(|(_, id)| *id).collect();
        for id in &waiting {
            self.shift(*id, Place::Deferred(now));
        }
        self.revive();
        waiting.len()
    }
}
