//! A file of what changed since a table was made: keys that came or lead elsewhere, keys that are gone, and where
//! the lines of the others stand now.
//!
//! Inside it is a table of whole keys like any other. A key that is gone stands there in line 0, where no key of a
//! text stands: lines are counted from 1. Its value is the one that it had, so that all values there are values of
//! the map.

use std::io::{self, Cursor};

use super::super::encode::Shape;
use super::super::merge::{MergeError, Op};
use super::super::near::Near;
use super::super::{Exact, ExactBuilder, Found, corrupt};
use super::moved::Moved;
use super::{Since, most_lines};
use crate::artifact::container::{BadArtifact, Container, Corrupt, Kind, Tag};

/// A table's changes, open.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) table: Exact,
    moved: Moved,
    /// How many keys the table has with them.
    records: u64,
}

/// What the changes say to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It leads there; the value's number is one of theirs.
    Put(Found),
    /// It is gone.
    Gone,
    /// It did not change.
    Nothing,
}

impl Changes {
    /// Takes a container as changes of a table.
    ///
    /// # Errors
    /// It is of another kind, of another table, or its sections cannot be those of this kind.
    pub(super) fn open(container: Container, base: &Exact) -> Result<Self, BadArtifact> {
        if container.kind() != Kind::Changes {
            return Err(BadArtifact::Kind { wanted: Kind::Changes, found: container.kind() });
        }
        let section = |tag: Tag| container.section(&tag).ok_or(BadArtifact::Missing(tag));
        let (identity, records) = section(BASE)?
            .split_last_chunk()
            .filter(|(identity, _)| identity.len() == blake3::OUT_LEN)
            .ok_or(BadArtifact::Layout("what is said of the changed table has another length"))?;
        if *identity != base.container().identity() {
            return Err(BadArtifact::Layout("these are another table's changes"));
        }
        let records = u64::from_le_bytes(*records);
        let moved = Moved::decode(section(LINES)?, most_lines(base.most_records()))?;
        Ok(Self { table: Exact::of(container)?, moved, records })
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    #[inline]
    pub(super) fn tell(&self, key: &str, near: &Near<'_>) -> Result<Told, Corrupt> {
        Ok(match self.table.find_near(key, near)? {
            None => Told::Nothing,
            Some(found) if found.line == GONE => Told::Gone,
            Some(found) => Told::Put(found),
        })
    }

    /// What the base found, where it stands by now.
    #[inline]
    pub(super) fn moved(&self, found: Found) -> Result<Found, Corrupt> {
        match self.moved.place(found.line) {
            Some(line) => Ok(Found { line, ..found }),
            None => Err(corrupt(LINES, 0, "a key stayed and its line did not")),
        }
    }

    /// Checks every octet, and that all of it fits the base.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub(super) fn verify(&self, base: &Exact) -> Result<(), BadArtifact> {
        self.table.verify()?;
        let mut records = base.len();
        for change in self.table.numbered() {
            let (key, _, line) = change?;
            let was_there = base.find(key)?.is_some();
            records = match (was_there, line) {
                (true, GONE) => records.saturating_sub(1),
                (false, GONE) => return Err(corrupt(LINES, 0, "a key is gone that never was there").into()),
                (true, _) => records,
                (false, _) => records.saturating_add(1),
            };
        }
        if records != self.records {
            return Err(corrupt(BASE, 32, "another number of keys than the changes lead to").into());
        }
        Ok(())
    }

    /// As changes of keys, which can be put together with later ones.
    pub(super) fn ops(&self) -> impl Iterator<Item = Result<Op<'_>, Corrupt>> {
        self.table.iter().map(|change| {
            let (key, value, line) = change?;
            let key = key.into();
            Ok(if line == GONE { Op::Delete { key } } else { Op::Put { key, value: value.into(), line } })
        })
    }

    /// Those that came, lead elsewhere or are gone.
    pub(super) fn keys(&self) -> impl Iterator<Item = Result<&str, Corrupt>> {
        self.table.numbered().map(|change| change.map(|(key, ..)| key))
    }

    /// Whether a key is one of them.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(self.table.find(key), Ok(Some(_)))
    }

    pub(super) fn lines(&self) -> &Moved {
        &self.moved
    }
}

/// A file of changes of a table.
///
/// # Errors
/// The table cannot be read or has not what is to be gone, or one of the changes is over a limit.
pub(super) fn encode(base: &Exact, since: &Since<'_>) -> io::Result<Vec<u8>> {
    let mut builder = ExactBuilder::new();
    for op in &since.ops {
        let pushed = match op {
            Op::Put { key, value, line } => builder.push(key, value, *line),
            Op::Delete { key } => {
                let was = base.find(key).map_err(io::Error::other)?;
                let was = was.ok_or_else(|| io::Error::other(MergeError::Missing(key.to_string())))?;
                builder.push(key, base.value(was.value).map_err(io::Error::other)?, GONE)
            }
        };
        pushed.map_err(io::Error::other)?;
    }
    let of = [&base.container().identity()[..], &since.keys.to_le_bytes()].concat();
    let built = builder.finish().map_err(io::Error::other)?;
    let more = [(LINES, &*since.moved.encode()), (BASE, &of)];
    let out = Cursor::new(Vec::new());
    built.write_as(out, Shape { kind: Kind::Changes, more: &more }).map(Cursor::into_inner)
}

const LINES: Tag = *b"line";
/// What is said of the base: its identity, and the number of keys.
const BASE: Tag = *b"base";
/// The line of a key that is gone.
pub(super) const GONE: u32 = 0;
