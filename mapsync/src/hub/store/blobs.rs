//! Files by the hash of what they hold: written aside, looked at, made durable, and only then there.
//!
//! `files/ab/blake3-ab…` is whole from the moment it has its name; `incoming/` holds what is on its way and is
//! emptied at a start. What is there is never changed, so a second upload of the same is none. What nobody names any
//! more goes by `sweep`.

mod sweep;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use switchyard_mapsync_protocol::hash::Hash;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

/// The folder of files.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    /// Of all files, and of what has come of those on their way.
    octets: Arc<AtomicU64>,
    /// Held while a file is said to be wanted, or goes because none said so.
    sweeping: Mutex<()>,
}

/// A file that is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// Longer than may be.
    #[error("longer than the {0} octets that a file may have here (`limits.blob_size`)")]
    TooLong(u64),
    /// There is no room under the bound.
    #[error("the store is full: {0} octets are what it may hold (`limits.store_size`)")]
    Full(u64),
    /// It holds something else.
    #[error("what came is {have}, and not {want}")]
    Hash {
        /// What it was to be.
        want: Hash,
        /// What it is.
        have: Hash,
    },
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Blobs {
    /// Opens or makes the folder, and counts what is there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let incoming = folder.join("incoming");
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        fs::create_dir_all(&incoming)?;
        fs::create_dir_all(folder.join("files"))?;
        let mut octets = 0;
        for shelf in fs::read_dir(folder.join("files"))? {
            for file in fs::read_dir(shelf?.path())? {
                octets += file?.metadata()?.len();
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            octets: Arc::new(AtomicU64::new(octets)),
            sweeping: Mutex::default(),
        })
    }

    /// Octets of all files, and of what has come of those on their way.
    pub(crate) fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// How long it is, if it is here.
    pub(crate) fn length(&self, hash: Hash) -> Option<u64> {
        fs::metadata(self.path(hash)).ok().filter(fs::Metadata::is_file).map(|file| file.len())
    }

    /// Opens it, if it is here.
    pub(crate) fn read(&self, hash: Hash) -> io::Result<Option<File>> {
        match File::open(self.path(hash)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where it lies, or would.
    pub(crate) fn path(&self, hash: Hash) -> PathBuf {
        let name = hash.to_string();
        let shelf = name.get("blake3-".len()..).and_then(|digits| digits.get(..2)).unwrap_or_default();
        self.folder.join("files").join(shelf).join(&name)
    }

    /// Begins to take a file of at most `longest` octets, in a store of at most `most`.
    pub(crate) fn take(&self, want: Hash, longest: u64, most: u64) -> io::Result<Incoming> {
        let temporary = NamedTempFile::new_in(self.folder.join("incoming"))?;
        let file = tokio::fs::File::from_std(temporary.reopen()?);
        let room = Room { octets: Arc::clone(&self.octets), held: 0, longest, most };
        Ok(Incoming { temporary, file, hasher: blake3::Hasher::new(), want, room })
    }

    /// The same for one that is fetched.
    pub(crate) fn fetch(&self, want: Hash, longest: u64, most: u64) -> io::Result<Fetching> {
        let temporary = NamedTempFile::new_in(self.folder.join("incoming"))?;
        let room = Room { octets: Arc::clone(&self.octets), held: 0, longest, most };
        Ok(Fetching { temporary, hasher: blake3::Hasher::new(), want, room })
    }

    /// Puts a file that came whole in its place, durable when this returns. True when it is new.
    pub(crate) fn keep(&self, arrived: Arrived) -> io::Result<bool> {
        let Arrived { temporary, hash, mut room } = arrived;
        let path = self.path(hash);
        temporary.as_file().sync_all()?;
        let Some(shelf) = path.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
        if !shelf.exists() {
            fs::create_dir_all(shelf)?;
            synced(&self.folder.join("files"))?;
        }
        match temporary.persist_noclobber(&path) {
            Ok(_) => {
                synced(shelf)?;
                room.held = 0;
                Ok(true)
            }
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                self.wanted(hash);
                Ok(false)
            }
            Err(error) => Err(error.error),
        }
    }
}

/// A new name in a folder is durable when the folder is.
fn synced(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What a file on its way takes of the store; given back if it does not stay.
#[derive(Debug)]
struct Room {
    octets: Arc<AtomicU64>,
    held: u64,
    longest: u64,
    most: u64,
}

impl Room {
    fn grow(&mut self, more: usize) -> Result<(), BlobError> {
        let more = more as u64;
        if self.held.saturating_add(more) > self.longest {
            return Err(BlobError::TooLong(self.longest));
        }
        let fits = |now: u64| now.checked_add(more).filter(|then| *then <= self.most);
        match self.octets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => self.held += more,
            Err(_) => return Err(BlobError::Full(self.most)),
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.octets.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// A file that is brought; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    temporary: NamedTempFile,
    file: tokio::fs::File,
    hasher: blake3::Hasher,
    want: Hash,
    room: Room,
}

/// A file that is fetched, as it comes; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Fetching {
    temporary: NamedTempFile,
    hasher: blake3::Hasher,
    want: Hash,
    room: Room,
}

/// A file that is what it was to be.
#[derive(Debug)]
pub(crate) struct Arrived {
    temporary: NamedTempFile,
    hash: Hash,
    room: Room,
}

impl Incoming {
    /// Takes the next piece.
    pub(crate) async fn more(&mut self, octets: &[u8]) -> Result<(), BlobError> {
        self.room.grow(octets.len())?;
        self.hasher.update(octets);
        Ok(self.file.write_all(octets).await?)
    }

    /// It is over: is it what it was to be?
    pub(crate) async fn end(mut self) -> Result<Arrived, BlobError> {
        self.file.flush().await?;
        arrived(self.temporary, &self.hasher, self.want, self.room)
    }
}

impl Write for Fetching {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.room.grow(octets.len()).map_err(io::Error::other)?;
        self.hasher.update(octets);
        self.temporary.write_all(octets)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

impl Fetching {
    /// It is over: is it what it was to be?
    pub(crate) fn end(self) -> Result<Arrived, BlobError> {
        arrived(self.temporary, &self.hasher, self.want, self.room)
    }
}

fn arrived(
    temporary: NamedTempFile,
    hasher: &blake3::Hasher,
    want: Hash,
    room: Room,
) -> Result<Arrived, BlobError> {
    let have = Hash::from(hasher.finalize());
    if have == want {
        Ok(Arrived { temporary, hash: have, room })
    } else {
        Err(BlobError::Hash { want, have })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    async fn put(blobs: &Blobs, want: Hash, octets: &[u8]) -> Result<bool, BlobError> {
        let mut incoming = blobs.take(want, 10, 100)?;
        for piece in octets.chunks(4) {
            incoming.more(piece).await?;
        }
        Ok(blobs.keep(incoming.end().await?)?)
    }

    #[tokio::test]
    async fn a_file_is_there_whole_and_under_its_own_hash_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let hash = Hash::of(b"0123456789");
        assert!(put(&blobs, hash, b"0123456789").await.unwrap());
        assert!(!put(&blobs, hash, b"0123456789").await.unwrap(), "it is there");
        assert!(matches!(put(&blobs, hash, b"other").await, Err(BlobError::Hash { .. })));
        assert!(matches!(put(&blobs, hash, b"01234567890").await, Err(BlobError::TooLong(10))));
        // What is on its way takes room, and gives it back.
        let mut first = blobs.take(hash, 10, 14).unwrap();
        first.more(b"012").await.unwrap();
        let mut second = blobs.fetch(hash, 10, 14).unwrap();
        assert_eq!(second.write(b"0").unwrap(), 1);
        assert!(matches!(first.more(b"3").await, Err(BlobError::Full(14))));
        drop((first, second));
        assert_eq!(blobs.octets(), 10);
        let mut fetched = blobs.fetch(Hash::of(b"abc"), 10, 100).unwrap();
        fetched.write_all(b"abd").unwrap();
        assert!(matches!(fetched.end(), Err(BlobError::Hash { .. })));

        // What was on its way when the process died is gone at the next start, and is not counted.
        let left = folder.path().join("incoming/left");
        File::create(&left).unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        assert!(!left.exists());
        assert_eq!((blobs.octets(), blobs.length(hash)), (10, Some(10)));
        let mut octets = Vec::new();
        blobs.read(hash).unwrap().unwrap().read_to_end(&mut octets).unwrap();
        assert_eq!(octets, b"0123456789");
        assert!(blobs.read(Hash::of(b"")).unwrap().is_none());
    }
}
