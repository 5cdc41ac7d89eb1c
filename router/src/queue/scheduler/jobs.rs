//! Jobs and those who do them: who works for which destination, and who is next.

use std::collections::HashSet;
use std::time::Instant;

use switchyard_maps::Destination;
use tokio::sync::oneshot;

use super::{Next, Offered, Scheduler, Start, Turn};
use crate::queue::destination::{DestinationState, Idle};
use crate::queue::message::Job;
use crate::queue::window::Feedback;
use crate::spool::QueueId;

impl Scheduler {
    /// Takes a job for a destination.
    pub(in crate::queue) fn offer(&mut self, destination: &Destination, job: Job, now: Instant) -> Offered {
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
                return Offered::Handed;
            }
            Err(job) => job,
        };
        if self.draining || state.workers >= state.window.size() {
            state.queue(job);
            return Offered::Waits;
        }
        if self.connections >= self.options.connection_limit {
            state.queue(job);
            self.stand_in_line(destination);
            return Offered::Waits;
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
    pub(in crate::queue) fn next(
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
        // Both may have been lowered while it worked.
        let too_many =
            state.workers > state.window.size() || self.connections > self.options.connection_limit;
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
    pub(in crate::queue) fn leave_idle(&mut self, destination: &Destination, slot: u64) -> bool {
        if self.idle.remove(&slot).is_some() {
            if let Some(state) = self.destinations.get_mut(destination) {
                state.idle.retain(|idle| idle.slot != slot);
            }
            return true;
        }
        false
    }

    /// A worker goes, and others may start.
    pub(in crate::queue) fn leave(&mut self, destination: &Destination, orphans: Vec<Job>) -> Turn {
        self.connections = self.connections.saturating_sub(1);
        if let Some(state) = self.destinations.get_mut(destination) {
            state.workers = state.workers.saturating_sub(1);
        }
        let mut starts = self.serve_line();
        starts.extend(self.fill(destination));
        let idle = self
            .destinations
            .get(destination)
            .is_some_and(|state| !state.is_wanted() && state.window.failures_forgotten());
        if idle {
            self.destinations.remove(destination);
        }
        Turn { next: Next::Leave, starts, orphans }
    }

    /// Workers for those who stand in line for a connection, as many as the limit allows.
    pub(super) fn serve_line(&mut self) -> Vec<Start> {
        let mut starts = Vec::new();
        while !self.draining && self.connections < self.options.connection_limit {
            let Some(first) = self.line.pop_front() else { break };
            if let Some(state) = self.destinations.get_mut(&first) {
                state.waits = false;
            }
            starts.extend(self.fill(&first));
        }
        starts
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
        self.call(destination);
        starts
    }

    /// Takes the jobs of these messages out of the lines that they wait in; what runs, runs on.
    pub(in crate::queue) fn withdraw(&mut self, messages: &HashSet<QueueId>) -> Vec<Job> {
        let (mut withdrawn, mut shorter) = (Vec::new(), Vec::new());
        for (destination, state) in &mut self.destinations {
            let before = withdrawn.len();
            withdrawn.extend(state.jobs.withdraw(|job| messages.contains(&job.message.id)));
            if withdrawn.len() > before {
                shorter.push(destination.clone());
            }
        }
        shorter.iter().for_each(|destination| self.call(destination));
        withdrawn
    }

    /// The jobs that wait in line for a connection.
    pub(in crate::queue) fn in_line(&self) -> impl Iterator<Item = &Job> {
        self.destinations.values().flat_map(|destination| destination.jobs.iter())
    }

    /// A destination is worth an attempt, if it was not tried since somebody asked for one.
    pub(in crate::queue) fn revive_for(&mut self, destination: &Destination, asked: Instant) {
        if let Some(state) = self.destinations.get_mut(destination) {
            state.window.revive_for(asked);
        }
    }

    /// Every destination is worth an attempt.
    pub(in crate::queue) fn revive(&mut self) {
        self.destinations.values_mut().for_each(|destination| destination.window.revive());
    }
}
