//! Compiled tables of Postfix, read for import: `cdb`, `lmdb`, and Berkeley DB's `hash` and `btree`.
//!
//! [`Database::load`] takes a file whole and knows its kind by its magic; [`Database::each`] gives every entry,
//! in the file's own order. No library of any of these formats is asked: a file comes from another machine,
//! and is foreign bytes like those of the network.
//!
//! Invariants kept here:
//! - No octet is looked at unchecked: a file that is cut or changed is an error, never a panic.
//! - No walk is endless: each page is entered once at most, and all entries together are no longer than the
//!   file, as in a sound one.

mod berkeley;
mod bytes;
mod cdb;
mod lmdb;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Octets of a file; all of it is read at once.
const MAX_FILE: u64 = 8 << 30;

/// A compiled table.
#[derive(Debug, Clone)]
pub struct Database {
    kind: Kind,
    bytes: Vec<u8>,
}

/// The format of a compiled table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bernstein's constant database.
    Cdb,
    /// The Lightning memory-mapped database.
    Lmdb,
    /// Berkeley DB, access method hash.
    Hash,
    /// Berkeley DB, access method btree.
    Btree,
}

/// Why a compiled table is not read.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// The file cannot be read at all.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// More than is read at once.
    #[error("is longer than {MAX_FILE} octets")]
    TooLarge,
    /// None of the formats.
    #[error("is no cdb, lmdb or Berkeley DB file")]
    Unknown,
    /// One of the formats, in a form that Postfix does not write.
    #[error("{kind} file: {what} is not read here")]
    Unsupported {
        /// The format.
        kind: Kind,
        /// What it has.
        what: String,
    },
    /// Cut, overwritten, or caught while it was written.
    #[error("{kind} file: damaged at octet {at}: {what}")]
    Damaged {
        /// The format.
        kind: Kind,
        /// Where in the file.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
}

impl Kind {
    /// Postfix's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdb => "cdb",
            Self::Lmdb => "lmdb",
            Self::Hash => "hash",
            Self::Btree => "btree",
        }
    }

    /// What Postfix appends to a table's name for the compiled file.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Cdb => ".cdb",
            Self::Lmdb => ".lmdb",
            Self::Hash | Self::Btree => ".db",
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        if lmdb::order(bytes).is_some() {
            Some(Self::Lmdb)
        } else if let Some((kind, _)) = berkeley::recognise(bytes) {
            Some(kind)
        } else {
            // Last: it has no magic, but a head that must fit the file's length.
            cdb::recognise(bytes).then_some(Self::Cdb)
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Database {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is none of the formats.
    pub fn load(path: &Path) -> Result<Self, ForeignError> {
        let mut bytes = Vec::new();
        // Not by the length the file claims: a pipe or a device claims none.
        File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(ForeignError::TooLarge);
        }
        Self::from_bytes(bytes)
    }

    /// Takes a file's content.
    ///
    /// # Errors
    /// When it is none of the formats.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ForeignError> {
        let kind = Kind::of(&bytes).ok_or(ForeignError::Unknown)?;
        Ok(Self { kind, bytes })
    }

    /// Its format.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives every entry, key and value, in the file's own order.
    ///
    /// Postfix writes some formats with a NUL at the end of both, which is left out here.
    ///
    /// # Errors
    /// When the file is damaged, or has what Postfix does not write; entries before that were given already.
    pub fn each(&self, mut visit: impl FnMut(&[u8], &[u8])) -> Result<(), ForeignError> {
        let mut budget = self.bytes.len();
        let visit: Visit<'_> = &mut |key, value| {
            // Each octet of a sound file belongs to one entry: a file that sends us in circles ends here.
            budget = budget.checked_sub(key.len() + value.len()).ok_or("entries are longer than the file")?;
            visit(without_nul(key), without_nul(value));
            Ok(())
        };
        match self.kind {
            Kind::Cdb => cdb::each(&self.bytes, visit),
            Kind::Lmdb => lmdb::each(&self.bytes, visit),
            Kind::Hash | Kind::Btree => berkeley::each(&self.bytes, visit),
        }
    }
}

/// Takes a key and a value; what it says is wrong with the file as a whole.
type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), &'static str>;

fn without_nul(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_table_says_so() {
        for bytes in [&b""[..], b"# a text\na b\n", &[0; 4096], &[0xff; 9000]] {
            assert!(matches!(Database::from_bytes(bytes.to_vec()), Err(ForeignError::Unknown)));
        }
        let missing = Database::load(Path::new("/nonexistent/x.db")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot be read: No such file"), "{missing}");
    }

    proptest! {
        /// Whatever follows a good magic.
        #[test]
        fn no_octets_panic(mut bytes in proptest::collection::vec(any::<u8>(), 512..6000), kind in 0..4) {
            match kind {
                0 => bytes[16..24].copy_from_slice(&[0xde, 0xc0, 0xef, 0xbe, 1, 0, 0, 0]),
                1 => bytes[12..24].copy_from_slice(&[0x61, 0x15, 6, 0, 9, 0, 0, 0, 0, 2, 0, 0]),
                2 => bytes[12..24].copy_from_slice(&[0, 5, 0x31, 0x62, 0, 0, 0, 9, 0, 0, 2, 0]),
                _ => {}
            }
            if let Ok(database) = Database::from_bytes(bytes) {
                let _ = database.each(|_, _| {});
            }
        }
    }
}
