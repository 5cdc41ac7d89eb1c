//! Aggregate reports to the domains whose mail was seen, by DMARC (RFC 9990).
//!
//! The way of a report: [`seen`] (what one message says, and to whom) → [`Reports::note`] (counted in memory) →
//! `keep` (every few seconds, and at the end, into the [`ledger`] on disk) → `post` (when a period is over: who may
//! get it, by [`destination`]; what it says, by [`letter`]; handed to an MTA).
//!
//! Invariants kept here:
//! - A verdict never waits for a report: noting one is a look into a map, and over its bounds it is counted and lost.
//! - A report has the same name however often it is sent, so one that was sent twice is known for one.
//! - Nobody outside of the domain's own organization gets a report without having said in the DNS that it wants it.

mod destination;
mod ledger;
mod letter;
mod post;
mod relay;
pub(crate) mod seen;
mod waiting;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switchyard_daemon::clock::Clock;

pub(crate) use self::ledger::LedgerError;
use self::ledger::{Counts, Due, Ledger, Policy};
pub(crate) use self::letter::Sender;
pub(crate) use self::relay::Relay;
use self::seen::Seen;
use crate::dns::Dns;
use crate::metrics::Metrics;

/// How often what was counted is made durable: what a crash may lose.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// Kinds of messages counted in memory until they are; more are not counted.
const MAX_PENDING: usize = 5_000;

/// What reports are made with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where the ledger stands.
    pub(crate) folder: std::path::PathBuf,
    /// Octets that it may hold.
    pub(crate) store_size: u64,
    /// How long one report covers.
    pub(crate) interval: Duration,
    /// Who writes them.
    pub(crate) sender: Sender,
    /// Who takes them.
    pub(crate) relay: Relay,
}

/// All reports on their way.
pub(crate) struct Reports {
    options: Options,
    ledger: Arc<Ledger>,
    dns: Dns,
    clock: Clock,
    metrics: Metrics,
    pending: Mutex<Pending>,
}

/// What is not on disk yet.
#[derive(Debug, Default)]
struct Pending {
    counted: HashMap<Due, Counts>,
    kinds: usize,
}

impl Reports {
    /// Opens the ledger.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(
        options: Options,
        dns: Dns,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, LedgerError> {
        let ledger = Arc::new(Ledger::open(&options.folder, options.store_size)?);
        Ok(Self { options, ledger, dns, clock, metrics, pending: Mutex::default() })
    }

    /// Counts one message.
    pub(crate) fn note(&self, seen: Seen) {
        let interval = self.options.interval.as_secs().max(1);
        let now = seconds(self.clock.now_wall());
        let begin = now - now % interval;
        let policy =
            Policy { end: begin + interval, published: seen.published, destinations: seen.destinations };
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let Pending { counted, kinds } = &mut *pending;
        let due = Due { begin, domain: seen.domain };
        if *kinds >= MAX_PENDING
            && !counted.get(&due).is_some_and(|counts| counts.rows.contains_key(&seen.row))
        {
            self.metrics.report_rows_lost.inc();
            return;
        }
        // A policy that changed within the period: the report tells of the last one.
        let counts = match counted.entry(due) {
            Entry::Occupied(known) => {
                let counts = known.into_mut();
                counts.policy = policy;
                counts
            }
            Entry::Vacant(new) => new.insert(Counts { policy, rows: HashMap::new() }),
        };
        let count = counts.rows.entry(seen.row).or_insert_with(|| {
            *kinds += 1;
            0
        });
        *count = count.saturating_add(1);
    }

    /// Makes durable what was counted. Waits for the disk.
    pub(crate) fn keep(&self) {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if pending.kinds == 0 {
            return;
        }
        match self.ledger.add(&pending.counted) {
            Ok(lost) => self.metrics.report_rows_lost.inc_by(lost),
            Err(error) => {
                tracing::error!(%error, kinds = pending.kinds, "what reports would tell could not be kept");
                self.metrics.report_rows_lost.inc_by(pending.kinds as u64);
            }
        }
    }
}

/// Keeps what was counted, every few seconds, for as long as the process lives.
pub(crate) async fn keeping(reports: Arc<Reports>) {
    loop {
        reports.clock.sleep(KEPT_EVERY).await;
        kept(&reports).await;
    }
}

/// The same once, off the threads that sessions run on.
pub(crate) async fn kept(reports: &Arc<Reports>) {
    let reports = Arc::clone(reports);
    let done = tokio::task::spawn_blocking(move || reports.keep()).await;
    if let Err(error) = done {
        tracing::error!(%error, "what reports would tell could not be kept");
    }
}

/// Sends reports of periods that are over, for as long as the process lives.
pub(crate) async fn posting(reports: Arc<Reports>) {
    let mut waiting = post::kept_waits(&reports).await;
    loop {
        post::all_due(&reports, &mut waiting).await;
        reports.clock.sleep(reports.options.relay.looks_every).await;
    }
}

fn seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reports").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
