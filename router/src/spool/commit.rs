//! The committing thread: the only one that writes records.
//!
//! The way of a batch: whatever waits is [cut](Committer::cut) to what the segment can take, written with one
//! `pwritev`, made durable with one `fdatasync` if anybody waits for it, entered into the ledger and
//! acknowledged. While one batch syncs, the next gathers; no timer holds a lone message back. Records of
//! progress are written as soon as they come, so that a killed process forgets nothing, and synced with the
//! next message or after [`LAG`], so that a power cut forgets little.
//!
//! An error poisons the segment: Linux marks the pages of a failed sync clean, and a second one would lie. So
//! nothing more is ever written or synced there, who waits is told, what they were not told is taken back by
//! `void` records in the next segment, and records of progress are written there anew. After [`STRIKES`] in a
//! row nothing is taken any more, until a probe every [`PROBE`] finds that the disk works again.

mod poison;
mod proven;
mod roll;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{DiskFile, write_all};
use super::errand::Errand;
use super::ledger::Location;
use super::shared::{Job, Shared, lock};

/// How long a record of progress may stay written and not synced.
const LAG: Duration = Duration::from_millis(50);
/// How often a broken disk is tried.
const PROBE: Duration = Duration::from_secs(2);
/// How soon a full one is.
const RETRY: Duration = Duration::from_millis(250);
/// Errors in a row until nothing is taken.
const STRIKES: u32 = 3;
/// The most that one sync is for.
const BATCH_BYTES: u64 = 16 << 20;
/// The most records of progress that wait for a broken disk.
const MOST_PENDING: usize = 1 << 20;

/// The committing thread's own state.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    head: Option<Head>,
    /// The segment before the head, and how much of it is proven.
    before: Option<(u64, u32)>,
    /// Not written yet.
    pub(super) pending: VecDeque<Job>,
    /// Written, and not known to be durable.
    unsynced: Vec<Placed>,
    unsynced_since: Option<Instant>,
    strikes: u32,
    /// No segment can be had before.
    stalled_until: Option<Instant>,
    pub(super) errand: Option<Errand>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Head {
    sequence: u64,
    epoch: u64,
    file: Arc<dyn DiskFile>,
    capacity: u32,
    /// Where the next record goes.
    at: u32,
    /// Everything before is durable.
    proven: u32,
}

#[derive(Debug)]
struct Placed {
    job: Job,
    at: Location,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            head: None,
            before: None,
            pending: VecDeque::new(),
            unsynced: Vec::new(),
            unsynced_since: None,
            strikes: 0,
            stalled_until: None,
            errand: None,
        }
    }

    /// Runs until the spool is closed.
    pub(super) fn run(mut self) {
        while self.gather() {
            if self.stalled_until.is_none() {
                self.run_errand();
            }
            self.step();
        }
        self.finish();
    }

    /// Takes what waits into `pending`, waiting for it if there is nothing to do; `false` at the end.
    fn gather(&mut self) -> bool {
        let mut jobs = lock(&self.shared.jobs);
        loop {
            self.pending.extend(jobs.queue.drain(..));
            if jobs.closing {
                return false;
            }
            let stalled = self.stalled_until;
            let has_work = stalled.is_none() && (!self.pending.is_empty() || self.errand.is_some());
            // Somebody who waits hears at once that nothing can be written.
            if has_work || self.pending.iter().any(Job::is_awaited) {
                return true;
            }
            let due = [stalled, self.unsynced_since.map(|since| since + LAG)].into_iter().flatten().min();
            let Some(due) = due else {
                jobs = self.shared.work.wait(jobs).unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.shared.work.wait_timeout(jobs, left);
            jobs = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Writes what can be written, and syncs what must be.
    pub(super) fn step(&mut self) {
        if let Some(until) = self.stalled_until {
            if Instant::now() < until {
                return self.refuse_awaited();
            }
            self.stalled_until = None;
        }
        if self.poisoned() && self.pending.is_empty() {
            // A probe: the mark of a new segment.
            self.sync_or_poison();
            self.roll();
        }
        while !self.pending.is_empty() && self.stalled_until.is_none() {
            let batch = self.cut();
            if batch.is_empty() {
                // The segment is full, or there is none.
                self.sync_or_poison();
                self.roll();
                continue;
            }
            self.write(batch);
        }
        if self.stalled_until.is_some() {
            return self.refuse_awaited();
        }
        if self.unsynced_since.is_some_and(|since| since.elapsed() >= LAG) {
            self.sync_or_poison();
        }
    }

    /// The orderly end: everything written, synced and proven.
    fn finish(&mut self) {
        self.stalled_until = None;
        self.errand = None;
        self.step();
        self.sync_or_poison();
        self.prove();
        self.pending_is_lost();
    }

    /// Says in the log that everything before is durable, which spares the next start a copy of the last batch.
    pub(super) fn prove(&mut self) {
        let mark = Job::Mark { draft: self.mark() };
        let fits = self.head.as_ref().is_some_and(|head| {
            head.proven == head.at && mark.record_len() <= u64::from(head.capacity - head.at)
        });
        if fits {
            self.write(vec![mark]);
        }
    }

    /// True when everything written is in the ledger.
    pub(super) fn nothing_unsynced(&self) -> bool {
        self.unsynced.is_empty()
    }

    // -----------------------------------------------------------------------------------------------------

    /// The next batch: as much of what waits as the segment takes.
    fn cut(&mut self) -> Vec<Job> {
        let Some(head) = &self.head else { return Vec::new() };
        let room = u64::from(head.capacity - head.at);
        let mut bytes = 0;
        let fits = self.pending.iter().take_while(|job| {
            bytes += job.record_len();
            bytes <= room.min(BATCH_BYTES) || (bytes == job.record_len() && bytes <= room)
        });
        let count = fits.count();
        self.pending.drain(..count).collect()
    }

    /// Writes a batch, and syncs it if anybody waits for it.
    fn write(&mut self, batch: Vec<Job>) {
        let Some(head) = &mut self.head else { return };
        let mut at = head.at;
        let first = self.unsynced.len();
        let mut awaited = false;
        for mut job in batch {
            awaited |= job.is_awaited();
            let length = u32::try_from(job.record_len()).unwrap_or(u32::MAX);
            if let Some(draft) = job.draft_mut() {
                draft.stamp(head.epoch, head.proven);
            }
            self.unsynced.push(Placed { job, at: Location { segment: head.sequence, offset: at, length } });
            at += length;
        }
        let mut slices = Vec::new();
        for placed in &self.unsynced[first..] {
            if let Some(draft) = placed.job.draft() {
                draft.slices(&mut slices);
                self.shared.metrics.records.inc();
            }
        }
        let timer = self.shared.metrics.write_seconds.start_timer();
        let written = write_all(&*head.file, &mut slices, u64::from(head.at));
        timer.observe_duration();
        match written {
            Ok(()) => {
                head.at = at;
                if self.unsynced_since.is_none() && !self.unsynced.is_empty() {
                    self.unsynced_since = Some(Instant::now());
                }
                if awaited {
                    self.sync_or_poison();
                }
            }
            Err(error) => self.poison(&error),
        }
    }

    /// Makes durable what was written, and tells everybody; on an error, gives the segment up.
    fn sync_or_poison(&mut self) {
        let Some(head) = &mut self.head else { return };
        if self.unsynced.is_empty() {
            return;
        }
        let timer = self.shared.metrics.sync_seconds.start_timer();
        let synced = head.file.fdatasync();
        timer.observe_duration();
        match synced {
            Ok(()) => {
                head.proven = head.at;
                self.shared.metrics.syncs.inc();
                self.recovered_from_errors();
                self.apply();
            }
            Err(error) => self.poison(&error),
        }
    }
}

impl Placed {
    fn is_mark(&self) -> bool {
        matches!(self.job, Job::Mark { .. })
    }
}
