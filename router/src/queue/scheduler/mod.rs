//! Which message is where, and which job runs when: plain state under one lock, without I/O or waiting. Every
//! transition says what its caller has to do next, outside of the lock.
//!
//! A message is in one of Postfix's queues: *incoming* (there is no room in the active one yet), *active* (its
//! jobs wait or run), *deferred* (until its time), *hold* (until somebody releases it). Every event costs the
//! same however many messages there are, but for a logarithm.
//!
//! - `messages.rs`: a message comes, moves between the queues, becomes active, goes.
//! - `room.rs`: how much of the active queue one destination may fill.
//! - `jobs.rs`: a job comes to its destination, waits for its turn, and a worker takes it.

mod jobs;
mod messages;
mod room;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use switchyard_maps::Destination;
use tokio::sync::oneshot;

use super::destination::DestinationState;
use super::message::{Job, Message};
use super::turns::Turns;
use super::{QueueOptions, Summary};
use crate::spool::QueueId;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Place {
    Incoming,
    Active,
    Deferred(Instant),
    Hold,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    place: Place,
    claim: Claim,
}

/// What a message has to do with one destination before it has jobs there.
#[derive(Debug, Default)]
enum Claim {
    #[default]
    None,
    /// In the incoming queue, until the destination has room for it.
    Parked(Box<Destination>),
    /// It has been told that there is room.
    Called(Box<Destination>),
}

/// A worker to be started.
#[derive(Debug)]
pub(in crate::queue) struct Start {
    pub destination: Destination,
    pub job: Job,
}

/// What becomes of an offered job.
#[derive(Debug)]
pub(in crate::queue) enum Offered {
    /// It waits in line.
    Waits,
    /// An idle worker has it.
    Handed,
    /// It wants a worker.
    Start(Start),
    /// Its destination is dead for now.
    Dead(Job),
}

/// What a worker does after a job.
#[derive(Debug)]
pub(in crate::queue) enum Next {
    Job(Job),
    /// Wait here for a job, for a while.
    Idle(u64, oneshot::Receiver<Job>),
    Leave,
}

/// What the end of a job brings about.
#[derive(Debug)]
pub(in crate::queue) struct Turn {
    pub next: Next,
    /// Workers that there is room for now.
    pub starts: Vec<Start>,
    /// Jobs of a destination that is dead from now on.
    pub orphans: Vec<Job>,
}

/// The queue.
#[derive(Debug)]
pub(in crate::queue) struct Scheduler {
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
    /// Mail was called that nobody has made active yet.
    has_called: bool,
}

impl Scheduler {
    pub(in crate::queue) fn new(options: QueueOptions) -> Self {
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
            has_called: false,
        }
    }

    pub(in crate::queue) fn summary(&self) -> Summary {
        Summary {
            incoming: self.incoming_count,
            active: self.active,
            deferred: self.deferred.len(),
            hold: self.held,
            connections: self.connections,
            ended: self.ended,
        }
    }

    pub(in crate::queue) fn oldest(&self) -> Option<&Arc<Message>> {
        self.messages.first_key_value().map(|(_, entry)| &entry.message)
    }

    pub(in crate::queue) fn message(&self, id: QueueId) -> Option<(&Arc<Message>, Place)> {
        self.messages.get(&id).map(|entry| (&entry.message, entry.place))
    }

    /// Messages in the order of their birth, from after `after` to `last`, so many at most.
    pub(in crate::queue) fn page(
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

    pub(in crate::queue) fn newest(&self) -> Option<QueueId> {
        self.messages.last_key_value().map(|(id, _)| *id)
    }

    pub(in crate::queue) fn ids_on_hold(&self) -> Vec<QueueId> {
        let held = self.messages.iter().filter(|(_, entry)| entry.place == Place::Hold);
        held.map(|(id, _)| *id).collect()
    }

    pub(in crate::queue) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Forgets destinations of which nothing needs to be known.
    pub(in crate::queue) fn forget(&mut self, now: Instant) {
        self.destinations
            .retain(|_, destination| destination.is_wanted() || !destination.window.is_forgettable(now));
    }

    /// Counts an attempt at a message that has ended.
    pub(in crate::queue) fn count_ended(&mut self) {
        self.ended += 1;
    }

    /// Starts nothing more; idle workers go.
    pub(in crate::queue) fn drain(&mut self) {
        self.draining = true;
        self.dismiss_idle();
    }

    /// Works in another way from now on; idle workers go, for their connections were made in the old one. Returns
    /// the workers that there is room for now.
    pub(in crate::queue) fn change(&mut self, options: QueueOptions) -> Vec<Start> {
        self.destinations.values_mut().for_each(|state| state.window.fit(&options.window));
        self.options = options;
        self.dismiss_idle();
        self.serve_line()
    }

    fn dismiss_idle(&mut self) {
        self.idle.clear();
        self.destinations.values_mut().for_each(|state| state.idle.clear());
    }
}
