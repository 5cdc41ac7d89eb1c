//! What an admin's machine remembers of what it saw and signed, so that no hub can make it sign a number twice.
//!
//! Two heads of one generation, both well signed, are taken by nobody. A hub that lost what it had, that lags behind or
//! that lies, shows an older generation than there is, and the number that follows is one that was used already. So the
//! machine keeps a file beside the admin's settings: the newest generation that it saw, the head that it signed last,
//! written down before that is sent, and the highest release. Two pushes of one admin take turns at it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::{LONGEST, Signed};
use switchyard_mapsync_protocol::head::{Head, HeadRef};
use switchyard_mapsync_protocol::root::{Roles, Root};
use tempfile::NamedTempFile;

/// The file, and what stands in it.
#[derive(Debug)]
pub struct Memory {
    at: PathBuf,
    kept: Kept,
}

/// It cannot be read or written, so nothing is signed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}; what was pushed from here is remembered in it, and nothing is signed without", .at.display())]
pub struct MemoryError {
    /// The file.
    pub at: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// What a hub shows does not go with what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Behind {
    /// Nothing.
    #[error(
        "it shows no generation, and {seen} was seen from here: it has lost what it had, or is a new one"
    )]
    Empty {
        /// The newest that was seen.
        seen: u64,
    },
    /// Something older.
    #[error("it shows generation {shown}, and {seen} was seen from here: it lags behind, or has an old copy")]
    Older {
        /// What it shows.
        shown: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// Another one of the same number.
    #[error("it shows another generation {0} than the one that was seen from here: two were signed")]
    Other(u64),
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Whose signatures the numbers stand for.
    roles: Option<Roles>,
    /// The newest generation that a hub showed, or took from here.
    seen: Option<HeadRef>,
    /// The head that was signed last, until a hub is known to have it.
    signed: Option<String>,
    /// The highest release that was seen or signed.
    release: u64,
}

/// A head that was signed here, and of which nobody knows whether a hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsure {
    pub(super) at: HeadRef,
    pub(super) head: Head,
    pub(super) envelope: Vec<u8>,
}

/// While it is held, no other push by the same settings signs anything.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
}

impl Memory {
    /// Reads a file; one that is not there remembers nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(at: PathBuf) -> Result<Self, MemoryError> {
        let kept = read(&at).map_err(|error| MemoryError { at: at.clone(), error })?;
        Ok(Self { at, kept })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.at
    }

    /// By whose keys the numbers count. What only keys signed that are struck out counts no more, on hosts as well:
    /// numbers begin anew.
    pub(super) fn by(&mut self, root: &Root) {
        if let Some(old) = &self.kept.roles {
            if root.roles.push.replaces(&old.push) {
                (self.kept.seen, self.kept.signed) = (None, None);
            }
            if root.roles.release.replaces(&old.release) {
                self.kept.release = 0;
            }
        }
        self.kept.roles = Some(root.roles.clone());
    }

    /// How what a hub shows goes with what was seen.
    pub(super) fn behind(&self, shown: Option<HeadRef>) -> Option<Behind> {
        let seen = self.kept.seen?;
        match shown {
            None => Some(Behind::Empty { seen: seen.generation }),
            Some(HeadRef { generation, .. }) if generation < seen.generation => {
                Some(Behind::Older { shown: generation, seen: seen.generation })
            }
            Some(shown) if shown.generation == seen.generation && shown.hash != seen.hash => {
                Some(Behind::Other(seen.generation))
            }
            Some(_) => None,
        }
    }

    /// The newest generation that was seen.
    pub(super) fn seen(&self) -> Option<HeadRef> {
        self.kept.seen
    }

    /// A number that was never signed for, above what is shown.
    pub(super) fn next_generation(&self, shown: u64) -> u64 {
        let seen = self.kept.seen.map_or(0, |seen| seen.generation);
        let signed = self.signed().map_or(0, |unsure| unsure.at.generation);
        shown.max(seen).max(signed).saturating_add(1)
    }

    /// The same for releases.
    pub(super) fn next_release(&self, shown: u64) -> u64 {
        shown.max(self.kept.release).saturating_add(1)
    }

    /// The head whose fate nobody knows, with what a hub shows; one that has expired is taken by nobody.
    pub(super) fn unsure(&self, shown: u64, now: Timestamp) -> Option<Unsure> {
        self.signed().filter(|unsure| unsure.at.generation > shown && now < unsure.head.expires)
    }

    fn signed(&self) -> Option<Unsure> {
        let envelope = self.kept.signed.clone()?.into_bytes();
        let signed = Signed::from_json(&envelope).ok()?;
        let head: Head = signed.read().ok()?;
        Some(Unsure { at: HeadRef { generation: head.generation, hash: signed.hash() }, head, envelope })
    }

    /// Waits for other pushes by the same settings, and takes up what they wrote.
    pub(super) fn turn(&mut self, root: &Root) -> Result<Turn, MemoryError> {
        let at = self.at.with_added_extension("lock");
        let failed = |error| MemoryError { at: at.clone(), error };
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&at).map_err(failed)?;
        lock.lock().map_err(failed)?;
        self.kept = read(&self.at).map_err(|error| self.failed(error))?;
        self.by(root);
        Ok(Turn { _lock: lock })
    }

    /// A hub shows these, or has taken them.
    pub(super) fn saw(&mut self, head: Option<HeadRef>, release: u64) {
        if let Some(head) = head
            && self.kept.seen.is_none_or(|seen| seen.generation < head.generation)
        {
            self.kept.seen = Some(head);
        }
        if self.signed().is_some_and(|unsure| Some(unsure.at.generation) <= head.map(|head| head.generation))
        {
            self.kept.signed = None;
        }
        self.kept.release = self.kept.release.max(release);
    }

    /// This is about to be sent.
    pub(super) fn signs(&mut self, envelope: &[u8]) {
        self.kept.signed = String::from_utf8(envelope.to_vec()).ok();
    }

    /// Makes it durable, whole or not at all.
    pub(super) fn keep(&self) -> Result<(), MemoryError> {
        let folder = match self.at.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let write = || {
            let mut aside = NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut aside, &self.kept)?;
            aside.flush()?;
            aside.as_file().sync_all()?;
            aside.persist(&self.at).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> MemoryError {
        MemoryError { at: self.at.clone(), error }
    }
}

fn read(at: &Path) -> io::Result<Kept> {
    let open = match File::open(at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        open => open?,
    };
    let mut octets = Vec::new();
    open.take(MOST).read_to_end(&mut octets)?;
    Ok(serde_json::from_slice(&octets)?)
}

/// More than any has: an envelope as a text, and little else.
const MOST: u64 = 4 * LONGEST as u64;

#[cfg(test)]
mod tests;
