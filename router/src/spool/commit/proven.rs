//! What a sync has made durable: entered into the ledger, then acknowledged.

use super::{Committer, Placed};
use crate::spool::shared::{Job, lock};

impl Committer {
    /// Enters what is durable into the ledger, then acknowledges it.
    pub(super) fn apply(&mut self) {
        self.unsynced_since = None;
        let mut finished_blobs = Vec::new();
        let mut stir = false;
        {
            let mut ledger = lock(&self.shared.ledger);
            for Placed { job, at } in &self.unsynced {
                ledger.proven(at.segment);
                match job {
                    Job::Accept(accepting) => ledger.accepted(accepting.id, *at, accepting.blob),
                    Job::Progress { id, .. } => ledger.progressed(*id, *at),
                    Job::Copy { id, from, .. } => ledger.moved(*id, *from, *at),
                    Job::Void { id, segment, blob, .. } => {
                        ledger.must_outlive(at.segment, *segment);
                        finished_blobs.extend(blob.then_some(*id));
                    }
                    Job::Done { id, .. } => {
                        let entry = ledger.finished(*id, at.segment);
                        finished_blobs.extend(entry.filter(|entry| entry.blob.is_some()).map(|_| *id));
                    }
                    Job::Mark { .. } | Job::Flush(_) => {}
                }
            }
            stir |= ledger.dead().next().is_some();
            self.shared.metrics.messages.set(i64::try_from(ledger.messages()).unwrap_or(i64::MAX));
        }
        for Placed { job, .. } in self.unsynced.drain(..) {
            match job {
                Job::Accept(accepting) => self.shared.settle(accepting, Ok(())),
                Job::Copy { .. } => self.shared.metrics.copied.inc(),
                // Who no longer waits for a flush has no use for its end.
                Job::Flush(reply) => drop(reply.send(Ok(()))),
                Job::Progress { .. } | Job::Done { .. } | Job::Void { .. } | Job::Mark { .. } => {}
            }
        }
        if stir || !finished_blobs.is_empty() {
            lock(&self.shared.stock).doomed_blobs.extend(finished_blobs);
            self.shared.stir();
        }
    }
}
