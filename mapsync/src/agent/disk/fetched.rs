//! Files of the set to come, by their hashes: they become part of it, or go.
//!
//! A file comes here only when whoever fetched it has found that its octets are those of its hash, and a start begins
//! without any: what is here is not hashed once more before a set is made of it. Nobody else may look into the folder.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head;
use tempfile::{NamedTempFile, TempDir};

use super::durable::{names, of, remove};
use super::{Disk, DiskError};

impl Disk {
    /// Where a file is that was fetched, if it was.
    #[must_use]
    pub fn has_fetched(&self, file: &head::File) -> Option<PathBuf> {
        let at = self.fetched(file.hash);
        fs::metadata(&at).is_ok_and(|there| there.len() == file.bytes).then_some(at)
    }

    fn fetched(&self, hash: Hash) -> PathBuf {
        self.root.join(FETCHED).join(hash.to_string())
    }

    /// Where what changed of one would lie ([`super::change`]).
    pub(super) fn fetched_change(&self, hash: Hash) -> PathBuf {
        self.root.join(FETCHED).join(format!("{hash}{CHANGE}"))
    }

    /// A new file beside the fetched ones, which goes unless it becomes one.
    ///
    /// # Errors
    /// The disk's.
    pub fn fetching(&self) -> Result<NamedTempFile, DiskError> {
        let at = self.root.join(FETCHED);
        NamedTempFile::new_in(&at).map_err(of(&at))
    }

    /// The same for a folder.
    pub(super) fn fetching_folder(&self) -> Result<TempDir, DiskError> {
        let at = self.root.join(FETCHED);
        TempDir::new_in(&at).map_err(of(&at))
    }

    /// Keeps one whose octets were found to be those of this hash. It is never written again: whoever makes a set of it
    /// may look at it where it lies.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep_fetched(&self, made: NamedTempFile, hash: Hash) -> Result<(), DiskError> {
        let at = self.fetched(hash);
        made.as_file().set_permissions(Permissions::from_mode(0o444)).map_err(of(&at))?;
        made.persist(&at).map(drop).map_err(|error| of(&at)(error.error))
    }

    /// Removes what was fetched, but for these. What is being fetched stays: it goes by itself.
    ///
    /// # Errors
    /// The disk's.
    pub fn tidy(&self, but: &[Hash]) -> Result<(), DiskError> {
        self.edited.forget_but(but);
        let at = self.root.join(FETCHED);
        for name in names(&at)? {
            let (text, is_change) = name.strip_suffix(CHANGE).map_or((&*name, false), |text| (text, true));
            if text.parse().is_ok_and(|hash: Hash| !but.contains(&hash)) {
                let at = at.join(&name);
                if is_change { remove(&at)? } else { fs::remove_file(&at).map_err(of(&at))? }
            }
        }
        Ok(())
    }

    /// Removes what was fetched.
    ///
    /// # Errors
    /// The disk's.
    pub fn clear_fetched(&self) -> Result<(), DiskError> {
        self.edited.forget_but(&[]);
        let at = self.root.join(FETCHED);
        remove(&at)?;
        DirBuilder::new().mode(0o700).create(&at).map_err(of(&at))
    }
}

const FETCHED: &str = "fetched";
/// Behind the hash of a text of which only the change was fetched.
const CHANGE: &str = ".change";
