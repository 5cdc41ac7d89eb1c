//! What the spool's threads and its callers share. Locks are held for bookkeeping only, never over I/O; where
//! two are needed they are taken in the order `jobs`, `ledger`, `stock`, `transactions`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use switchyard_daemon::clock::Clock;
use switchyard_smtp::envelope::TransactionId;
use tokio::sync::oneshot;

use super::disk::{Disk, Place};
use super::id::{Ids, QueueId};
use super::ledger::{Ledger, Location};
use super::metrics::SpoolMetrics;
use super::options::{SpoolError, SpoolOptions};
use super::reclaim::Stock;
use super::record::Draft;
use super::transactions::Transactions;

#[derive(Debug)]
pub(super) struct Shared {
    pub options: SpoolOptions,
    pub disk: Arc<dyn Disk>,
    pub clock: Clock,
    pub metrics: SpoolMetrics,
    pub ids: Ids,
    pub jobs: Mutex<Jobs>,
    /// There are jobs, or the spool is closing.
    pub work: Condvar,
    pub ledger: Mutex<Ledger>,
    pub stock: Mutex<Stock>,
    /// The stock changed, or wants looking at.
    pub stirred: Condvar,
    pub transactions: Mutex<Transactions>,
    /// The disk keeps failing; nothing is taken.
    pub poisoned: AtomicBool,
}

/// What the committing thread is to do next.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub queue: VecDeque<Job>,
    /// Octets of messages that were let in and are not settled.
    pub waiting_bytes: u64,
    pub closing: bool,
}

/// One thing for the committing thread; all but `Flush` are one record.
#[derive(Debug)]
pub(super) enum Job {
    /// A message, acknowledged when it is durable.
    Accept(Accepting),
    /// A newer state of a message.
    Progress { id: QueueId, draft: Draft },
    /// The end of a message.
    Done { id: QueueId, draft: Draft },
    /// A message in `segment` was never acknowledged; its blob may go when this is durable.
    Void { id: QueueId, segment: u64, blob: bool, draft: Draft },
    /// A live record, to empty the segment that it is in.
    Copy { id: QueueId, from: Location, draft: Draft },
    /// The first record of a segment.
    Mark { draft: Draft },
    /// Answered when everything before it is durable.
    Flush(oneshot::Sender<Result<(), SpoolError>>),
}

/// A message on its way into the log.
#[derive(Debug)]
pub(super) struct Accepting {
    pub id: QueueId,
    pub transaction: Option<TransactionId>,
    pub draft: Draft,
    /// Octets of the content.
    pub content_len: u64,
    /// Octets in a file of its own, which is durable already.
    pub blob: Option<u64>,
    pub reply: oneshot::Sender<Result<QueueId, SpoolError>>,
}

impl Job {
    pub(super) fn draft(&self) -> Option<&Draft> {
        match self {
            Self::Accept(accepting) => Some(&accepting.draft),
            Self::Progress { draft, .. }
            | Self::Done { draft, .. }
            | Self::Void { draft, .. }
            | Self::Copy { draft, .. }
            | Self::Mark { draft } => Some(draft),
            Self::Flush(_) => None,
        }
    }

    pub(super) fn draft_mut(&mut self) -> Option<&mut Draft> {
        match self {
            Self::Accept(accepting) => Some(&mut accepting.draft),
            Self::Progress { draft, .. }
            | Self::Done { draft, .. }
            | Self::Void { draft, .. }
            | Self::Copy { draft, .. }
            | Self::Mark { draft } => Some(draft),
            Self::Flush(_) => None,
        }
    }

    /// Octets in the log.
    pub(super) fn record_len(&self) -> u64 {
        self.draft().map_or(0, Draft::record_len)
    }

    /// True when somebody waits until it is durable.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self, Self::Accept(_) | Self::Copy { .. } | Self::Flush(_))
    }
}

impl Shared {
    /// Lets a message of so many octets in, or says why not. Its octets count until [`Self::settle`].
    pub(super) fn admit(&self, bytes: u64) -> Result<(), SpoolError> {
        self.has_room(bytes)?;
        let mut jobs = lock(&self.jobs);
        if jobs.closing {
            return Err(SpoolError::Closed);
        }
        // One message always may, however large.
        if jobs.waiting_bytes > 0 && jobs.waiting_bytes + bytes > self.options.max_waiting_bytes {
            return Err(SpoolError::Busy);
        }
        jobs.waiting_bytes += bytes;
        Ok(())
    }

    /// Whether a message of so many octets could be kept now.
    pub(super) fn has_room(&self, bytes: u64) -> Result<(), SpoolError> {
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(SpoolError::Poisoned);
        }
        if lock(&self.stock).scarce {
            return Err(SpoolError::Full);
        }
        if bytes > self.options.inline_limit as u64 && !self.may_grow(bytes) {
            return Err(SpoolError::Full);
        }
        Ok(())
    }

    /// Whether so many octets more stay inside the spool's budget and leave enough to others.
    pub(super) fn may_grow(&self, bytes: u64) -> bool {
        let used = {
            let ledger = lock(&self.ledger);
            ledger.segment_bytes() + ledger.blob_bytes()
        };
        let spare = lock(&self.stock).files() as u64 * self.options.segment_bytes;
        let free = self.disk.free_bytes().unwrap_or(0);
        used.saturating_add(spare).saturating_add(bytes) <= self.options.max_bytes
            && self.options.min_free_bytes.saturating_add(bytes) <= free
    }

    /// Tells everybody who waits for a message what became of it.
    pub(super) fn settle(&self, accepting: Accepting, end: Result<(), SpoolError>) {
        let end = end.map(|()| accepting.id);
        {
            let mut jobs = lock(&self.jobs);
            jobs.waiting_bytes = jobs.waiting_bytes.saturating_sub(accepting.content_len);
        }
        match end {
            Ok(_) => self.metrics.accepted.inc(),
            Err(error) => self.count_refused(error),
        }
        if let Some(transaction) = accepting.transaction {
            lock(&self.transactions).settle(transaction, end, self.clock.now_monotonic());
        }
        // A caller who went away has been told nothing, and the message stays ours.
        let _ = accepting.reply.send(end);
    }

    pub(super) fn count_refused(&self, error: SpoolError) {
        let reason = match error {
            SpoolError::Failed(_) => "failed",
            SpoolError::Poisoned => "poisoned",
            SpoolError::Full => "full",
            SpoolError::Busy => "busy",
            SpoolError::TooLarge => "too_large",
            SpoolError::Closed => "closed",
            SpoolError::Unknown => "unknown",
            SpoolError::Damaged => "damaged",
        };
        self.metrics.refused.with_label_values(&[reason]).inc();
    }

    /// Hands a job to the committing thread; gives it back when the spool is closed.
    pub(super) fn push(&self, job: Job) -> Result<(), Job> {
        {
            let mut jobs = lock(&self.jobs);
            if jobs.closing {
                return Err(job);
            }
            jobs.queue.push_back(job);
        }
        self.work.notify_one();
        Ok(())
    }

    /// Has the tidying thread look at the stock.
    pub(super) fn stir(&self) {
        lock(&self.stock).stirred = true;
        self.stirred.notify_all();
    }

    /// Takes away the file of a message whose end is durable.
    pub(super) fn unlink_blob(&self, id: QueueId) {
        if let Err(error) = self.disk.unlink(Place::Blob, &id.to_string()) {
            // It is found as an orphan at the next start.
            tracing::warn!(queue_id = %id, %error, "content of a finished message stays on disk");
        }
    }
}

/// Locks; a thread that died under a lock leaves no half-made state here worth refusing all mail for.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
