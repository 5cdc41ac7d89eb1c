//! The real disk: one folder, opened once, in which every name is looked up relative to its descriptor.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};

use super::{Disk, DiskFile, Place};
use crate::spool::OpenError;
use crate::spool::checks;

/// A spool folder that is ours alone: checked, and locked until this is dropped.
#[derive(Debug)]
pub struct Folder {
    top: OwnedFd,
    places: [OwnedFd; Place::ALL.len()],
    /// Its lock falls when it is closed.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, checks that nobody else can reach into it, and locks it.
    ///
    /// # Errors
    /// When the folder is not safe to use, or another process has it.
    pub fn claim(path: &Path) -> Result<Self, OpenError> {
        let top = checks::safe_folder(path)?;
        let lock = checks::lock(&top, path)?;
        let place = |place: Place| checks::safe_subfolder(&top, path, place.name());
        let places = [place(Place::Log)?, place(Place::Blob)?, place(Place::Corrupt)?];
        Ok(Self { top, places, _lock: lock })
    }

    fn place(&self, place: Place) -> &OwnedFd {
        match place {
            Place::Log => &self.places[0],
            Place::Blob => &self.places[1],
            Place::Corrupt => &self.places[2],
        }
    }
}

impl Disk for Folder {
    fn list(&self, place: Place) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.place(place))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, place: Place, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.place(place), name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, place: Place, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        // Without NONBLOCK, a FIFO put there by somebody would stop us for good.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.place(place), name, flags, Mode::empty())?;
        checks::own_regular_file(&file)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, place: Place, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(self.place(place), from, self.place(place), to)?)
    }

    fn unlink(&self, place: Place, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(self.place(place), name, AtFlags::empty())?)
    }

    fn sync_folder(&self, place: Place) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.place(place))?)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = rustix::fs::fstatvfs(&self.top)?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile(OwnedFd);

impl DiskFile for RealFile {
    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.0, slices, offset)?)
    }

    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.0, buffer, offset)?)
    }

    fn fdatasync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(u64::try_from(rustix::fs::fstat(&self.0)?.st_size).unwrap_or(0))
    }
}
