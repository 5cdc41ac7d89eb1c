//! What a former life left: read before anything listens.
//!
//! Segments are read in the order of their sequence, each record checked; what is damaged is put aside in
//! `corrupt/` and the rest loads. A record that nothing vouches for (the last batch before a crash) may be in
//! the page cache only, or in a segment whose sync failed: it is copied to a new segment and synced before it
//! counts, so that nobody is told of mail that the next power cut takes away.

mod surveyor;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use switchyard_daemon::clock::Clock;
use switchyard_smtp::envelope::TransactionId;
use tokio::sync::oneshot;

use super::commit::Committer;
use super::disk::{Disk, Place};
use super::id::QueueId;
use super::ledger::{Ledger, Location};
use super::message::StoredMessage;
use super::options::{OpenError, SpoolError, SpoolOptions};
use super::reclaim::{self, Budget};
use super::segment::{Spare, log_name, log_sequence, spare_number};
use super::shared::{Job, Shared};
use surveyor::Surveyor;

/// What was found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Live messages, the oldest first.
    pub messages: Vec<StoredMessage>,
    /// Damaged records, put aside in `corrupt/` of the spool's folder.
    pub corrupt: u64,
    /// Segments whose last record was cut short: nobody was told of it.
    pub torn: u64,
}

/// What was found, for the spool itself too.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub recovered: Recovered,
    pub ledger: Ledger,
    pub high_water: u64,
    pub last_sequence: u64,
    pub last_spare: u64,
    pub spares: Vec<Spare>,
    /// Live records that nothing vouches for.
    pub unproven: Vec<(QueueId, Location)>,
    /// Committed lately, the oldest first.
    pub transactions: Vec<(Instant, TransactionId, QueueId)>,
}

/// Reads all that is there.
pub(super) fn survey(disk: &dyn Disk, options: &SpoolOptions, clock: &Clock) -> Result<Survey, OpenError> {
    let failed = |name: &str| {
        let path = options.folder.join(Place::Log.name()).join(name);
        move |error: io::Error| OpenError::io(&path, "read", error)
    };
    let mut surveyor = Surveyor::new(disk);
    let mut files = BTreeMap::new();
    for name in disk.list(Place::Log).map_err(failed(""))? {
        if let Some(sequence) = log_sequence(&name) {
            files.insert(sequence, disk.open(Place::Log, &name).map_err(failed(&name))?);
        } else if let Some(number) = spare_number(&name) {
            surveyor.spare(name.clone(), number, options).map_err(failed(&name))?;
        } else {
            tracing::warn!(name, "spool: a file that is not ours is in the log's folder");
        }
    }
    let segments = surveyor.open_segments(&files).map_err(failed(""))?;
    for (sequence, vouched) in segments {
        surveyor.scan(sequence, vouched).map_err(failed(&log_name(sequence)))?;
    }
    surveyor.check_blobs(options)?;
    let mut survey = surveyor.finish(clock);
    survey.last_sequence = files.keys().next_back().copied().unwrap_or(0);
    Ok(survey)
}

/// Makes durable what nothing vouched for, and gives the thread that goes on from there.
pub(super) fn secure(shared: &Arc<Shared>, unproven: &[(QueueId, Location)]) -> Result<Committer, OpenError> {
    let ready = || {
        reclaim::make_ready(shared, Budget::Overdrawn)
            .map_err(|error| OpenError::io(&shared.options.folder, "make a segment in", error))
    };
    ready()?;
    let mut committer = Committer::new(Arc::clone(shared));
    // Small enough for the head and the one segment that is ready after it.
    let batch_bytes = shared.options.segment_bytes / 4;
    let mut bytes = 0;
    for (id, from) in unproven {
        let copy = committer.copy_of(*id, *from).map_err(|error| {
            OpenError::io(&shared.options.folder, "read back from", io::Error::other(error))
        })?;
        bytes += u64::from(from.length);
        committer.pending.extend(copy);
        if bytes >= batch_bytes {
            bytes = 0;
            ready()?;
            committer.step();
        }
    }
    ready()?;
    let (reply, mut end) = oneshot::channel();
    committer.pending.push_back(Job::Flush(reply));
    committer.step();
    end.try_recv().unwrap_or(Err(SpoolError::Closed)).map_err(OpenError::Refused)?;
    committer.prove();
    Ok(committer)
}
