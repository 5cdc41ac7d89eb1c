//! Mail that waits for its delivery, and everything that happens to it until it is gone.
//!
//! The way of a message, by file:
//! 1. `shared.rs`: [`QueueHandle::admit`] takes it, durable as it is; [`schedule`] says when it is tried and given up.
//! 2. `dispatch.rs`: it becomes active; each recipient is routed by the maps of this moment, and recipients of
//!    one destination become jobs.
//! 3. `scheduler`: jobs wait their turn (`turns.rs`) at their destination (`destination.rs`, [`window`]).
//! 4. `worker.rs`: a worker takes a job, asks the filters of its next hop (`leave.rs`), makes the attempt
//!    ([`crate::deliver`]) on the connection that it keeps, and takes the next job of the same destination.
//! 5. `settle.rs`: when the last job has ended, reports are spooled (`reports.rs`), and the message is done,
//!    deferred or held.
//!
//! What a person does to it on this way: `hold.rs` for the maps' word; [`order`] and [`suspend`] for the operator's,
//! about the messages that a [`select`]or means (`walk.rs`), and [`row`] for what is shown of them.
//!
//! Invariants kept here:
//! - What became of a recipient is journaled before the next command goes out on that connection.
//! - A failure is forgotten only when its report is durable, or when nobody is to hear of it.
//! - Routing is computed at every attempt, on one snapshot.
//! - Content leaves memory when the first attempt has ended; there is a budget for all of it (`content.rs`).

mod content;
mod destination;
mod dispatch;
mod hold;
mod leave;
mod log;
mod means;
mod message;
mod metrics;
mod options;
pub mod order;
mod reports;
pub mod row;
pub mod schedule;
mod scheduler;
pub mod select;
mod settle;
mod shared;
pub mod suspend;
#[cfg(test)]
mod tests;
mod turns;
mod walk;
pub mod window;
mod worker;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use switchyard_smtp::envelope::Content;
use tokio::sync::{Notify, watch};

use crate::spool::{NewMessage, Receipt, StoredMessage};
pub use means::Means;
pub use metrics::QueueMetrics;
pub use options::{Parts, QueueOptions, Summary};
use scheduler::Scheduler;
use shared::Shared;

/// The queue.
#[derive(Debug)]
pub struct Queue;

impl Queue {
    /// Starts the queue with what recovery found in the spool. Must be called in a tokio run time.
    #[must_use]
    pub fn start(mut parts: Parts, recovered: Vec<StoredMessage>) -> QueueHandle {
        let remembered = recovered.iter().flat_map(|stored| &stored.progress.rest.suspended);
        remembered.for_each(|(_, number)| parts.suspensions.saw(*number));
        let (summary, _) = watch::channel(Summary::default());
        let shared = Arc::new(Shared {
            scheduler: Mutex::new(Scheduler::new(parts.options.clone())),
            means: ArcSwap::from_pointee(Means {
                options: parts.options,
                routes: parts.routes,
                outgoing: parts.outgoing,
                deliverer: parts.deliverer,
                bouncer: parts.bouncer,
            }),
            spool: parts.spool,
            maps: parts.maps,
            suspensions: parts.suspensions,
            clock: parts.clock,
            chance: Mutex::new(parts.chance),
            metrics: parts.metrics,
            orders: tokio::sync::Mutex::new(()),
            memory: AtomicUsize::new(0),
            settling: AtomicUsize::new(0),
            summary,
            wake: Arc::new(Notify::new()),
        });
        for stored in recovered {
            shared.admit(stored, None);
        }
        tokio::spawn(worker::keep_time(Arc::downgrade(&shared)));
        tokio::spawn(hold::follow_maps(Arc::downgrade(&shared), shared.maps.generations()));
        QueueHandle(shared)
    }
}

/// A handle on the queue. Clones share it.
#[derive(Debug, Clone)]
pub struct QueueHandle(Arc<Shared>);

impl QueueHandle {
    /// Takes a message that the spool has, and starts its first attempt. With its content, that attempt needs no
    /// read.
    pub fn admit(&self, stored: StoredMessage, content: Option<Content>) {
        self.0.admit(stored, content);
    }

    /// The same for a message that was taken just now. A repeated transaction's is in the queue already.
    pub fn admit_new(&self, receipt: &Receipt, message: NewMessage) {
        if !receipt.is_repeated() {
            self.0.admit_new(receipt.queue_id(), message);
        }
    }

    /// Makes every deferred message due now, and every dead destination worth an attempt.
    pub fn flush(&self) {
        let now = self.0.clock.now_monotonic();
        let count = self.0.lock().flush(now);
        tracing::info!(messages = count, "flushing the queue");
        self.0.wake.notify_one();
    }

    /// Ends the attempts that are going on and starts no other; what waits is in the spool.
    pub async fn drain(&self) {
        self.0.lock().drain();
        self.0.show();
        self.0.wake.notify_one();
        let mut summary = self.0.summary.subscribe();
        // The sender lives as long as `self.0`.
        let _ = summary.wait_for(|summary| self.0.is_quiet(*summary)).await;
    }

    /// The same, for so long at most. False when attempts go on even then: their mail is in the spool, and is tried
    /// again after the next start.
    pub async fn drain_within(&self, limit: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.drain() => true,
            () = self.0.clock.sleep(limit) => false,
        }
    }

    /// How many messages are where.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.0.lock().summary()
    }

    /// Tells of every change of the summary.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Summary> {
        self.0.summary.subscribe()
    }
}
