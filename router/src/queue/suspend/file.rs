//! The file that suspensions are kept in: JSON, written anew as a whole with each change, under another name first.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Suspension;

/// Octets of the file.
const LARGEST: u64 = 4 << 20;

/// Why suspensions cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SuspensionsError {
    /// The system said no.
    #[error("{}: suspensions cannot be {action}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what we wrote.
    #[error("{}: {why}; mend it, or remove it to end all suspensions", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// As many as there may be.
    #[error("there are {0} suspensions; end some first")]
    TooMany(usize),
    /// Every number was given once.
    #[error("there is no number left for a suspension: all up to {} were used", u32::MAX)]
    NoNumber,
    /// There is none of that number.
    #[error("there is no suspension {0}; nothing was changed")]
    Unknown(u32),
    /// They ended, and what they kept is not written down as due.
    #[error(
        "ended, but not yet durable for the mail that they kept: {0}; after a restart it may wait for its usual time"
    )]
    Spool(crate::spool::SpoolError),
    /// The process ends.
    #[error("the router is stopping; its suspensions are as they were")]
    Stopped,
}

/// What the file holds.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// The highest number that any suspension ever had: mail may still remember one that has ended.
    pub(super) last: u32,
    /// Those in force when it was written.
    pub(super) suspensions: Vec<Suspension>,
}

/// The same, as it is written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    last: u32,
    suspensions: Vec<&'a Suspension>,
}

/// The file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
}

impl File {
    /// The file and what it holds; one that is not there holds nothing.
    pub(super) fn open(path: &Path) -> Result<(Self, Kept), SuspensionsError> {
        let file = Self { path: path.to_owned() };
        let opened = match fs::File::open(path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((file, Kept::default())),
            Err(error) => return Err(file.failed("read", error)),
        };
        let mut octets = Vec::new();
        opened.take(LARGEST + 1).read_to_end(&mut octets).map_err(|error| file.failed("read", error))?;
        let malformed = |why: String| SuspensionsError::Malformed { path: path.to_owned(), why };
        if octets.len() as u64 > LARGEST {
            return Err(malformed(format!("larger than {LARGEST} octets")));
        }
        let kept = serde_json::from_slice(&octets).map_err(|error| malformed(error.to_string()))?;
        Ok((file, kept))
    }

    /// Puts these in its place, durably: after a crash it is the old file or the new one.
    pub(super) fn write(&self, list: &[Arc<Suspension>], last: u32) -> Result<(), SuspensionsError> {
        let written = Written { last, suspensions: list.iter().map(AsRef::as_ref).collect() };
        let octets = serde_json::to_vec_pretty(&written)
            .map_err(|error| self.failed("written", io::Error::other(error)))?;
        self.replace(&octets).map_err(|error| self.failed("written", error))
    }

    fn replace(&self, octets: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        match self.path.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> SuspensionsError {
        SuspensionsError::Io { path: self.path.clone(), action, source }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::queue::select::Selector;

    #[test]
    fn what_is_written_is_read_again_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("suspended.json");
        let (file, kept) = File::open(&path).unwrap();
        assert_eq!(kept, Kept::default());
        let suspension = Suspension {
            number: 3,
            select: Selector { older: Some(5), ..Selector::default() },
            reason: "their disk is full".into(),
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
        };
        file.write(&[Arc::new(suspension.clone())], 7).unwrap();
        assert_eq!(File::open(&path).unwrap().1, Kept { last: 7, suspensions: vec![suspension] });
        let text = fs::read_to_string(&path).unwrap();
        for bad in [&text[1..], &text.replace("older", "colder"), ""] {
            fs::File::create(&path).unwrap().write_all(bad.as_bytes()).unwrap();
            let error = File::open(&path).unwrap_err().to_string();
            assert!(error.contains("suspended.json: ") && error.contains("remove it"), "{error}");
        }
    }
}
