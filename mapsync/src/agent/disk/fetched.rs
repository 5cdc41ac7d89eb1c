//! Files of the set to come, by their hashes: they become part of it, or go.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use switchyard_mapsync_protocol::hash::Hash;
use tempfile::NamedTempFile;

use super::durable::{names, of, remove};
use super::{Disk, DiskError};

impl Disk {
    /// Where a fetched file is, if it is.
    #[must_use]
    pub fn fetched(&self, hash: Hash) -> PathBuf {
        self.root.join(FETCHED).join(hash.to_string())
    }

    /// A new file beside the fetched ones, which goes unless it becomes one.
    ///
    /// # Errors
    /// The disk's.
    pub fn fetching(&self) -> Result<NamedTempFile, DiskError> {
        let at = self.root.join(FETCHED);
        NamedTempFile::new_in(&at).map_err(of(&at))
    }

    /// Removes what was fetched, but for these. What is being fetched stays: it goes by itself.
    ///
    /// # Errors
    /// The disk's.
    pub fn tidy(&self, but: &[Hash]) -> Result<(), DiskError> {
        let at = self.root.join(FETCHED);
        for name in names(&at)? {
            if name.parse().is_ok_and(|hash: Hash| !but.contains(&hash)) {
                let file = at.join(name);
                fs::remove_file(&file).map_err(of(&file))?;
            }
        }
        Ok(())
    }

    /// Removes one of them, if it is there.
    ///
    /// # Errors
    /// The disk's.
    pub(in crate::agent) fn forget(&self, hash: Hash) -> Result<(), DiskError> {
        let at = self.fetched(hash);
        match fs::remove_file(&at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of(&at)(error)),
            _ => Ok(()),
        }
    }

    /// Removes what was fetched.
    ///
    /// # Errors
    /// The disk's.
    pub fn clear_fetched(&self) -> Result<(), DiskError> {
        let at = self.root.join(FETCHED);
        remove(&at)?;
        DirBuilder::new().mode(0o700).create(&at).map_err(of(&at))
    }
}

const FETCHED: &str = "fetched";
