//! A set while it is made: nobody sees it before it is whole and durable.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::durable::{make_durable, of, put, remove, sync};
use super::{DiskError, WHOLE};

/// A set that is being made; dropped before [`Self::finish`], it never was.
#[derive(Debug)]
pub struct Making {
    pub(super) at: PathBuf,
    /// Files that are made durable later.
    pub(super) left: Vec<PathBuf>,
    pub(super) is_done: bool,
}

impl Making {
    /// Where it is made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// A new file of it, and the folders that it stands in. Its name was checked by whoever signed for it, and by
    /// us (`Path`): it leads nowhere else.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(&self, name: &str) -> Result<File, DiskError> {
        let at = self.place(name)?;
        // Never through a link, and never over what is there.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&at).map_err(of(&at))
    }

    pub(super) fn place(&self, name: &str) -> Result<PathBuf, DiskError> {
        let at = self.at.join(name);
        if let Some(folder) = at.parent() {
            DirBuilder::new().mode(0o755).recursive(true).create(folder).map_err(of(folder))?;
        }
        Ok(at)
    }

    /// A file of it in one go.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, name: &str, octets: &[u8]) -> Result<(), DiskError> {
        self.create(name)?.write_all(octets).map_err(of(&self.at.join(name)))
    }

    /// A file of it that was fetched, under its name. It may have several, and it is never written again.
    ///
    /// # Errors
    /// The disk's.
    pub fn link(&self, name: &str, fetched: &Path) -> Result<(), DiskError> {
        fs::hard_link(fetched, self.place(name)?).map_err(of(fetched))
    }

    /// Takes a file out again.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        let at = self.at.join(name);
        fs::remove_file(&at).map_err(of(&at))
    }

    /// Leaves a file to be made durable later: whoever reads it looks at its hash first ([`super::super::settle`]).
    pub(in crate::agent) fn leave(&mut self, name: &str) {
        self.left.push(self.at.join(name));
    }

    /// Makes all of it durable but what is left for later, then says so beside it: from here on it is a set.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, told: &[u8]) -> Result<(), DiskError> {
        make_durable(&self.at, &self.left)?;
        if let Some(sets) = self.at.parent() {
            sync(sets)?;
        }
        put(&self.at, WHOLE, told, 0o444)?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.is_done {
            // If that fails, the next start does it.
            let _ = remove(&self.at);
        }
    }
}
