//! The errand by which the committing thread empties a segment with little left in it: its live records are
//! copied to the head a megabyte at a time, beside the messages that come.

use std::collections::VecDeque;
use std::sync::Arc;

use super::commit::Committer;
use super::id::QueueId;
use super::ledger::Location;
use super::read::{self, ReadError};
use super::record::{Draft, FRAME};
use super::shared::{Job, lock};

/// Octets copied at a time.
const ERRAND_BYTES: u64 = 1 << 20;

/// What is still to be copied out of a segment.
#[derive(Debug)]
pub(super) struct Errand {
    segment: u64,
    records: VecDeque<(QueueId, Location)>,
}

impl Committer {
    /// Looks whether a segment is worth emptying, and queues the next copies before everything else.
    ///
    /// Nothing may be written and not in the ledger yet: a copy must not come after a newer state of the same
    /// message.
    pub(super) fn run_errand(&mut self) {
        if !self.nothing_unsynced() {
            return;
        }
        if self.errand.is_none() {
            self.errand = self.new_errand();
        }
        let Some(mut errand) = self.errand.take() else { return };
        let mut copies = Vec::new();
        let mut bytes = 0;
        while bytes < ERRAND_BYTES {
            let Some((id, from)) = errand.records.pop_front() else { break };
            match self.copy_of(id, from) {
                Ok(Some(job)) => {
                    bytes += job.record_len();
                    copies.push(job);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(queue_id = %id, segment = from.segment, %error, "spool: cannot copy a record");
                    lock(&self.shared.ledger).pin(errand.segment);
                    self.errand = None;
                    break;
                }
            }
        }
        copies.into_iter().rev().for_each(|job| self.pending.push_front(job));
        if !errand.records.is_empty() {
            self.errand = Some(errand);
        }
    }

    fn new_errand(&self) -> Option<Errand> {
        let ledger = lock(&self.shared.ledger);
        if ledger.segment_bytes() <= self.shared.options.compact_above_bytes {
            return None;
        }
        let segment = ledger.victim()?;
        Some(Errand { segment, records: ledger.residents(segment).into() })
    }

    /// The record as it is to be written elsewhere; `None` if no message needs it any more.
    pub(super) fn copy_of(&self, id: QueueId, from: Location) -> Result<Option<Job>, ReadError> {
        let (file, epoch) = {
            let ledger = lock(&self.shared.ledger);
            let needed =
                ledger.entry(id).is_some_and(|entry| entry.accept == from || entry.progress == Some(from));
            match ledger.segment(from.segment) {
                Some(segment) if needed => (Arc::clone(&segment.file), segment.epoch),
                _ => return Ok(None),
            }
        };
        let (frame, payload) = read::record(&*file, epoch, from)?;
        let head = vec![0; FRAME];
        Ok(Some(Job::Copy { id, from, draft: Draft::new(frame.kind, id, head, payload) }))
    }
}
