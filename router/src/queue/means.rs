//! What the queue works with and new settings replace, as one: each attempt takes what holds when it begins.

use std::sync::Arc;

use super::{QueueHandle, QueueOptions, Shared};
use crate::bounce::Bouncer;
use crate::deliver::{Deliverer, Outgoing};
use crate::route::RouteOptions;

/// How mail is routed, tried, filtered, handed over and reported.
#[derive(Debug)]
pub struct Means {
    /// How the queue works.
    pub options: QueueOptions,
    /// What the maps leave open.
    pub routes: RouteOptions,
    /// Which filters are asked before.
    pub outgoing: Outgoing,
    /// How mail gets there.
    pub deliverer: Deliverer,
    /// Who hears of what did not.
    pub bouncer: Bouncer,
}

impl QueueHandle {
    /// What holds now: others are made of it.
    #[must_use]
    pub fn means(&self) -> Arc<Means> {
        self.0.means()
    }

    /// Takes others. Attempts that go on end as they began, and what waits goes by the new ones; connections that
    /// nobody uses at this moment are given up.
    pub fn change(&self, means: Means) {
        let mut scheduler = self.0.lock();
        let starts = scheduler.change(means.options.clone());
        // It may go another way by the new ones.
        scheduler.unpark_all();
        self.0.means.store(Arc::new(means));
        self.0.publish(&mut scheduler);
        drop(scheduler);
        self.0.start(starts);
        // There may be more room than before, and other times.
        self.0.wake.notify_one();
    }
}

impl Shared {
    pub(super) fn means(&self) -> Arc<Means> {
        self.means.load_full()
    }
}
