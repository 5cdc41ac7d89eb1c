//! What the operator may set, and why the spool may say no.

use std::io;
use std::path::{Path, PathBuf};

/// How a spool is to be kept.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// Ours alone; made if it is not there.
    pub folder: PathBuf,
    /// Octets of one segment, zero-filled once. At most an eighth of `max_bytes` and 1 GiB, at least 64 KiB.
    pub segment_bytes: u64,
    /// Octets that the whole spool may take: segments (spare ones too) and large contents.
    pub max_bytes: u64,
    /// Octets of the file system that are left to others.
    pub min_free_bytes: u64,
    /// Contents up to this many octets stand in the log itself; larger ones get a file of their own.
    pub inline_limit: usize,
    /// Octets of messages that may wait for the disk at one time.
    pub max_waiting_bytes: u64,
    /// Segments kept back for records of progress, so that a full disk does not make us deliver twice.
    pub reserve_segments: usize,
    /// Above this many octets of segments, those with little in them are emptied.
    pub compact_above_bytes: u64,
    /// Transactions remembered, so that a repeated hand-over is known.
    pub remembered_transactions: usize,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("/var/spool/switchyard"),
            segment_bytes: 64 << 20,
            max_bytes: 16 << 30,
            min_free_bytes: 256 << 20,
            inline_limit: 256 << 10,
            max_waiting_bytes: 512 << 20,
            reserve_segments: 2,
            compact_above_bytes: 512 << 20,
            remembered_transactions: 1 << 18,
        }
    }
}

impl SpoolOptions {
    /// These options with every number inside its bounds.
    pub(super) fn bounded(&self) -> Self {
        let segment_bytes =
            self.segment_bytes.min(self.max_bytes / 8).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT);
        // An envelope of some thousand recipients must fit beside the content.
        let inline_limit = self.inline_limit.min(segment_bytes as usize / 2);
        Self { segment_bytes: segment_bytes & !0xfff, inline_limit, ..self.clone() }
    }
}

const SMALLEST_SEGMENT: u64 = 64 << 10;
const LARGEST_SEGMENT: u64 = 1 << 30;

// ---------------------------------------------------------------------------------------------------------

/// Why a spool could not be opened. The text tells the operator what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else could change what is in it (H1, H2).
    #[error("{}: {complaint}; to use it as a spool, {remedy}", path.display())]
    Unsafe {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong.
        complaint: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Another process has it (H5).
    #[error("{}: another process uses this spool; stop it, or name another folder", folder.display())]
    InUse {
        /// The spool.
        folder: PathBuf,
    },
    /// The system said no.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What was found could not be made durable again.
    #[error("the spool's disk does not take writes: {0}")]
    Refused(SpoolError),
}

impl OpenError {
    pub(super) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
}

/// Why the spool did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// The disk failed under this message, which is not ours: 451 4.3.0.
    #[error("the disk failed: {0}")]
    Failed(io::ErrorKind),
    /// The disk failed several times running; nothing is taken until it works again: 452 4.3.0.
    #[error("the disk keeps failing")]
    Poisoned,
    /// No room, by the spool's budget or the file system's: 452 4.3.1.
    #[error("no room")]
    Full,
    /// More waits for the disk than may: 451 4.3.2.
    #[error("too much waits for the disk")]
    Busy,
    /// An envelope larger than a segment: 552 5.3.4.
    #[error("the envelope does not fit")]
    TooLarge,
    /// The spool is closed: 421 4.3.2.
    #[error("the spool is closed")]
    Closed,
    /// No such message.
    #[error("no such message")]
    Unknown,
    /// The message's octets are not those that were written.
    #[error("the message is damaged on disk")]
    Damaged,
}
