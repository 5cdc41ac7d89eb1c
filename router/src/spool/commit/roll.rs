//! From one segment to the next.

use std::sync::Arc;
use std::time::Instant;

use super::{Committer, Head, PROBE, RETRY};
use crate::spool::codec;
use crate::spool::id::QueueId;
use crate::spool::ledger::Segment;
use crate::spool::record::{Draft, Kind};
use crate::spool::segment::HEADER;
use crate::spool::shared::{Job, lock};

impl Committer {
    /// Goes on to a new segment, whose first record will be a mark.
    pub(super) fn roll(&mut self) {
        debug_assert!(self.unsynced.is_empty());
        if self.stalled_until.is_some() {
            return;
        }
        let Some(prepared) = self.shared.take_ready() else {
            self.errand = None;
            self.pending.retain(|job| !matches!(job, Job::Copy { .. }));
            self.stalled_until = Some(Instant::now() + if self.poisoned() { PROBE } else { RETRY });
            return;
        };
        if let Some(head) = self.head.take() {
            self.before = Some((head.sequence, head.proven));
        }
        let segment = Segment::new(Arc::clone(&prepared.file), prepared.epoch, u64::from(prepared.capacity));
        lock(&self.shared.ledger).opened(prepared.sequence, segment);
        self.head = Some(Head {
            sequence: prepared.sequence,
            epoch: prepared.epoch,
            file: prepared.file,
            capacity: prepared.capacity,
            at: HEADER,
            proven: HEADER,
        });
        self.pending.push_front(Job::Mark { draft: self.mark() });
        if self.poisoned() {
            // A probe says at once whether the disk works.
            let batch = self.cut();
            self.write(batch);
            self.sync_or_poison();
        }
    }

    pub(super) fn mark(&self) -> Draft {
        let high_water = QueueId::new(self.shared.ids.high_water()).unwrap_or(QueueId::ZERO);
        Draft::new(Kind::Mark, high_water, codec::write_mark(self.before), bytes::Bytes::new())
    }
}
