//! The thread that writes large contents, each to a file of its own, so that nobody's small message waits for
//! somebody's large one. The accept record follows when file and name are durable; a file without a record is
//! an orphan, and is removed at the next start.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use bytes::Bytes;

use super::codec;
use super::disk::{Disk, Place, read_full, write_all};
use super::id::QueueId;
use super::message::NewMessage;
use super::options::SpoolError;
use super::record::{Draft, FRAME, Kind};
use super::shared::{Accepting, Job, Shared};

/// A message whose content is to be written first.
#[derive(Debug)]
pub(super) struct Large {
    pub message: NewMessage,
    /// Its draft has no payload yet.
    pub accepting: Accepting,
}

/// Runs until the last sender is gone.
pub(super) fn run(shared: &Arc<Shared>, jobs: &Receiver<Large>) {
    while let Ok(large) = jobs.recv() {
        take(shared, large);
    }
}

fn take(shared: &Shared, large: Large) {
    let Large { message, mut accepting } = large;
    let id = accepting.id;
    if let Err(error) = write(&*shared.disk, id, &message) {
        tracing::error!(queue_id = %id, %error, "spool: cannot write a large content");
        let end = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::Full,
            kind => SpoolError::Failed(kind),
        };
        return shared.settle(accepting, Err(end));
    }
    let sum = crc32c::crc32c_append(crc32c::crc32c(&message.content.added), &message.content.wire);
    let Some(head) = codec::write_accept(&message, Some(sum)) else {
        shared.unlink_blob(id);
        return shared.settle(accepting, Err(SpoolError::TooLarge));
    };
    accepting.draft = Draft::new(Kind::Accept, id, head, Bytes::new());
    accepting.blob = Some(accepting.content_len);
    if !shared.fits_a_segment(&accepting.draft) {
        shared.unlink_blob(id);
        return shared.settle(accepting, Err(SpoolError::TooLarge));
    }
    if let Err(Job::Accept(accepting)) = shared.push(Job::Accept(accepting)) {
        shared.unlink_blob(id);
        shared.settle(accepting, Err(SpoolError::Closed));
    }
}

/// File, content and name, all durable when it returns; nothing is left of it when it fails.
fn write(disk: &dyn Disk, id: QueueId, message: &NewMessage) -> io::Result<()> {
    let name = id.to_string();
    let file = disk.create(Place::Blob, &name)?;
    let content = &message.content;
    let mut slices = [IoSlice::new(&content.added), IoSlice::new(&content.wire)];
    let written = write_all(&*file, &mut slices, 0)
        .and_then(|()| file.fdatasync())
        .and_then(|()| disk.sync_folder(Place::Blob));
    if written.is_err() {
        // What stays behind is an orphan.
        let _ = disk.unlink(Place::Blob, &name);
    }
    written
}

/// Reads a content back and checks it.
pub(super) fn read(disk: &dyn Disk, id: QueueId, length: u64, sum: u32) -> Result<Bytes, SpoolError> {
    let failed = |error: io::Error| SpoolError::Failed(error.kind());
    let file = disk.open(Place::Blob, &id.to_string()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SpoolError::Damaged,
        kind => SpoolError::Failed(kind),
    })?;
    if file.size().map_err(failed)? != length {
        return Err(SpoolError::Damaged);
    }
    let mut octets = vec![0; usize::try_from(length).map_err(|_| SpoolError::Damaged)?];
    let filled = read_full(&*file, &mut octets, 0).map_err(failed)?;
    if filled as u64 != length || crc32c::crc32c(&octets) != sum {
        return Err(SpoolError::Damaged);
    }
    Ok(octets.into())
}

/// A draft that stands for one to come.
pub(super) fn no_draft(id: QueueId) -> Draft {
    Draft::new(Kind::Accept, id, vec![0; FRAME], Bytes::new())
}
