//! Files that may go, and the word that one is still wanted.
//!
//! When a file was last brought or asked about stands with it on the disk, as the time of its change.

use std::fs::{self, File};
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use switchyard_mapsync_protocol::hash::Hash;

use super::Blobs;

impl Blobs {
    /// How long a file is, if it is here; it stays for a while, for somebody is about to name it.
    pub(crate) fn wanted(&self, hash: Hash) -> Option<u64> {
        let _not_meanwhile = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        let file = File::open(self.path(hash)).ok()?;
        let length = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        // Where the disk takes no time, the file is as old as it was.
        let _younger_at_best = file.set_modified(SystemTime::now());
        Some(length)
    }

    /// Files that nobody has wanted since then.
    pub(crate) fn all_before(&self, then: SystemTime) -> io::Result<Vec<Hash>> {
        let mut all = Vec::new();
        for shelf in fs::read_dir(self.folder.join("files"))? {
            for file in fs::read_dir(shelf?.path())? {
                let file = file?;
                // What has another name was not put there by a hub.
                let hash = file.file_name().to_str().and_then(|name| name.parse().ok());
                if let Some(hash) = hash
                    && file.metadata()?.modified()? < then
                {
                    all.push(hash);
                }
            }
        }
        Ok(all)
    }

    /// Removes a file, if nobody has wanted it since then. Whether it is gone.
    pub(crate) fn remove_before(&self, hash: Hash, then: SystemTime) -> bool {
        let _nobody_wants_it_meanwhile = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(hash);
        let Ok(known) = fs::metadata(&path) else { return false };
        if !known.modified().is_ok_and(|changed| changed < then) || fs::remove_file(&path).is_err() {
            return false;
        }
        self.octets.fetch_sub(known.len(), Ordering::Relaxed);
        true
    }
}
