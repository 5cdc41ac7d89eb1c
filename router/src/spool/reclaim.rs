//! The tidying thread: sees that an empty segment is always ready, that spare ones are kept back, and that
//! what nothing needs any more is used anew or removed. It is the only one that makes, renames and removes
//! files of the log, so that no message waits for that.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::disk::Place;
use super::id::QueueId;
use super::ledger::Afterlife;
use super::segment::{Prepared, Spare, create_spare, log_name, prepare, spare_name};
use super::shared::{Shared, lock};

/// How soon a full or failing disk is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Segments without a message in them.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// Named, durable, and next to be written to.
    ready: Option<Prepared>,
    spares: Vec<Spare>,
    /// The sequence that the next segment gets.
    pub next_sequence: u64,
    /// The number that the next spare file gets.
    pub next_spare: u64,
    /// Fewer spares than the reserve, and no room for more: no message is taken.
    pub scarce: bool,
    /// No segment could be made ready; cleared by the next one.
    trouble: bool,
    /// There is something to look at.
    pub stirred: bool,
    /// Contents whose messages are finished.
    pub doomed_blobs: Vec<QueueId>,
    closing: bool,
}

impl Stock {
    pub(super) fn new(next_sequence: u64, next_spare: u64, spares: Vec<Spare>) -> Self {
        Self { spares, next_sequence, next_spare, stirred: true, ..Self::default() }
    }

    /// Files that are not in the ledger.
    pub(super) fn files(&self) -> usize {
        self.spares.len() + usize::from(self.ready.is_some())
    }

    /// True when the tidying thread has nothing to do.
    #[cfg(test)]
    pub(super) fn is_tidy(&self, reserve: usize) -> bool {
        self.ready.is_some() && self.spares.len() >= reserve && !self.stirred && self.doomed_blobs.is_empty()
    }

    fn new_spare_number(&mut self) -> u64 {
        self.next_spare += 1;
        self.next_spare
    }
}

/// Runs until the spool is closed.
pub(super) fn run(shared: &Shared) {
    while wait(shared) {
        tidy(shared);
    }
    unlink_blobs(shared);
}

fn wait(shared: &Shared) -> bool {
    let mut stock = lock(&shared.stock);
    while !stock.stirred && !stock.closing {
        if stock.trouble || stock.scarce {
            let (again, timeout) =
                shared.stirred.wait_timeout(stock, RETRY).unwrap_or_else(PoisonError::into_inner);
            stock = again;
            if timeout.timed_out() {
                break;
            }
        } else {
            stock = shared.stirred.wait(stock).unwrap_or_else(PoisonError::into_inner);
        }
    }
    stock.stirred = false;
    !stock.closing
}

/// One round of tidying.
pub(super) fn tidy(shared: &Shared) {
    unlink_blobs(shared);
    // What goes lets others go, which it had to be outlived by.
    while retire_dead(shared) {}
    let had_trouble = lock(&shared.stock).trouble;
    let filled = fill(shared);
    let mut stock = lock(&shared.stock);
    let scarce = stock.spares.len() < shared.options.reserve_segments;
    if scarce && !stock.scarce {
        tracing::warn!("spool: no room for another segment; no mail is taken until there is");
    }
    stock.scarce = scarce;
    drop(stock);
    // Said once: it is tried again several times a second.
    if let (Err(error), false) = (filled, had_trouble) {
        tracing::warn!(%error, "spool: cannot make a segment ready; it is tried again");
    }
    shared.stirred.notify_all();
    measure(shared);
}

fn unlink_blobs(shared: &Shared) {
    let doomed = std::mem::take(&mut lock(&shared.stock).doomed_blobs);
    doomed.into_iter().for_each(|id| shared.unlink_blob(id));
}

/// Takes dead segments out of the log; `true` if any went.
fn retire_dead(shared: &Shared) -> bool {
    let dead: Vec<_> = lock(&shared.ledger).dead().collect();
    let mut gone = Vec::new();
    for (sequence, afterlife) in dead {
        match retire(shared, sequence, afterlife) {
            Ok(spare) => gone.push((sequence, spare)),
            Err(error) => give_up(shared, sequence, &error),
        }
    }
    if gone.is_empty() {
        return false;
    }
    // Only what is surely gone may be written over, and let go of what it had to outlive.
    let synced = shared.disk.sync_folder(Place::Log);
    for (sequence, spare) in gone {
        match &synced {
            Ok(()) => {
                lock(&shared.ledger).retired(sequence);
                lock(&shared.stock).spares.extend(spare);
            }
            Err(error) => give_up(shared, sequence, error),
        }
    }
    synced.is_ok()
}

/// Renames a dead segment to a spare, or removes it.
fn retire(shared: &Shared, sequence: u64, afterlife: Afterlife) -> io::Result<Option<Spare>> {
    let (file, capacity) = match lock(&shared.ledger).segment(sequence) {
        Some(segment) => (Arc::clone(&segment.file), segment.capacity),
        None => return Ok(None),
    };
    // One more than the reserve: the next to be made ready.
    let wanted = lock(&shared.stock).spares.len() <= shared.options.reserve_segments;
    let fits = capacity == shared.options.segment_bytes;
    if afterlife == Afterlife::Removed || !wanted || !fits {
        shared.disk.unlink(Place::Log, &log_name(sequence))?;
        return Ok(None);
    }
    let name = spare_name(lock(&shared.stock).new_spare_number());
    shared.disk.rename(Place::Log, &log_name(sequence), &name)?;
    Ok(Some(Spare { name, file }))
}

/// Leaves a segment alone until the next start, which finds what became of it.
fn give_up(shared: &Shared, sequence: u64, error: &io::Error) {
    tracing::warn!(segment = sequence, %error, "spool: cannot reuse a segment");
    lock(&shared.ledger).pin(sequence);
}

/// Makes the next segment ready, then fills up the reserve as far as there is room.
fn fill(shared: &Shared) -> io::Result<()> {
    make_ready(shared, Budget::Kept)?;
    while lock(&shared.stock).spares.len() < shared.options.reserve_segments {
        let Some(spare) = new_spare(shared, Budget::Kept)? else { return Ok(()) };
        lock(&shared.stock).spares.push(spare);
    }
    Ok(())
}

/// Whether a segment may only be made where there is room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// Mail waits until there is.
    Kept,
    /// A start needs a segment or two to go on from, else a full spool could never be emptied again.
    Overdrawn,
}

/// Makes the next segment ready, if none is; says in the stock whether that was possible.
pub(super) fn make_ready(shared: &Shared, budget: Budget) -> io::Result<()> {
    if lock(&shared.stock).ready.is_some() {
        return Ok(());
    }
    let made = next_segment(shared, budget);
    let mut stock = lock(&shared.stock);
    stock.trouble = !matches!(made, Ok(Some(_)));
    stock.ready = made?;
    drop(stock);
    shared.stirred.notify_all();
    Ok(())
}

fn next_segment(shared: &Shared, budget: Budget) -> io::Result<Option<Prepared>> {
    let spare = lock(&shared.stock).spares.pop();
    let spare = match spare {
        Some(spare) => Some(spare),
        None => new_spare(shared, budget)?,
    };
    let Some(spare) = spare else { return Ok(None) };
    let sequence = {
        let mut stock = lock(&shared.stock);
        stock.next_sequence += 1;
        stock.next_sequence
    };
    prepare(&*shared.disk, spare, sequence, shared.ids.high_water()).map(Some)
}

/// A new spare file, if it fits into the spool's budget.
fn new_spare(shared: &Shared, budget: Budget) -> io::Result<Option<Spare>> {
    let capacity = shared.options.segment_bytes;
    if budget == Budget::Kept && !shared.may_grow(capacity) {
        return Ok(None);
    }
    let number = lock(&shared.stock).new_spare_number();
    let spare = create_spare(&*shared.disk, number, capacity)?;
    shared.disk.sync_folder(Place::Log)?;
    Ok(Some(spare))
}

fn measure(shared: &Shared) {
    let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let spares = lock(&shared.stock).files() as u64;
    let ledger = lock(&shared.ledger);
    let segments = ledger.segments() as u64;
    let bytes = &shared.metrics.bytes;
    bytes
        .with_label_values(&["segments"])
        .set(gauge(ledger.segment_bytes() + spares * shared.options.segment_bytes));
    bytes.with_label_values(&["live"]).set(gauge(ledger.live_bytes()));
    bytes.with_label_values(&["blobs"]).set(gauge(ledger.blob_bytes()));
    drop(ledger);
    shared.metrics.segments.with_label_values(&["log"]).set(gauge(segments));
    shared.metrics.segments.with_label_values(&["spare"]).set(gauge(spares));
    shared.metrics.full.set(i64::from(lock(&shared.stock).scarce));
}

impl Shared {
    /// The segment that is ready; waits while one is being made so, `None` when none can be.
    pub(super) fn take_ready(&self) -> Option<Prepared> {
        let mut stock = lock(&self.stock);
        loop {
            if let Some(ready) = stock.ready.take() {
                stock.stirred = true;
                drop(stock);
                self.stirred.notify_all();
                return Some(ready);
            }
            if stock.trouble || stock.closing {
                stock.stirred = true;
                self.stirred.notify_all();
                return None;
            }
            stock = self.stirred.wait(stock).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the tidying thread.
    pub(super) fn stop_tidying(&self) {
        lock(&self.stock).closing = true;
        self.stirred.notify_all();
    }
}
