//! What is where: each live message's records, and what each segment still holds. Pure bookkeeping, no I/O.
//!
//! A segment may be used anew when no live message has a record in it, and when every older segment has gone
//! whose records only it takes back: were it overwritten first, a crash would bring a message back that was
//! delivered long ago.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::disk::DiskFile;
use super::id::QueueId;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub segment: u64,
    pub offset: u32,
    pub length: u32,
}

/// One live message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub accept: Location,
    /// The latest one, which tells all.
    pub progress: Option<Location>,
    /// Octets in a file of its own.
    pub blob: Option<u64>,
}

/// One segment in the log.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub file: Arc<dyn DiskFile>,
    pub epoch: u64,
    pub capacity: u64,
    /// Records that a live message needs.
    live: u64,
    live_bytes: u64,
    /// Older segments that must go before this one.
    after: BTreeSet<u64>,
    /// Holds something that could not be read and could not be put aside either.
    pub pinned: bool,
    /// Something in it is durable.
    proven: bool,
    /// The disk failed there: it is never written again, not even as a spare.
    failed: bool,
}

impl Segment {
    pub(super) fn new(file: Arc<dyn DiskFile>, epoch: u64, capacity: u64) -> Self {
        Self {
            file,
            epoch,
            capacity,
            live: 0,
            live_bytes: 0,
            after: BTreeSet::new(),
            pinned: false,
            proven: false,
            failed: false,
        }
    }
}

/// What becomes of a segment that nothing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterlife {
    /// It becomes a spare.
    Reused,
    /// The disk failed there, so it is not used again.
    Removed,
}

/// All live messages and all segments in the log.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<QueueId, Entry>,
    segments: BTreeMap<u64, Segment>,
    blob_bytes: u64,
    /// The newest segment with something durable in it: older ones may go.
    newest_proven: u64,
}

impl Ledger {
    pub(super) fn entry(&self, id: QueueId) -> Option<Entry> {
        self.entries.get(&id).copied()
    }

    pub(super) fn messages(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn blob_bytes(&self) -> u64 {
        self.blob_bytes
    }

    pub(super) fn segment(&self, sequence: u64) -> Option<&Segment> {
        self.segments.get(&sequence)
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.capacity).sum()
    }

    pub(super) fn live_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.live_bytes).sum()
    }

    pub(super) fn opened(&mut self, sequence: u64, segment: Segment) {
        self.segments.insert(sequence, segment);
    }

    /// Something in this segment is durable, the mark at its start among it.
    pub(super) fn proven(&mut self, sequence: u64) {
        self.newest_proven = self.newest_proven.max(sequence);
        if let Some(segment) = self.segments.get_mut(&sequence) {
            segment.proven = true;
        }
    }

    /// The disk failed in this segment.
    pub(super) fn given_up(&mut self, sequence: u64) {
        if let Some(segment) = self.segments.get_mut(&sequence) {
            segment.failed = true;
        }
    }

    pub(super) fn pin(&mut self, sequence: u64) {
        if let Some(segment) = self.segments.get_mut(&sequence) {
            segment.pinned = true;
        }
    }

    /// A message is ours.
    pub(super) fn accepted(&mut self, id: QueueId, accept: Location, blob: Option<u64>) {
        self.add(accept);
        self.blob_bytes += blob.unwrap_or(0);
        let entry = Entry { accept, progress: None, blob };
        if let Some(old) = self.entries.insert(id, entry) {
            self.release(old);
        }
    }

    /// There is a newer progress record.
    pub(super) fn progressed(&mut self, id: QueueId, progress: Location) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let old = entry.progress.replace(progress);
        self.add(progress);
        if let Some(old) = old {
            self.remove(old);
        }
    }

    /// A record was copied out of its segment, and the copy is durable.
    pub(super) fn moved(&mut self, id: QueueId, from: Location, to: Location) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.accept == from {
            entry.accept = to;
        } else if entry.progress == Some(from) {
            entry.progress = Some(to);
        } else {
            return;
        }
        self.add(to);
        self.remove(from);
        self.must_outlive(to.segment, from.segment);
    }

    /// Nothing is left to do for a message, says a record in `segment`.
    pub(super) fn finished(&mut self, id: QueueId, segment: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.release(entry);
        self.must_outlive(segment, entry.accept.segment);
        Some(entry)
    }

    /// `later` takes back what `earlier` says, so it must not go before it.
    pub(super) fn must_outlive(&mut self, later: u64, earlier: u64) {
        if later == earlier || !self.segments.contains_key(&earlier) {
            return;
        }
        if let Some(segment) = self.segments.get_mut(&later) {
            segment.after.insert(earlier);
        }
    }

    /// Segments that may go, the oldest first. One that is durable waits until a newer one is, whose mark
    /// then keeps the ids from coming again.
    pub(super) fn dead(&self) -> impl Iterator<Item = (u64, Afterlife)> {
        let gone = |(sequence, segment): (&u64, &Segment)| {
            let replaced = *sequence < self.newest_proven || (segment.failed && !segment.proven);
            let afterlife = if segment.failed { Afterlife::Removed } else { Afterlife::Reused };
            (replaced && segment.is_dead()).then_some((*sequence, afterlife))
        };
        self.segments.iter().filter_map(gone)
    }

    /// A segment is gone from the log, and the disk knows.
    pub(super) fn retired(&mut self, sequence: u64) {
        self.segments.remove(&sequence);
        for segment in self.segments.values_mut() {
            segment.after.remove(&sequence);
        }
    }

    /// The segment worth emptying: of those less than a quarter live, the one with the least in it.
    pub(super) fn victim(&self) -> Option<u64> {
        let older = self.segments.range(..self.newest_proven);
        older
            .filter(|(_, segment)| {
                segment.live > 0 && !segment.pinned && segment.live_bytes * 4 < segment.capacity
            })
            .min_by_key(|(_, segment)| segment.live_bytes)
            .map(|(sequence, _)| *sequence)
    }

    /// Live messages with a record in this segment, with that record: what must be copied out of it.
    pub(super) fn residents(&self, sequence: u64) -> Vec<(QueueId, Location)> {
        let records = |(id, entry): (&QueueId, &Entry)| {
            let both = [Some(entry.accept), entry.progress];
            both.map(|place| place.filter(|at| at.segment == sequence).map(|at| (*id, at)))
        };
        self.entries.iter().flat_map(records).flatten().collect()
    }

    fn release(&mut self, entry: Entry) {
        self.remove(entry.accept);
        if let Some(progress) = entry.progress {
            self.remove(progress);
        }
        self.blob_bytes -= entry.blob.unwrap_or(0);
    }

    fn add(&mut self, record: Location) {
        if let Some(segment) = self.segments.get_mut(&record.segment) {
            segment.live += 1;
            segment.live_bytes += u64::from(record.length);
        }
    }

    fn remove(&mut self, record: Location) {
        if let Some(segment) = self.segments.get_mut(&record.segment) {
            segment.live -= 1;
            segment.live_bytes -= u64::from(record.length);
        }
    }
}

impl Segment {
    fn is_dead(&self) -> bool {
        self.live == 0 && self.after.is_empty() && !self.pinned
    }
}
