//! When the disk fails: the segment is given up, who waits is told, and the rest is kept for the next one.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Committer, MOST_PENDING, PROBE, Placed, STRIKES};
use crate::spool::options::SpoolError;
use crate::spool::record::{Draft, Kind};
use crate::spool::shared::{Job, lock};

impl Committer {
    /// Gives the head up after an error: nothing is ever written or synced there again.
    pub(super) fn poison(&mut self, error: &io::Error) {
        let Some(head) = self.head.take() else { return };
        self.strikes += 1;
        self.shared.metrics.failures.inc();
        tracing::error!(segment = head.sequence, strikes = self.strikes, %error,
            "spool: the disk failed; the segment is given up and what was not acknowledged is refused");
        self.before = Some((head.sequence, head.proven));
        lock(&self.shared.ledger).given_up(head.sequence);
        self.errand = None;
        self.unsynced_since = None;
        let refused = SpoolError::Failed(error.kind());
        let mut again = VecDeque::new();
        for Placed { job, .. } in self.unsynced.drain(..) {
            match job {
                Job::Accept(accepting) => {
                    let id = accepting.id;
                    again.push_back(Job::Void {
                        id,
                        segment: head.sequence,
                        blob: accepting.blob.is_some(),
                        draft: Draft::bare(Kind::Void, id),
                    });
                    self.shared.settle(accepting, Err(refused));
                }
                Job::Flush(reply) => drop(reply.send(Err(refused))),
                Job::Progress { .. } | Job::Done { .. } | Job::Void { .. } => again.push_back(job),
                // A copy's original is where it was; a new segment gets a new mark.
                Job::Copy { .. } | Job::Mark { .. } => {}
            }
        }
        again.append(&mut self.pending);
        again.retain(|job| !matches!(job, Job::Copy { .. } | Job::Mark { .. }));
        self.pending = again;
        if self.strikes >= STRIKES {
            if !self.shared.poisoned.swap(true, Ordering::Relaxed) {
                tracing::error!("spool: the disk keeps failing; no mail is taken until it works again");
            }
            self.shared.metrics.poisoned.set(1);
            self.stalled_until = Some(Instant::now() + PROBE);
        }
        self.shared.stir();
    }

    pub(super) fn recovered_from_errors(&mut self) {
        self.strikes = 0;
        if self.shared.poisoned.swap(false, Ordering::Relaxed) {
            self.shared.metrics.poisoned.set(0);
            tracing::warn!("spool: the disk works again; mail is taken");
        }
    }

    pub(super) fn poisoned(&self) -> bool {
        self.shared.poisoned.load(Ordering::Relaxed)
    }

    /// Nothing can be written for a while: who waits hears so now, the rest is kept.
    pub(super) fn refuse_awaited(&mut self) {
        let error = if self.poisoned() { SpoolError::Poisoned } else { SpoolError::Full };
        let mut kept = VecDeque::new();
        for job in self.pending.drain(..) {
            match job {
                Job::Accept(accepting) => {
                    if accepting.blob.is_some() {
                        lock(&self.shared.stock).doomed_blobs.push(accepting.id);
                    }
                    self.shared.settle(accepting, Err(error));
                }
                Job::Flush(reply) => drop(reply.send(Err(error))),
                Job::Copy { .. } => {}
                _ => kept.push_back(job),
            }
        }
        let over = kept.len().saturating_sub(MOST_PENDING);
        kept.drain(..over);
        self.shared.metrics.unrecorded.inc_by(over as u64);
        self.pending = kept;
    }

    /// At the end: what could not be written is said, once.
    pub(super) fn pending_is_lost(&mut self) {
        self.refuse_awaited();
        let lost = self.pending.len() + self.unsynced.iter().filter(|placed| !placed.is_mark()).count();
        if lost > 0 {
            self.shared.metrics.unrecorded.inc_by(lost as u64);
            tracing::error!(records = lost, "spool: progress could not be written; some mail may come twice");
        }
    }
}
