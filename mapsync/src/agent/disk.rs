//! What an agent keeps on disk, so that whatever kills it, the next start has the old set or the new one.
//!
//! ```text
//! ROOT/sets/12-5f0c…/            what a generation is on this host
//! ROOT/sets/12-5f0c…/set.json    written last: a folder without it is no set, and the next start removes it
//! ROOT/sets/12-5f0c…/later/      what large texts of it will be put together of, until they are
//! ROOT/fetched/blake3-…          files of the set to come; a start begins without
//! ROOT/fetched/blake3-….change/  the same of a large text of which only the change was fetched
//! ROOT/current                   a link to the set in use
//! ROOT/next                      a link to the set that waits for its release, if there is one
//! ROOT/trusted.json              what was taken, and what became of it
//! ```
//!
//! The order of writing: each file, then each folder, is made durable; then `set.json` comes; then the link is
//! moved by renaming a new one over it. Daemons see nothing but `current`, and the maps below `next`, which they ask
//! beside their own and only count what those would have said otherwise.

mod change;
mod durable;
mod edited;
mod fetched;
mod making;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use switchyard_maps::installed::{Checked, LAYOUT};
use switchyard_mapsync_protocol::trust::HeadRef;

pub(super) use self::change::{forget_later, has_later, later};
use self::durable::{names, of, remove};
pub(super) use self::durable::{put, sync};
use self::edited::Edited;
pub(super) use self::edited::{Front, Seen};
pub use self::making::Making;

/// A place on disk did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .at.display())]
pub struct DiskError {
    /// The place.
    pub at: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// An agent's folder. One agent at a time has it.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// Of the fetched files.
    pub(super) edited: Edited,
    /// The sets' tables that were read not long ago.
    pub(super) checked: Arc<Checked>,
    /// Held while a text is put together.
    bringing: Mutex<()>,
    /// Held for as long as we live.
    _lock: File,
}

/// The name of a head's set: its generation for people, enough of its hash that no two heads share one, and how its
/// maps are made. After an upgrade that makes them in another way, what is on disk is no set any more and is made
/// again.
#[must_use]
pub fn set_name(head: &HeadRef) -> String {
    let hash = head.hash.to_string();
    let digits = hash.rsplit('-').next().unwrap_or_default();
    format!("{}-{}-{LAYOUT:x}", head.generation, digits.get(..16).unwrap_or(digits))
}

impl Disk {
    /// Opens an agent's folder, and clears away what was left half-made.
    ///
    /// # Errors
    /// When it cannot be made or written to, or another agent has it.
    pub fn open(root: &Path) -> Result<Self, DiskError> {
        let sets = root.join(SETS);
        fs::create_dir_all(&sets).map_err(of(&sets))?;
        let lock = root.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = file.map_err(of(&lock))?;
        if let Err(error) = file.try_lock() {
            let error = io::Error::other(format!("another agent keeps its sets here: {error}"));
            return Err(DiskError { at: root.to_owned(), error });
        }
        let disk = Self {
            root: root.to_owned(),
            edited: Edited::default(),
            checked: Arc::default(),
            bringing: Mutex::default(),
            _lock: file,
        };
        for name in names(&sets)?.iter().filter(|name| !disk.has(name)) {
            remove(&sets.join(name))?;
        }
        disk.clear_fetched()?;
        Ok(disk)
    }

    /// The agent's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// The link that daemons read through.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    /// The link to the set that waits for its release, if one does.
    pub(super) fn next(&self) -> PathBuf {
        self.root.join(NEXT)
    }

    /// The folder of a set.
    #[must_use]
    pub fn set(&self, name: &str) -> PathBuf {
        self.root.join(SETS).join(name)
    }

    /// Whether a set of this name is there, and whole.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.set(name).join(WHOLE).is_file()
    }

    /// The set in use; none before the first.
    #[must_use]
    pub fn in_use(&self) -> Option<String> {
        let target = fs::read_link(self.current()).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Begins a set.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&self, name: &str) -> Result<Making, DiskError> {
        let at = self.set(name);
        if self.has(name) {
            return Err(of(&at)(io::ErrorKind::AlreadyExists.into()));
        }
        // An attempt of before that could not even clear up after itself.
        remove(&at)?;
        DirBuilder::new().mode(0o755).create(&at).map_err(of(&at))?;
        Ok(Making { at, left: Vec::new(), is_done: false })
    }

    /// Puts a set in use: from here on daemons read it.
    ///
    /// # Errors
    /// When it is not there, or the disk's; the set of before then stays in use.
    pub fn flip(&self, name: &str) -> Result<(), DiskError> {
        if !self.has(name) {
            return Err(DiskError { at: self.set(name), error: io::ErrorKind::NotFound.into() });
        }
        self.point(CURRENT, name)?;
        // Daemons that look now see both: it does not wait any more. Where that fails it is tried again once it is in use.
        if fs::read_link(self.next()).is_ok_and(|next| next == Path::new(SETS).join(name)) {
            let _still_shown = self.show_next(None);
        }
        sync(&self.root)
    }

    /// Shows daemons the set that waits for its release, or that there is none.
    ///
    /// # Errors
    /// The disk's.
    pub fn show_next(&self, name: Option<&str>) -> Result<(), DiskError> {
        let next = self.next();
        let shown = fs::read_link(&next).ok();
        match name {
            Some(name) if shown != Some(Path::new(SETS).join(name)) => self.point(NEXT, name),
            None if shown.is_some() => fs::remove_file(&next).map_err(of(&next)),
            _ => Ok(()),
        }
    }

    /// Moves a link to a set, in one step.
    fn point(&self, link: &str, name: &str) -> Result<(), DiskError> {
        let (link, aside) = (self.root.join(link), self.root.join(format!(".{link}")));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(of(&aside)(error)),
            _ => {}
        }
        symlink(Path::new(SETS).join(name), &aside).map_err(of(&aside))?;
        fs::rename(&aside, &link).map_err(of(&link))
    }

    /// What was kept last; nothing before the first time.
    ///
    /// # Errors
    /// The disk's.
    pub fn state(&self) -> Result<Option<Vec<u8>>, DiskError> {
        let at = self.root.join(STATE);
        match fs::read(&at) {
            Ok(octets) => Ok(Some(octets)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(of(&at)(error)),
        }
    }

    /// Keeps what is known, before anything is done by it.
    ///
    /// # Errors
    /// The disk's; what was kept before then stands.
    pub fn keep_state(&self, octets: &[u8]) -> Result<(), DiskError> {
        put(&self.root, STATE, octets, 0o600)
    }

    /// The names of the sets that are whole.
    ///
    /// # Errors
    /// The disk's.
    pub fn sets(&self) -> Result<Vec<String>, DiskError> {
        Ok(names(&self.root.join(SETS))?.into_iter().filter(|name| self.has(name)).collect())
    }

    /// Removes a set. The one in use stays.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        let at = self.set(name);
        if self.in_use().as_deref() == Some(name) || !at.exists() {
            return Ok(());
        }
        // First of all it ceases to be a set: what is half removed must not look like one.
        match fs::remove_file(at.join(WHOLE)) {
            // It ceased to be one before, and something kept the rest from going.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(of(&at))?,
        }
        sync(&at)?;
        // Whoever was just putting a text into it comes no further than that.
        remove(&at).or_else(|_| remove(&at))
    }
}

const SETS: &str = "sets";
/// What makes a folder a set, and says what it is.
pub const WHOLE: &str = "set.json";
/// The link to the set to come.
pub(super) const NEXT: &str = "next";
const CURRENT: &str = "current";
const STATE: &str = "trusted.json";
const LOCK: &str = "lock";

#[cfg(test)]
mod tests;
