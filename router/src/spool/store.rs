//! The handle: what the rest of the router may ask of the spool.

use std::fmt;
use std::sync::{Arc, Mutex};

use switchyard_daemon::clock::Clock;
use switchyard_smtp::envelope::{Content, TransactionId};
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::Took;
use tokio::sync::oneshot;

use super::blob::{self, Large};
use super::codec::{self, Place as ContentPlace};
use super::disk::Disk;
use super::id::{Ids, QueueId};
use super::message::{NewMessage, Progress};
use super::metrics::SpoolMetrics;
use super::options::{OpenError, SpoolError, SpoolOptions};
use super::reclaim::Stock;
use super::record::{Draft, Kind};
use super::recover::{self, Recovered};
use super::segment::HEADER;
use super::shared::{Accepting, Job, Jobs, Shared, lock};
use super::threads::{Inner, Threads};
use super::transactions::{Begun, Transactions};
use super::{ledger, read};

/// The proof that a message is durable, made nowhere but here: only who holds one may answer 250.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message that was taken must be queued and acknowledged"]
pub struct Receipt {
    id: QueueId,
    repeated: bool,
}

impl Receipt {
    /// The message's id: of a repeated transaction, the id that it got the first time.
    #[must_use]
    pub fn queue_id(&self) -> QueueId {
        self.id
    }

    /// True when the transaction was committed before, so that the message is queued already: acknowledge it
    /// and do nothing else.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }
}

impl Took for Receipt {
    fn reply(&self) -> Reply {
        table::TAKEN.with_text(format!("Ok: queued as {}", self.id))
    }
}

/// A handle on the spool. Clones share it; the last one that goes closes it.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

impl Spool {
    /// Finds what a former life left, makes it durable again, and starts the spool's threads. Nothing may
    /// listen before this returns.
    ///
    /// # Errors
    /// When the disk cannot be read or does not take a write.
    pub fn open(
        options: &SpoolOptions,
        disk: impl Disk + 'static,
        clock: Clock,
        metrics: SpoolMetrics,
    ) -> Result<(Self, Recovered), OpenError> {
        let options = options.bounded();
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let survey = recover::survey(&*disk, &options, &clock)?;
        metrics.corrupt.inc_by(survey.recovered.corrupt);
        metrics.messages.set(i64::try_from(survey.recovered.messages.len()).unwrap_or(i64::MAX));

        let mut transactions = Transactions::new(options.remembered_transactions);
        for (when, transaction, id) in survey.transactions {
            transactions.remember(transaction, id, when);
        }
        let shared = Arc::new(Shared {
            ids: Ids::after(survey.high_water, clock.clone()),
            jobs: Mutex::new(Jobs::default()),
            work: std::sync::Condvar::new(),
            ledger: Mutex::new(survey.ledger),
            stock: Mutex::new(Stock::new(survey.last_sequence, survey.last_spare, survey.spares)),
            stirred: std::sync::Condvar::new(),
            transactions: Mutex::new(transactions),
            poisoned: false.into(),
            options,
            disk,
            clock,
            metrics,
        });
        let committer = recover::secure(&shared, &survey.unproven)?;
        let threads = Threads::start(&shared, committer)
            .map_err(|error| OpenError::io(&shared.options.folder, "start a thread for", error))?;
        let spool = Self(Arc::new(Inner { shared, threads: Mutex::new(Some(threads)) }));
        Ok((spool, survey.recovered))
    }

    /// An id that was never given out before, for a message that comes.
    #[must_use]
    pub fn next_id(&self) -> QueueId {
        self.shared().ids.next()
    }

    /// Whether a message of so many octets could be taken now; ask at MAIL, with 0 when no size is known.
    ///
    /// # Errors
    /// Why not.
    pub fn room(&self, bytes: u64) -> Result<(), SpoolError> {
        let room = self.shared().has_room(bytes);
        if let Err(error) = room {
            self.shared().count_refused(error);
        }
        room
    }

    /// The message that this transaction became, if it was committed in the last quarter of an hour.
    #[must_use]
    pub fn known(&self, transaction: TransactionId) -> Option<QueueId> {
        let now = self.shared().clock.now_monotonic();
        lock(&self.shared().transactions).known(transaction, now)
    }

    /// Takes a message: it is durable when this returns `Ok`, and only then.
    ///
    /// Once begun, it comes to its end even if nobody waits any more: a message whose caller is gone stays in
    /// the spool and is found at the next start. So call this in a task of its own, together with the step
    /// that queues the message.
    ///
    /// # Errors
    /// Why the message is not ours.
    pub async fn accept(&self, id: QueueId, message: &NewMessage) -> Result<Receipt, SpoolError> {
        let shared = self.shared();
        let transaction = message.envelope.sender.transaction;
        if let Some(transaction) = transaction {
            let begun = lock(&shared.transactions).begin(transaction, shared.clock.now_monotonic());
            match begun {
                Begun::New => {}
                Begun::Known(id) => return Ok(Receipt { id, repeated: true }),
                Begun::Shared(end) => {
                    let id = end.await.unwrap_or(Err(SpoolError::Closed))?;
                    return Ok(Receipt { id, repeated: true });
                }
            }
        }
        let (reply, end) = oneshot::channel();
        let content_len = message.content.len() as u64;
        let draft = blob::no_draft(id);
        let accepting = Accepting { id, transaction, draft, content_len, blob: None, reply };
        match shared.admit(content_len) {
            Ok(()) => self.hand_over(accepting, message),
            Err(error) => shared.turn_away(accepting, error),
        }
        let id = end.await.unwrap_or(Err(SpoolError::Closed))?;
        Ok(Receipt { id, repeated: false })
    }

    /// Keeps how far a message has come. Returns at once; the record is written within moments, so that a
    /// killed process forgets nothing, and durable after at most 50 ms. Records of one message stay in order.
    pub fn progress(&self, id: QueueId, progress: &Progress) {
        let head = codec::write_progress(progress);
        let draft = head.map(|head| Draft::new(Kind::Progress, id, head, bytes::Bytes::new()));
        match draft.filter(|draft| self.shared().fits_a_segment(draft)) {
            Some(draft) => self.record(id, Job::Progress { id, draft }),
            None => self.unrecorded(id),
        }
    }

    /// Keeps that nothing is left to do for a message, as [`Spool::progress`] does.
    pub fn done(&self, id: QueueId) {
        self.record(id, Job::Done { id, draft: Draft::bare(Kind::Done, id) });
    }

    /// Reads a message's content back. Blocks: call it where that may be.
    ///
    /// # Errors
    /// When the message is unknown or damaged, or the disk fails.
    pub fn load(&self, id: QueueId) -> Result<Content, SpoolError> {
        let shared = self.shared();
        let mut tried: Option<ledger::Location> = None;
        loop {
            let (at, file, epoch) = {
                let ledger = lock(&shared.ledger);
                let at = ledger.entry(id).ok_or(SpoolError::Unknown)?.accept;
                let segment = ledger.segment(at.segment).ok_or(SpoolError::Unknown)?;
                (at, Arc::clone(&segment.file), segment.epoch)
            };
            let payload = match read::record(&*file, epoch, at) {
                Ok((frame, payload)) if frame.id == id => payload,
                Err(read::ReadError::Io(error)) => return Err(SpoolError::Failed(error.kind())),
                // It may have been copied elsewhere while we read; then it stands there now.
                _ if tried != Some(at) => {
                    tried = Some(at);
                    continue;
                }
                _ => return Err(SpoolError::Damaged),
            };
            let (place, content) = codec::read_content(&payload).map_err(|_| SpoolError::Damaged)?;
            return match place {
                ContentPlace::Inline { .. } => Ok(content),
                ContentPlace::Blob { added, sum, .. } => {
                    let octets = blob::read(&*shared.disk, id, place.content_len(), sum)?;
                    codec::split_content(octets, u64::from(added)).map_err(|_| SpoolError::Damaged)
                }
            };
        }
    }

    /// Waits until everything asked for so far is durable.
    ///
    /// # Errors
    /// When it is not.
    pub async fn flush(&self) -> Result<(), SpoolError> {
        let (reply, end) = oneshot::channel();
        self.shared().push(Job::Flush(reply)).map_err(|_| SpoolError::Closed)?;
        end.await.unwrap_or(Err(SpoolError::Closed))
    }

    /// The orderly end: what was handed over is written and synced, and nothing is taken any more. Blocks.
    pub fn close(&self) {
        self.0.close();
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Gives a message to the thread that writes it.
    fn hand_over(&self, mut accepting: Accepting, message: &NewMessage) {
        let shared = self.shared();
        if message.content.len() > shared.options.inline_limit {
            let large = Large { message: message.clone(), accepting };
            let unsent = match &*lock(&self.0.threads) {
                Some(threads) => threads.large.send(large).err().map(|unsent| unsent.0),
                None => Some(large),
            };
            if let Some(large) = unsent {
                shared.settle(large.accepting, Err(SpoolError::Closed));
            }
            return;
        }
        let draft = codec::write_accept(message, None)
            .map(|head| Draft::new(Kind::Accept, accepting.id, head, message.content.wire.clone()))
            .filter(|draft| shared.fits_a_segment(draft));
        let Some(draft) = draft else { return shared.settle(accepting, Err(SpoolError::TooLarge)) };
        accepting.draft = draft;
        if let Err(Job::Accept(accepting)) = shared.push(Job::Accept(accepting)) {
            shared.settle(accepting, Err(SpoolError::Closed));
        }
    }

    fn record(&self, id: QueueId, job: Job) {
        if self.shared().push(job).is_err() {
            self.unrecorded(id);
        }
    }

    fn unrecorded(&self, id: QueueId) {
        self.shared().metrics.unrecorded.inc();
        tracing::error!(queue_id = %id, "spool: progress could not be written; this mail may come twice");
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Spool").field(&self.0.shared.options.folder).finish()
    }
}

impl Shared {
    /// A record that no segment can hold would wait for ever.
    pub(super) fn fits_a_segment(&self, draft: &Draft) -> bool {
        /// More than a mark takes.
        const FIRST_RECORD: u64 = 64;
        draft.record_len() + u64::from(HEADER) + FIRST_RECORD <= self.options.segment_bytes
    }

    /// Says no before anything was counted.
    fn turn_away(&self, mut accepting: Accepting, error: SpoolError) {
        accepting.content_len = 0;
        self.settle(accepting, Err(error));
    }
}
