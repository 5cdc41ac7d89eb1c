//! What a queue is made of, and what it says of itself.

use switchyard_daemon::clock::Clock;
use switchyard_maps::MapHandle;

use super::QueueMetrics;
use super::schedule::ScheduleOptions;
use super::suspend::Suspensions;
use super::window::WindowOptions;
use crate::bounce::Bouncer;
use crate::deliver::{Deliverer, Outgoing};
use crate::route::RouteOptions;
use crate::spool::Spool;

/// How the queue works.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Retry and lifetime.
    pub schedule: ScheduleOptions,
    /// Concurrency of each destination.
    pub window: WindowOptions,
    /// Messages that may be active at once (Postfix's `qmgr_message_active_limit`).
    pub active_limit: usize,
    /// Connections to next hops, over all destinations.
    pub connection_limit: usize,
    /// Recipients of one message that go to one destination in one job.
    pub recipients_per_job: usize,
    /// Octets of content that may stay in memory until their first attempt.
    pub content_memory: usize,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            schedule: ScheduleOptions::default(),
            window: WindowOptions::default(),
            active_limit: 20_000,
            connection_limit: 1000,
            recipients_per_job: 50,
            content_memory: 64 * 1024 * 1024,
        }
    }
}

/// What the queue is made of.
#[derive(Debug)]
pub struct Parts {
    /// How it works.
    pub options: QueueOptions,
    /// Where its messages are kept.
    pub spool: Spool,
    /// Where they go.
    pub maps: MapHandle,
    /// What the maps leave open.
    pub routes: RouteOptions,
    /// Which filters are asked before.
    pub outgoing: Outgoing,
    /// How they get there.
    pub deliverer: Deliverer,
    /// Who hears of what did not.
    pub bouncer: Bouncer,
    /// Mail that is not tried for a while.
    pub suspensions: Suspensions,
    /// The time.
    pub clock: Clock,
    /// Chance, for the spread of retries.
    pub chance: fastrand::Rng,
    /// Levels.
    pub metrics: QueueMetrics,
}

/// How many messages are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Waiting for room in the active queue.
    pub incoming: usize,
    /// Being delivered, or waiting for it.
    pub active: usize,
    /// Waiting for their next attempt.
    pub deferred: usize,
    /// Waiting for somebody to release them.
    pub hold: usize,
    /// Connections to next hops.
    pub connections: usize,
    /// Attempts at messages that have ended since the start.
    pub ended: u64,
}

impl Summary {
    /// Messages in the queue.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.incoming + self.active + self.deferred + self.hold
    }
}
