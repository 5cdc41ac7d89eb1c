//! The file layer under the spool: few calls, each of which can fail, so that a test twin can stand in which
//! forgets what was not synced, tears writes and fails at will.

mod folder;
#[cfg(test)]
pub(super) mod twin;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::sync::Arc;

pub use folder::Folder;

/// The folders of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Segments, live and spare.
    Log,
    /// Large contents, one file each.
    Blob,
    /// What could not be read, kept for people.
    Corrupt,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Log, Self::Blob, Self::Corrupt];

    /// The folder's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Blob => "blob",
            Self::Corrupt => "corrupt",
        }
    }
}

/// Files by place and name. A name is one path component of our own making.
pub trait Disk: Debug + Send + Sync {
    /// Names of the files there, in no order.
    fn list(&self, place: Place) -> io::Result<Vec<String>>;

    /// A new file, which must not exist yet (`O_EXCL`, `O_NOFOLLOW`).
    fn create(&self, place: Place, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// A file that exists: regular, ours, with one name (`O_NOFOLLOW`, `fstat`).
    fn open(&self, place: Place, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name in the same place.
    fn rename(&self, place: Place, from: &str, to: &str) -> io::Result<()>;

    /// Takes a name away.
    fn unlink(&self, place: Place, name: &str) -> io::Result<()>;

    /// Makes names durable: what was created, renamed and unlinked there.
    fn sync_folder(&self, place: Place) -> io::Result<()>;

    /// Octets that we may still write to this file system.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// One open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Writes at a place; may write less than all.
    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Reads from a place; 0 is the end of the file.
    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes the content durable. After an error, nothing is known and a second call would lie.
    fn fdatasync(&self) -> io::Result<()>;

    /// Octets in it.
    fn size(&self) -> io::Result<u64>;
}

/// Writes all of the slices, in as few calls as the system lets us.
pub(super) fn write_all(
    file: &dyn DiskFile,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let call = &slices[..slices.len().min(MOST_SLICES)];
        match file.pwritev(call, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills the buffer from `offset`, or says how far the file went.
pub(super) fn read_full(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.pread(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Linux's `IOV_MAX`.
const MOST_SLICES: usize = 1024;
