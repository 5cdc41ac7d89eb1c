//! One destination: its jobs in their order, the workers that hold connections to it, and its window.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::message::Job;
use super::turns::Turns;
use super::window::{Window, WindowOptions};
use crate::spool::QueueId;

/// A worker that keeps a connection and waits for a job.
#[derive(Debug)]
pub(super) struct Idle {
    /// Its number, by which it is found again.
    pub slot: u64,
    /// A job sent here is taken at once; dropped, the worker goes.
    pub hand: oneshot::Sender<Job>,
}

/// What is known of a destination.
#[derive(Debug)]
pub(super) struct DestinationState {
    pub jobs: Turns<Job>,
    /// Workers, idle ones among them.
    pub workers: u32,
    /// The latest to fall idle is the last here, and the first to work again: the others grow old and go.
    pub idle: Vec<Idle>,
    pub window: Window,
    /// It stands in line for a connection.
    pub waits: bool,
    /// Messages that wait for room in its line.
    pub parked: Turns<QueueId>,
    /// Messages that were told of room and are on their way.
    pub called: usize,
}

impl DestinationState {
    pub(super) fn new(options: &WindowOptions) -> Self {
        Self {
            jobs: Turns::default(),
            workers: 0,
            idle: Vec::new(),
            window: Window::new(options),
            waits: false,
            parked: Turns::default(),
            called: 0,
        }
    }

    /// A job waits for its turn.
    pub(super) fn queue(&mut self, job: Job) {
        let message = Arc::clone(&job.message);
        self.jobs.push(&message.lane(), job);
    }

    /// True while somebody works for it, or waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.workers > 0 || self.waits || self.called > 0 || !self.jobs.is_empty() || !self.parked.is_empty()
    }

    /// True when it wants another worker and its window allows one.
    pub(super) fn wants_worker(&self) -> bool {
        !self.jobs.is_empty() && self.workers < self.window.size()
    }

    /// Hands a job to an idle worker; gives its slot back, or the job if there is none.
    pub(super) fn hand_to_idle(&mut self, mut job: Job) -> Result<u64, Job> {
        while let Some(idle) = self.idle.pop() {
            match idle.hand.send(job) {
                Ok(()) => return Ok(idle.slot),
                // It went at this very moment.
                Err(back) => job = back,
            }
        }
        Err(job)
    }
}
