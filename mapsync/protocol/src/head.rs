//! Every file of a site at one generation, by hash and length: what admins sign.
//!
//! There is one list, so files of two generations cannot be mixed. Going back is a new generation with the old
//! hashes. Secret keys are never in it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::envelope::{Message, Type};
use crate::hash::Hash;
use crate::path::Path;
use crate::records::Summary;
use crate::words::{Environment, Timestamp};

/// The most files of a site.
pub const FILES: usize = 4096;

/// The longest file, as it is unpacked.
pub const FILE_OCTETS: u64 = 2 << 30;

/// All files together, unpacked.
pub const ALL_OCTETS: u64 = 8 << 30;

/// The longest author, and the longest note.
pub const WORDS: usize = 1000;

/// How a file travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A table: entries in one order and one spelling, whose changes can travel alone.
    Records,
    /// Anything else, whole.
    Text,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it lies below the site's folder.
    pub path: Path,
    /// How it travels.
    pub kind: Kind,
    /// The hash of its octets.
    pub hash: Hash,
    /// How many octets it has.
    pub bytes: u64,
    /// How many records; none in a text.
    pub records: u64,
}

/// A head by number and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRef {
    /// Its generation.
    pub generation: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Whom it is for.
    pub environment: Environment,
    /// One more than the head before; the first is 1.
    pub generation: u64,
    /// The hash of the head before; the first has none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub previous: Option<Hash>,
    /// When it was signed.
    pub created: Timestamp,
    /// From then on it is not taken any more; who has it keeps it.
    pub expires: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub note: String,
    /// The files by path, in rising order.
    pub files: Vec<File>,
}

impl Message for Head {
    const TYPE: Type = Type::Head;

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn check(&self) -> Result<(), String> {
        if self.generation == 0 || (self.generation == 1) != self.previous.is_none() {
            return Err("generation 1 has no head before it, and every later one names it".to_owned());
        }
        if self.expires <= self.created {
            return Err("it expires before it was made".to_owned());
        }
        if self.author.len() > WORDS || self.note.len() > WORDS {
            return Err(format!("author and note have at most {WORDS} octets each"));
        }
        if self.files.len() > FILES {
            return Err(format!("{} files, and at most {FILES} may be", self.files.len()));
        }
        self.files.iter().try_for_each(File::check)?;
        let all = self.files.iter().fold(0, |all: u64, file| all.saturating_add(file.bytes));
        if all > ALL_OCTETS {
            return Err(format!("{all} octets in all, and at most {ALL_OCTETS} may be"));
        }
        distinct(&self.files)
    }
}

impl File {
    /// A table, as [`crate::records`] measured it.
    pub fn table(path: Path, Summary { hash, bytes, records }: Summary) -> Self {
        Self { path, kind: Kind::Records, hash, bytes, records }
    }

    /// Anything else.
    pub fn text(path: Path, octets: &[u8]) -> Self {
        Self { path, kind: Kind::Text, hash: Hash::of(octets), bytes: octets.len() as u64, records: 0 }
    }

    fn check(&self) -> Result<(), String> {
        let Self { path, kind, bytes, records, .. } = self;
        if *bytes > FILE_OCTETS {
            return Err(format!("{path} has {bytes} octets, and at most {FILE_OCTETS} may be"));
        }
        // A record has a key of one octet at least, a tab and a line end.
        let possible = match kind {
            Kind::Records => *records <= bytes / 3,
            Kind::Text => *records == 0,
        };
        if possible { Ok(()) } else { Err(format!("{path} cannot have {records} records")) }
    }
}

/// Paths rise, no two differ only in the size of letters, and no file is another's folder.
fn distinct(files: &[File]) -> Result<(), String> {
    if let Some([_, late]) = files.windows(2).find(|pair| matches!(pair, [a, b] if a.path >= b.path)) {
        return Err(format!("{} is not in its order, or twice", late.path));
    }
    let mut seen = BTreeSet::new();
    if let Some(twin) = files.iter().find(|file| !seen.insert(file.path.folded())) {
        return Err(format!("{} differs from another path only in the size of letters", twin.path));
    }
    for file in files {
        let folded = file.path.folded();
        let folders = folded.match_indices('/').filter_map(|(at, _)| folded.get(..at));
        if let Some(folder) = folders.into_iter().find(|folder| seen.contains(*folder)) {
            return Err(format!("{} lies below {folder}, which is a file", file.path));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn file(path: &str, octets: &[u8]) -> File {
        File::text(Path::try_from(path.to_owned()).unwrap(), octets)
    }

    pub(crate) fn head(generation: u64, previous: Option<Hash>) -> Head {
        Head {
            environment: Environment::try_from("live".to_owned()).unwrap(),
            generation,
            previous,
            created: Timestamp(1000),
            expires: Timestamp(2000),
            author: "ann".to_owned(),
            note: format!("change {generation}"),
            files: vec![file("maps/transport", b"a\tb\n"), file("site.toml", b"x = 1\n")],
        }
    }

    #[test]
    fn y5_twins_and_files_that_are_folders_are_refused() {
        let with = |paths: &[&str]| {
            let files = paths.iter().map(|path| file(path, b"")).collect();
            Head { files, ..head(1, None) }.check()
        };
        assert_eq!(with(&["a", "a-b", "a.b/c", "b"]), Ok(()));
        assert_eq!(with(&["b", "a"]), Err("a is not in its order, or twice".to_owned()));
        assert_eq!(with(&["a", "a"]), Err("a is not in its order, or twice".to_owned()));
        let twin = "maps/t differs from another path only in the size of letters";
        assert_eq!(with(&["Maps/t", "maps/t"]), Err(twin.to_owned()));
        assert_eq!(with(&["a", "a-b", "a/b"]), Err("a/b lies below a, which is a file".to_owned()));
        assert_eq!(with(&["A", "a/b"]), Err("a/b lies below a, which is a file".to_owned()));
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let one = |kind, bytes, records| {
            let files = vec![File { kind, bytes, records, ..file("a", b"") }];
            Head { files, ..head(1, None) }.check().is_ok()
        };
        assert!(one(Kind::Records, 30, 10));
        assert!(!one(Kind::Records, 29, 10));
        assert!(!one(Kind::Text, 30, 1));
        assert!(!one(Kind::Text, FILE_OCTETS + 1, 0));
        assert!(!one(Kind::Text, u64::MAX, 0));
        let many = (0..=FILES).map(|n| file(&format!("f{n:05}"), b"")).collect();
        assert!(Head { files: many, ..head(1, None) }.check().is_err());
        assert!(Head { note: "x".repeat(WORDS + 1), ..head(1, None) }.check().is_err());
        assert!(head(1, Some(Hash::of(b""))).check().is_err());
        assert!(head(2, None).check().is_err());
        assert!(head(0, None).check().is_err());
        assert!(Head { expires: Timestamp(1000), ..head(1, None) }.check().is_err());
    }
}
