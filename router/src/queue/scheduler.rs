//! Which message is where, and which job runs when: plain state under one lock, without I/O or waiting. Every
//! transition says what its caller has to do next, outside of the lock.
//!
//! A message is in one of Postfix's queues: *incoming* (there is no room in the active one yet), *active* (its
//! jobs wait or run), *deferred* (until its time), *hold* (until somebody releases it). Every event costs the
//! same however many messages there are, but for a logarithm.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use switchyard_maps::Destination;
use switchyard_smtp::priority::Priority;
use tokio::sync::oneshot;

use super::destination::{DestinationState, Idle};
use super::message::{Job, Message};
use super::turns::Turns;
use super::window::Feedback;
use super::{QueueOptions, Summary};
use crate::spool::QueueId;

/// Of the active queue, urgent mail has one part in so many for itself.
const URGENT_SHARE: usize = 10;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Incoming,
    Active,
    Deferred(Instant),
    Hold,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    place: Place,
}

/// A worker to be started.
#[derive(Debug)]
pub(super) struct Start {
    pub destination: Destination,
    pub job: Job,
}

/// What becomes of an offered job.
#[derive(Debug)]
pub(super) enum Offered {
    /// It waits, or an idle worker has it.
    Taken,
    /// It wants a worker.
    Start(Start),
    /// Its destination is dead for now.
    Dead(Job),
}

/// What a worker does after a job.
#[derive(Debug)]
pub(super) enum Next {
    Job(Job),
    /// Wait here for a job, for a while.
    Idle(u64, oneshot::Receiver<Job>),
    Leave,
}

/// What the end of a job brings about.
#[derive(Debug)]
pub(super) struct Turn {
    pub next: Next,
    /// Workers that there is room for now.
    pub starts: Vec<Start>,
    /// Jobs of a destination that is dead from now on.
    pub orphans: Vec<Job>,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Scheduler {
    options: QueueOptions,
    /// In order of birth, so that the oldest is the first.
    messages: BTreeMap<QueueId, Entry>,
    incoming: Turns<QueueId>,
    deferred: BTreeSet<(Instant, QueueId)>,
    active: usize,
    incoming_count: usize,
    held: usize,
    destinations: HashMap<Destination, DestinationState>,
    /// Workers over all destinations: each has or makes one connection.
    connections: usize,
    /// Destinations in line for a connection.
    line: VecDeque<Destination>,
    /// Idle workers, the oldest first.
    idle: BTreeMap<u64, Destination>,
    next_slot: u64,
    /// Turns between incoming and deferred mail, so that neither waits for the other to end.
    deferred_first: bool,
    draining: bool,
    ended: u64,
}

impl Scheduler {
    pub(super) fn new(options: QueueOptions) -> Self {
        Self {
            options,
            messages: BTreeMap::new(),
            incoming: Turns::default(),
            deferred: BTreeSet::new(),
            active: 0,
            incoming_count: 0,
            held: 0,
            destinations: HashMap::new(),
            connections: 0,
            line: VecDeque::new(),
            idle: BTreeMap::new(),
            next_slot: 0,
            deferred_first: false,
            draining: false,
            ended: 0,
        }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            incoming: self.incoming_count,
            active: self.active,
            deferred: self.deferred.len(),
            hold: self.held,
            connections: self.connections,
            ended: self.ended,
        }
    }

    pub(super) fn oldest(&self) -> Option<&Arc<Message>> {
        self.messages.first_key_value().map(|(_, entry)| &entry.message)
    }

    pub(super) fn message(&self, id: QueueId) -> Option<(&Arc<Message>, Place)> {
        self.messages.get(&id).map(|entry| (&entry.message, entry.place))
    }

    /// Messages in the order of their birth, from after `after` to `last`, so many at most.
    pub(super) fn page(
        &self,
        after: Option<QueueId>,
        last: QueueId,
        most: usize,
    ) -> Vec<(Arc<Message>, Place)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        if after.is_some_and(|after| after >= last) {
            return Vec::new();
        }
        let entries = self.messages.range((from, Bound::Included(last))).take(most);
        entries.map(|(_, entry)| (Arc::clone(&entry.message), entry.place)).collect()
    }

    pub(super) fn newest(&self) -> Option<QueueId> {
        self.messages.last_key_value().map(|(id, _)| *id)
    }

    pub(super) fn ids_on_hold(&self) -> Vec<QueueId> {
        let held = self.messages.iter().filter(|(_, entry)| entry.place == Place::Hold);
        held.map(|(id, _)| *id).collect()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    // -- messages ---------------------------------------------------------------------------------------

    /// Takes a message in, at a place that is wished for. True when it became active: its jobs are to be made.
    pub(super) fn insert(&mut self, message: &Arc<Message>, wish: Place) -> bool {
        let place = match wish {
            Place::Active if self.draining || !self.has_room_for(message.priority()) => Place::Incoming,
            other => other,
        };
        self.enter(message, place);
        let before = self.messages.insert(message.id, Entry { message: Arc::clone(message), place });
        debug_assert!(before.is_none(), "a queue id came twice");
        place == Place::Active
    }

    /// Moves a message. True when it was there.
    pub(super) fn shift(&mut self, id: QueueId, to: Place) -> bool {
        let Some(entry) = self.messages.get_mut(&id) else { return false };
        let from = std::mem::replace(&mut entry.place, to);
        let message = Arc::clone(&entry.message);
        self.exit(id, from);
        self.enter(&message, to);
        true
    }

    /// Forgets a message. True when it was there.
    pub(super) fn remove(&mut self, id: QueueId) -> bool {
        let Some(entry) = self.messages.remove(&id) else { return false };
        self.exit(id, entry.place);
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

    fn exit(&mut self, id: QueueId, place: Place) {
        match place {
            // Its id stays in the line and is passed over when its turn comes.
            Place::Incoming => self.incoming_count -= 1,
            Place::Active => self.active -= 1,
            Place::Deferred(until) => drop(self.deferred.remove(&(until, id))),
            Place::Hold => self.held -= 1,
        }
    }

    /// Makes one waiting message active, if there is room and one whose time has come.
    pub(super) fn promote(&mut self, now: Instant) -> Option<Arc<Message>> {
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
            if self.messages.get(&id).is_some_and(|entry| entry.place == Place::Incoming) {
                self.shift(id, Place::Active);
                return self.messages.get(&id).map(|entry| Arc::clone(&entry.message));
            }
        }
        None
    }

    /// Whether a message of this priority may become active: there is room beside what others may fill for urgent
    /// mail alone.
    fn has_room_for(&self, priority: Priority) -> bool {
        let limit = if priority > Priority::NORMAL { self.urgent_limit() } else { self.options.active_limit };
        self.active < limit
    }

    fn urgent_limit(&self) -> usize {
        self.options.active_limit.saturating_add((self.options.active_limit / URGENT_SHARE).max(1))
    }

    fn due(&self, now: Instant) -> Option<QueueId> {
        self.deferred.first().filter(|(until, _)| *until <= now).map(|(_, id)| *id)
    }

    fn first_incoming(&mut self) -> Option<QueueId> {
        while let Some(id) = self.incoming.pop() {
            if self.messages.get(&id).is_some_and(|entry| entry.place == Place::Incoming) {
                return Some(id);
            }
        }
        None
    }

    /// True when room in the active queue would be used at once.
    pub(super) fn has_backlog(&self) -> bool {
        self.incoming_count > 0 || self.active + 1 >= self.options.active_limit
    }

    /// When the next deferred message is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.deferred.first().map(|(until, _)| *until)
    }

    /// Makes everything due, and every destination worth an attempt.
    pub(super) fn flush(&mut self, now: Instant) -> usize {
        let waiting: Vec<QueueId> = self.deferred.iter().map(|(_, id)| *id).collect();
        for id in &waiting {
            self.shift(*id, Place::Deferred(now));
        }
        self.revive();
        waiting.len()
    }

    /// Takes the jobs of these messages out of the lines that they wait in; what runs, runs on.
    pub(super) fn withdraw(&mut self, messages: &HashSet<QueueId>) -> Vec<Job> {
        let mut withdrawn = Vec::new();
        for destination in self.destinations.values_mut() {
            withdrawn.extend(destination.jobs.withdraw(|job| messages.contains(&job.message.id)));
        }
        withdrawn
    }

    /// The jobs that wait in line for a connection.
    pub(super) fn in_line(&self) -> impl Iterator<Item = &Job> {
        self.destinations.values().flat_map(|destination| destination.jobs.iter())
    }

    /// Every destination is worth an attempt.
    pub(super) fn revive(&mut self) {
        self.destinations.values_mut().for_each(|destination| destination.window.revive());
    }

    /// Forgets destinations of which nothing needs to be known.
    pub(super) fn forget(&mut self, now: Instant) {
        self.destinations.retain(|_, destination| {
            destination.workers > 0 || !destination.jobs.is_empty() || !destination.window.is_forgettable(now)
        });
    }

    /// Counts an attempt at a message that has ended.
    pub(super) fn count_ended(&mut self) {
        self.ended += 1;
    }

    // -- jobs -------------------------------------------------------------------------------------------

    /// Takes a job for a destination.
    pub(super) fn offer(&mut self, destination: &Destination, job: Job, now: Instant) -> Offered {
        if !self.destinations.contains_key(destination) {
            let fresh = DestinationState::new(&self.options.window);
            self.destinations.insert(destination.clone(), fresh);
        }
        let Some(state) = self.destinations.get_mut(destination) else { return Offered::Dead(job) };
        if state.window.is_dead(now) {
            return Offered::Dead(job);
        }
        let job = match state.hand_to_idle(job) {
            Ok(slot) => {
                self.idle.remove(&slot);
                return Offered::Taken;
            }
            Err(job) => job,
        };
        if self.draining || state.workers >= state.window.size() {
            state.queue(job);
            return Offered::Taken;
        }
        if self.connections >= self.options.connection_limit {
            state.queue(job);
            self.stand_in_line(destination);
            return Offered::Taken;
        }
        state.workers += 1;
        self.connections += 1;
        Offered::Start(Start { destination: destination.clone(), job })
    }

    fn stand_in_line(&mut self, destination: &Destination) {
        if let Some(state) = self.destinations.get_mut(destination).filter(|state| !state.waits) {
            state.waits = true;
            self.line.push_back(destination.clone());
            self.dismiss_oldest_idle();
        }
    }

    /// A connection that nobody uses makes room for one that somebody wants.
    fn dismiss_oldest_idle(&mut self) {
        if let Some((slot, destination)) = self.idle.pop_first()
            && let Some(state) = self.destinations.get_mut(&destination)
        {
            state.idle.retain(|idle| idle.slot != slot);
        }
    }

    /// What a worker does after a job. `keeps` says that it has a connection for another.
    pub(super) fn next(
        &mut self,
        destination: &Destination,
        feedback: Feedback,
        keeps: bool,
        now: Instant,
    ) -> Turn {
        let mut orphans = Vec::new();
        let Some(state) = self.destinations.get_mut(destination) else {
            return Turn { next: Next::Leave, starts: Vec::new(), orphans };
        };
        if state.window.learn(feedback, state.workers, now, &self.options.window) {
            orphans.extend(state.jobs.drain());
        }
        let too_many = state.workers > state.window.size();
        // A used-up connection is the moment to let others have their turn.
        let yields = !keeps && !self.line.is_empty();
        if self.draining || too_many || yields {
            return self.leave(destination, orphans);
        }
        if let Some(job) = state.jobs.pop() {
            // A success may have opened the window for one more.
            let starts = self.fill(destination);
            return Turn { next: Next::Job(job), starts, orphans };
        }
        if keeps && self.line.is_empty() {
            let slot = self.next_slot;
            self.next_slot += 1;
            let (hand, receiver) = oneshot::channel();
            state.idle.push(Idle { slot, hand });
            self.idle.insert(slot, destination.clone());
            return Turn { next: Next::Idle(slot, receiver), starts: Vec::new(), orphans };
        }
        self.leave(destination, orphans)
    }

    /// An idle worker goes. False when a job was handed to it just now.
    pub(super) fn leave_idle(&mut self, destination: &Destination, slot: u64) -> bool {
        if self.idle.remove(&slot).is_some() {
            if let Some(state) = self.destinations.get_mut(destination) {
                state.idle.retain(|idle| idle.slot != slot);
            }
            return true;
        }
        false
    }

    /// A worker goes, and others may start.
    pub(super) fn leave(&mut self, destination: &Destination, orphans: Vec<Job>) -> Turn {
        self.connections = self.connections.saturating_sub(1);
        if let Some(state) = self.destinations.get_mut(destination) {
            state.workers = state.workers.saturating_sub(1);
        }
        let mut starts = Vec::new();
        while !self.draining && self.connections < self.options.connection_limit {
            let Some(first) = self.line.pop_front() else { break };
            if let Some(state) = self.destinations.get_mut(&first) {
                state.waits = false;
            }
            starts.extend(self.fill(&first));
        }
        starts.extend(self.fill(destination));
        let idle = self.destinations.get(destination).is_some_and(|state| {
            state.workers == 0 && state.jobs.is_empty() && !state.waits && state.window.failures_forgotten()
        });
        if idle {
            self.destinations.remove(destination);
        }
        Turn { next: Next::Leave, starts, orphans }
    }

    /// Workers for the jobs of a destination, as many as window and limit allow.
    fn fill(&mut self, destination: &Destination) -> Vec<Start> {
        let mut starts = Vec::new();
        if self.draining {
            return starts;
        }
        let Some(state) = self.destinations.get_mut(destination) else { return starts };
        while state.wants_worker() && self.connections < self.options.connection_limit {
            let Some(job) = state.jobs.pop() else { break };
            state.workers += 1;
            self.connections += 1;
            starts.push(Start { destination: destination.clone(), job });
        }
        if state.wants_worker() {
            self.stand_in_line(destination);
        }
        starts
    }

    /// Starts nothing more; idle workers go.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.dismiss_idle();
    }

    /// Works in another way from now on; idle workers go, for their connections were made in the old one.
    pub(super) fn change(&mut self, options: QueueOptions) {
        self.destinations.values_mut().for_each(|state| state.window.fit(&options.window));
        self.options = options;
        self.dismiss_idle();
    }

    fn dismiss_idle(&mut self) {
        self.idle.clear();
        self.destinations.values_mut().for_each(|state| state.idle.clear());
    }
}
