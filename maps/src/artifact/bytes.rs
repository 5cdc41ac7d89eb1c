//! The octets of a compiled map, wherever they lie.
//!
//! An installed file is mapped: opening costs the same for ten entries and ten million, and two daemons share
//! its pages. So is a text that nobody may write to any more, as a host's agent lays it down. A file that somebody may
//! still write to is read into memory instead.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read};
use std::ops::{Deref, Range};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use memmap2::{Advice, Mmap, MmapMut};

use super::mapped;

/// Octets that do not change while they are held.
#[derive(Debug)]
pub enum Bytes {
    /// In this process's memory.
    Heap(Vec<u8>),
    /// A file, or a copy in pages of its own, mapped for reading.
    Mapped(Mmap),
}

impl Bytes {
    /// A file that is not installed is read whole; nothing sensible is longer.
    pub const MOST_READ: u64 = 16 << 30;

    /// Opens a file: mapped when nobody may write to it, as [`super::Install`] leaves it; read otherwise.
    ///
    /// # Errors
    /// The file cannot be read, is no file, or would have to be read and is longer than [`Self::MOST_READ`].
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, is_installed) = open(path)?;
        if is_installed { Self::map(&file) } else { Self::read(file) }
    }

    /// The same, after `look` has seen all of it in parts and found nothing wrong. They are read: what the disk does
    /// not give any more is an error then, where the first look at its mapped page would be this process's end.
    pub(crate) fn open_through<E: From<io::Error>>(
        path: &Path,
        mut look: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let (mut file, is_installed) = open(path)?;
        if !is_installed {
            let octets = Self::read(file)?;
            look(&octets)?;
            return Ok(octets);
        }
        let mut room = vec![0; PART];
        loop {
            let part = some(&mut file, &mut room)?;
            if part.is_empty() {
                break;
            }
            look(part)?;
        }
        Ok(Self::map(&file)?)
    }

    fn map(file: &File) -> io::Result<Self> {
        let map = mapped::map(file)?;
        // Only advice: reads the file into huge pages where it is not in memory yet. [`super::Install`] has
        // written it into such already.
        let _ = map.advise(Advice::HugePage);
        Ok(Self::Mapped(map))
    }

    fn read(file: File) -> io::Result<Self> {
        let mut octets = Vec::new();
        file.take(Self::MOST_READ + 1).read_to_end(&mut octets)?;
        if octets.len() as u64 > Self::MOST_READ {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long to be read into memory"));
        }
        Ok(octets.into())
    }

    /// Brings a mapped file's pages in, so that no lookup waits for the disk; blocks, so not for a session's
    /// thread.
    ///
    /// # Errors
    /// The kernel is older than Linux 5.14, or a page cannot be read.
    pub fn populate(&self) -> io::Result<()> {
        match self {
            Self::Heap(_) => Ok(()),
            Self::Mapped(map) => map.advise(Advice::PopulateRead),
        }
    }

    /// Octets that were made here and will be asked often. From a huge page's length on they are copied into huge
    /// pages, but for so many that the copy would hold up a start: a table of that size is installed.
    #[must_use]
    pub fn kept(octets: Vec<u8>) -> Self {
        if !WORTH_A_COPY.contains(&octets.len()) {
            return octets.into();
        }
        let octets = Self::from(octets);
        octets.huge_copy().unwrap_or(octets)
    }

    /// A copy in huge pages, for a file system that gives a mapped file none: a random read then finds its page's
    /// address in the processor's cache. Costs the file's length in memory, and its reading; not for a session's
    /// thread.
    ///
    /// # Errors
    /// No memory.
    pub fn huge_copy(&self) -> io::Result<Self> {
        if self.is_empty() {
            return Ok(Vec::new().into());
        }
        let mut copy = MmapMut::map_anon(self.len())?;
        // Only advice: without huge pages the copy is as good as the file.
        let _ = copy.advise(Advice::HugePage);
        copy.copy_from_slice(self);
        copy.make_read_only().map(Self::Mapped)
    }
}

/// Octets read at once.
pub(crate) const PART: usize = 1 << 18;

/// Octets that [`Bytes::kept`] copies: some 3 ms for a MiB.
const WORTH_A_COPY: Range<usize> = 2 << 20..32 << 20;

/// Octets of a cache line.
pub(crate) const LINE: usize = 64;

/// Asks memory for all lines of these octets at once, where reading them would ask for the next when the one before
/// has said which.
#[inline]
pub(crate) fn touch(octets: &[u8]) {
    // One number of all, as each that is kept would be one more to write.
    black_box(octets.iter().step_by(LINE).fold(0, |all, octet| all ^ octet));
}

/// A file, and whether it may be mapped.
fn open(path: &Path) -> io::Result<(File, bool)> {
    // Opening a pipe would wait for its writer, so this asks first.
    regular(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    // An empty file has no page to map.
    let is_installed = metadata.permissions().mode() & 0o222 == 0 && metadata.len() > 0;
    Ok((file, is_installed))
}

/// What there is, up to so much of it; nothing at the end.
pub(crate) fn some<'a>(file: &mut File, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
    loop {
        match file.read(room) {
            Ok(length) => return Ok(room.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn regular(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

impl Deref for Bytes {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(octets) => octets,
            Self::Mapped(map) => map,
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(octets: Vec<u8>) -> Self {
        Self::Heap(octets)
    }
}
