//! What all parts of the queue share, and how a message comes in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use switchyard_daemon::clock::Clock;
use switchyard_maps::{MapHandle, Route};
use switchyard_smtp::envelope::Content;
use tokio::sync::{Notify, watch};

use super::means::Means;
use super::message::Message;
use super::schedule::Now;
use super::scheduler::{Place, Scheduler};
use super::suspend::Suspensions;
use super::{QueueMetrics, Summary};
use crate::spool::{NewMessage, Progress, QueueId, Spool, StoredMessage};

/// What all parts of the queue share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) means: ArcSwap<Means>,
    pub(super) spool: Spool,
    pub(super) maps: MapHandle,
    pub(super) suspensions: Suspensions,
    pub(super) clock: Clock,
    pub(super) chance: Mutex<fastrand::Rng>,
    pub(super) metrics: QueueMetrics,
    pub(super) scheduler: Mutex<Scheduler>,
    /// Held by the one order that is carried out.
    pub(super) orders: tokio::sync::Mutex<()>,
    /// Octets of content in memory.
    pub(super) memory: AtomicUsize,
    /// Messages that are being settled outside of a worker.
    pub(super) settling: AtomicUsize,
    pub(super) summary: watch::Sender<Summary>,
    /// Wakes the keeper of time.
    pub(super) wake: Arc<Notify>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.clock.now_monotonic(), wall: self.clock.now_wall() }
    }

    pub(super) fn admit_new(self: &Arc<Self>, id: QueueId, message: NewMessage) {
        let NewMessage { envelope, content, arrival, origin, hold } = message;
        let progress = Progress::fresh(envelope.recipients.len(), SystemTime::UNIX_EPOCH, hold);
        let content_len = content.len() as u64;
        self.admit(StoredMessage { id, envelope, arrival, origin, progress, content_len }, Some(content));
    }

    pub(super) fn admit(self: &Arc<Self>, stored: StoredMessage, content: Option<Content>) {
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
            self.publish(&mut scheduler);
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
        let mut pools = self.means.load().routes.pools.names();
        let mut read = |(index, text): &(u32, Box<str>)| {
            // The settings may name its pool no more: then its mail waits, as when that happens while we run.
            pools.extend(text.rsplit_once('@').map(|(_, pool)| pool.to_owned()));
            match Route::parse(text, &pools) {
                Ok(route) => Some((*index, Arc::new(route))),
                Err(why) => {
                    tracing::warn!(id = %stored.id, "goes by the maps, not to `{text}` as was ordered: {why}");
                    None
                }
            }
        };
        stored.progress.reroutes.iter().filter_map(&mut read).collect()
    }

    fn is_resumed(&self, stored: &StoredMessage) -> bool {
        let in_force = self.suspensions.now(self.clock.now_wall());
        let stands = |number: u32| in_force.iter().any(|suspension| suspension.number == number);
        stored.progress.rest.suspended.iter().any(|(_, number)| !stands(*number))
    }

    /// True when a drain has nothing left to wait for.
    /// Takes no lock: it is asked under the summary's own.
    pub(super) fn is_quiet(&self, summary: Summary) -> bool {
        self.settling.load(Ordering::Acquire) == 0 && summary.connections == 0
    }

    pub(super) fn show(&self) {
        let mut scheduler = self.lock();
        self.publish(&mut scheduler);
    }

    /// Shows where messages are. The keeper of time hears of those that were told of room.
    pub(super) fn publish(&self, scheduler: &mut Scheduler) {
        if scheduler.has_called() {
            self.wake.notify_one();
        }
        let summary = scheduler.summary();
        self.metrics.show(summary);
        self.summary.send_replace(summary);
    }

    /// Sets the age of the oldest message.
    pub(super) fn show_oldest(&self) {
        let arrival = self.lock().oldest().map(|message| message.arrival.wall);
        let age = arrival.and_then(|arrival| self.clock.now_wall().duration_since(arrival).ok());
        self.metrics.oldest.set(age.unwrap_or(Duration::ZERO).as_secs_f64());
    }
}
