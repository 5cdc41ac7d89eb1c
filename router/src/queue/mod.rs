//! Mail that waits for its delivery, and everything that happens to it until it is gone.
//!
//! The way of a message, by file:
//! 1. `mod.rs`: [`QueueHandle::admit`] takes it, durable as it is; [`schedule`] says when it is tried and given up.
//! 2. `dispatch.rs`: it becomes active; each recipient is routed by the maps of this moment, and recipients of
//!    one destination become jobs.
//! 3. `scheduler.rs`: jobs wait their turn (`turns.rs`) at their destination (`destination.rs`, [`window`]).
//! 4. `worker.rs`: a worker takes a job, makes the attempt ([`crate::deliver`]) on the connection that it keeps,
//!    and takes the next job of the same destination.
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
//! - Content leaves memory when the first attempt has ended; there is a budget for all of it.

mod destination;
mod dispatch;
mod hold;
mod log;
mod means;
mod message;
mod metrics;
pub mod order;
mod reports;
pub mod row;
pub mod schedule;
mod scheduler;
pub mod select;
mod settle;
pub mod suspend;
#[cfg(test)]
mod tests;
mod turns;
mod walk;
pub mod window;
mod worker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use switchyard_daemon::clock::Clock;
use switchyard_maps::{MapHandle, Route};
use switchyard_smtp::envelope::Content;
use tokio::sync::{Notify, watch};

use crate::bounce::Bouncer;
use crate::deliver::Deliverer;
use crate::route::RouteOptions;
use crate::spool::{NewMessage, Progress, QueueId, Receipt, Spool, StoredMessage};
pub use means::Means;
use message::Message;
pub use metrics::QueueMetrics;
use schedule::{Now, ScheduleOptions};
use scheduler::{Place, Scheduler};
use suspend::Suspensions;
use window::WindowOptions;

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

/// What all parts of the queue share.
#[derive(Debug)]
struct Shared {
    means: ArcSwap<Means>,
    spool: Spool,
    maps: MapHandle,
    suspensions: Suspensions,
    clock: Clock,
    chance: Mutex<fastrand::Rng>,
    metrics: QueueMetrics,
    scheduler: Mutex<Scheduler>,
    /// Held by the one order that is carried out.
    orders: tokio::sync::Mutex<()>,
    /// Octets of content in memory.
    memory: AtomicUsize,
    /// Messages that are being settled outside of a worker.
    settling: AtomicUsize,
    summary: watch::Sender<Summary>,
    /// Wakes the keeper of time.
    wake: Arc<Notify>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now { monotonic: self.clock.now_monotonic(), wall: self.clock.now_wall() }
    }

    fn admit_new(self: &Arc<Self>, id: QueueId, message: NewMessage) {
        let NewMessage { envelope, content, arrival, origin, hold } = message;
        let progress = Progress::fresh(envelope.recipients.len(), SystemTime::UNIX_EPOCH, hold);
        let content_len = content.len() as u64;
        self.admit(StoredMessage { id, envelope, arrival, origin, progress, content_len }, Some(content));
    }

    fn admit(self: &Arc<Self>, stored: StoredMessage, content: Option<Content>) {
        let now = self.now();
        let due = self.means.load().options.schedule.due(stored.progress.next_attempt, now);
        let wish = match stored.progress.hold {
            // An order that a crash cut off: it is carried out before anything else, at the message's next turn.
            _ if !stored.progress.given_up.is_empty() => Place::Active,
            Some(_) => Place::Hold,
            // Its suspension was ended, and a crash came before that was written down here.
            None if self.is_resumed(&stored) => Place::Active,
            None if due > now.monotonic => Place::Deferred(due),
            None => Place::Active,
        };
        let reroutes = self.reroutes(&stored);
        let content = content.filter(|content| wish == Place::Active && self.remember(content.len()));
        let message = Arc::new(Message::new(stored, now, content, reroutes));
        let begins = {
            let mut scheduler = self.lock();
            let begins = scheduler.insert(&message, wish);
            self.publish(&scheduler);
            begins
        };
        if begins {
            self.begin(&message);
        } else if let Place::Deferred(_) | Place::Active = wish {
            self.wake.notify_one();
        }
    }

    /// The ways that the operator gave recipients, as the spool has them.
    fn reroutes(&self, stored: &StoredMessage) -> BTreeMap<u32, Arc<Route>> {
        let read = |(index, text): &(u32, Box<str>)| match self.read_route(text) {
            Ok(route) => Some((*index, Arc::new(route))),
            // A pool that the settings named then.
            Err(why) => {
                tracing::warn!(id = %stored.id, "goes by the maps, not where it was rerouted to: {why}");
                None
            }
        };
        stored.progress.reroutes.iter().filter_map(read).collect()
    }

    fn is_resumed(&self, stored: &StoredMessage) -> bool {
        let in_force = self.suspensions.now(self.clock.now_wall());
        let stands = |number: u32| in_force.iter().any(|suspension| suspension.number == number);
        stored.progress.rest.suspended.iter().any(|(_, number)| !stands(*number))
    }

    /// Reserves memory for content; false when there is none left.
    fn remember(&self, octets: usize) -> bool {
        let budget = self.means.load().options.content_memory;
        let take = |used: usize| used.checked_add(octets).filter(|sum| *sum <= budget);
        self.memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Drops a message's content from memory.
    fn forget_content(&self, message: &Message) {
        if let Some(content) = message.state().content.take() {
            self.memory.fetch_sub(content.len(), Ordering::Relaxed);
        }
    }

    /// True when a drain has nothing left to wait for.
    /// Takes no lock: it is asked under the summary's own.
    fn is_quiet(&self, summary: Summary) -> bool {
        self.settling.load(Ordering::Acquire) == 0 && summary.connections == 0
    }

    fn show(&self) {
        let scheduler = self.lock();
        self.publish(&scheduler);
    }

    fn publish(&self, scheduler: &Scheduler) {
        let summary = scheduler.summary();
        self.metrics.show(summary);
        self.summary.send_replace(summary);
    }

    /// Sets the age of the oldest message.
    fn show_oldest(&self) {
        let arrival = self.lock().oldest().map(|message| message.arrival.wall);
        let age = arrival.and_then(|arrival| self.clock.now_wall().duration_since(arrival).ok());
        self.metrics.oldest.set(age.unwrap_or(Duration::ZERO).as_secs_f64());
    }
}
