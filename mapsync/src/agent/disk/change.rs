//! Texts that were fetched as what changed of them, and are put together only when somebody reads them.
//!
//! A host that knows which lines of a large text changed makes its table of those (`edited`). The text itself nobody reads
//! then: what changed is laid over the text before only to see that what comes is what was signed, and nothing is
//! written. It takes its place when host and disk have rest ([`super::super::settle`]), or when somebody asks.
//!
//! A folder of three files is all of it: what changed, as it came; the text before, under one more name; and what that is, as
//! it was signed. It lies among the fetched files, and in `later/` of each set that has the text, named by the text's hash.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use switchyard_mapsync_protocol::delta::{self, DeltaError};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head;
use tempfile::NamedTempFile;

use super::durable::{of, remove};
use super::{Disk, DiskError, Making};

impl Disk {
    /// Keeps what changed, which was found to lead from the text there to another one.
    ///
    /// # Errors
    /// The disk's.
    pub(in crate::agent) fn keep_change(
        &self,
        change: NamedTempFile,
        (text, from): (&Path, &head::File),
        to: &head::File,
    ) -> Result<(), DiskError> {
        let at = self.fetched_change(to.hash);
        let made = self.fetching_folder()?;
        let [changed, before, signed] = PARTS.map(|part| made.path().join(part));
        change.persist(&changed).map_err(|error| of(&changed)(error.error))?;
        fs::hard_link(text, &before).map_err(of(&before))?;
        let from = serde_json::to_vec(from).map_err(io::Error::from);
        from.and_then(|from| File::create_new(&signed)?.write_all(&from)).map_err(of(&signed))?;
        match fs::rename(made.path(), &at) {
            // Another one was as quick, and that leads to the same.
            Err(_) if at.exists() => Ok(()),
            Err(error) => Err(of(&at)(error)),
            Ok(()) => {
                let _it_is_elsewhere = made.keep();
                Ok(())
            }
        }
    }

    /// Where what changed of a text lies, if it was fetched.
    pub(in crate::agent) fn has_change(&self, to: &head::File) -> Option<PathBuf> {
        whole(self.fetched_change(to.hash))
    }

    /// Forgets what changed of a text, wherever it lies.
    fn forget_change(&self, text: Hash) -> Result<(), DiskError> {
        remove(&self.fetched_change(text))?;
        self.sets()?.iter().try_for_each(|name| remove(&self.set(name).join(in_a_set(text))))
    }

    /// Puts a text of the set in this folder together, if it was left for later and does not stand in its place. What
    /// does not lead to it any more, as after a power cut, is forgotten: then all of it is fetched for the next set.
    ///
    /// # Errors
    /// The disk's, or what was there did not lead to it.
    pub(in crate::agent) fn bring(
        &self,
        set: &Path,
        at: &Path,
        to: &head::File,
        stands: impl Fn() -> bool,
    ) -> io::Result<()> {
        let parts = || later(set, to.hash).filter(|_| !stands());
        if parts().is_none() {
            return Ok(());
        }
        let _one_at_a_time = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(parts) = parts() else { return Ok(()) };
        let made = put_together(&parts, to).inspect_err(|error| {
            // What the system says may pass. What is not there will not come.
            if error.raw_os_error().is_none() || error.kind() == io::ErrorKind::NotFound {
                let _no_more_than_tried_again = self.forget_change(to.hash);
            }
        })?;
        fs::rename(made, at)
    }
}

/// Lays what changed over the text before; where the other one then lies.
fn put_together(parts: &Path, to: &head::File) -> io::Result<PathBuf> {
    let [changed, before, signed] = PARTS.map(|part| File::open(parts.join(part)));
    let from: head::File = serde_json::from_reader(BufReader::new(signed?.take(MOST_SIGNED)))?;
    // One that was killed here before left no more than this.
    let at = parts.join(MADE);
    let made = delta::apply(before?, BufReader::new(changed?), &from, to, File::create(&at)?);
    let made = made.map_err(|error| match error {
        DeltaError::Io(error) => error,
        error => io::Error::other(error),
    })?;
    made.set_permissions(Permissions::from_mode(0o444))?;
    Ok(at)
}

/// All texts of the set in this folder are in their places, and durable: what they were put together of goes.
///
/// # Errors
/// The disk's.
pub(in crate::agent) fn forget_later(set: &Path) -> Result<(), DiskError> {
    remove(&set.join(LATER))
}

/// Where all lies that a text of a set is put together of, if it was left for later.
pub(in crate::agent) fn later(set: &Path, text: Hash) -> Option<PathBuf> {
    whole(set.join(in_a_set(text)))
}

/// Whether a set has texts that were left for later.
pub(in crate::agent) fn has_later(set: &Path) -> bool {
    set.join(LATER).exists()
}

impl Making {
    /// Leaves a text to be put in its place later, of what lies in a folder.
    ///
    /// # Errors
    /// The disk's.
    pub(in crate::agent) fn bring_later(&mut self, name: &str, to: Hash, of: &Path) -> Result<(), DiskError> {
        // Where it will stand is durable with the set.
        self.place(name)?;
        let parts = in_a_set(to);
        // A set may have the same text twice.
        if later(&self.at, to).is_some() {
            return Ok(());
        }
        remove(&self.at.join(&parts))?;
        for part in PARTS {
            let place = format!("{parts}/{part}");
            self.link(&place, &of.join(part))?;
            self.leave(&place);
        }
        [&*parts, LATER].into_iter().for_each(|folder| self.leave(folder));
        Ok(())
    }
}

fn in_a_set(text: Hash) -> String {
    format!("{LATER}/{text}")
}

/// A folder with all parts; one that was half removed has none.
fn whole(parts: PathBuf) -> Option<PathBuf> {
    PARTS.iter().all(|part| parts.join(part).exists()).then_some(parts)
}

/// Where they lie in a set.
const LATER: &str = "later";
const PARTS: [&str; 3] = ["changed", "before", "signed"];
/// A text on the way to its place.
const MADE: &str = "made";
/// Octets of what a head says of a file; a path is the longest of it.
const MOST_SIGNED: u64 = 1 << 16;
