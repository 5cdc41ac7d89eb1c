//! Whole keys: an address, a domain, a host name, and what stands behind it.
//!
//! Keys lie in buckets of about three, by their hashes. A bucket has a cell of fixed size, so that the hash alone
//! says where a question reads: four cache lines side by side, and so one trip to memory. What has no room in its
//! cell lies elsewhere, and costs one trip more. The key
//! itself is always compared. Values are kept once each and known by their numbers, so that a caller can keep
//! what it made of them.
//!
//! - [`ExactBuilder`] makes a file from entries, [`merge()`] from a file and changes: the same octets for the same
//!   content.
//! - [`Exact`] asks one, several keys at once by way of [`Near`]; [`diff()`] compares two.
//! - [`Layered`] asks one that changed a little, by way of a second file that says in what.

mod build;
mod cell;
pub mod diff;
mod duplicates;
mod encode;
mod hash;
pub mod layered;
mod merge;
mod near;
#[cfg(test)]
mod tests;
mod values;
mod verify;
mod walk;

use std::ops::Range;

use cell::{Bucket, CELL, Told, UNIT};
use hash::{Hash, bucket_of};

pub use build::{BuildError, Built, ExactBuilder, TooLarge};
pub use diff::diff;
pub use duplicates::{Duplicate, Duplicates};
pub use layered::Layered;
pub use merge::{MergeError, Op, merge};
pub use near::Near;
pub use walk::Records;

use super::bytes::touch;
use super::container::{BadArtifact, Container, Corrupt, Kind, Tag};

/// Octets of a key.
pub const MOST_KEY: usize = 65_535;
/// Octets of a value: a list of some ten thousand addresses.
pub const MOST_VALUE: usize = 1 << 20;

/// Octets of a record with its place.
const LEAST_RECORD: usize = 8;

const CELLS: Tag = *b"cels";
const BEHIND: Tag = *b"more";
const ENDS: Tag = *b"ends";
const VALUES: Tag = *b"vals";

/// An open map.
#[derive(Debug)]
pub struct Exact {
    container: Container,
    cells: Range<usize>,
    behind: Range<usize>,
    ends: Range<usize>,
    values: Range<usize>,
    buckets: u64,
    hash: Hash,
}

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The value's number; [`Exact::value`] has its text.
    pub value: u32,
    /// Where the key stands in its source.
    pub line: u32,
}

impl Exact {
    /// Takes a container as a map of whole keys; costs the same for every size.
    ///
    /// # Errors
    /// It is of another kind, or its sections cannot be those of this kind.
    pub fn open(container: Container) -> Result<Self, BadArtifact> {
        if container.kind() != Kind::Exact {
            return Err(BadArtifact::Kind { wanted: Kind::Exact, found: container.kind() });
        }
        Self::of(container)
    }

    /// The same of a container that has a table's sections, and others.
    fn of(container: Container) -> Result<Self, BadArtifact> {
        if container.head().flags != 0 {
            return Err(BadArtifact::Layout("an unknown flag"));
        }
        let range = |tag: Tag| container.range(&tag).ok_or(BadArtifact::Missing(tag));
        let [cells, behind, ends, values] = [range(CELLS)?, range(BEHIND)?, range(ENDS)?, range(VALUES)?];
        let whole = cells.len() % CELL == 0 && behind.len() % UNIT == 0 && ends.len() % encode::END == 0;
        if !whole || cells.is_empty() {
            return Err(BadArtifact::Layout("a section's length is not a whole number of its parts"));
        }
        let buckets = (cells.len() / CELL) as u64;
        let hash = Hash::new(container.head().seed);
        Ok(Self { container, cells, behind, ends, values, buckets, hash })
    }

    /// The file below.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// How many keys the file says it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.container.head().records
    }

    /// True when the file says it has no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many different values there are.
    #[must_use]
    pub fn values(&self) -> usize {
        self.ends.len() / encode::END
    }

    /// What the key leads to.
    ///
    /// # Errors
    /// The octets on the way are not what a builder writes: the answer is not known.
    #[inline]
    pub fn find(&self, key: &str) -> Result<Option<Found>, Corrupt> {
        let hash = self.hash.of(key.as_bytes());
        self.find_hashed(key, hash, |cell| touch(cell))
    }

    /// `first` does what is to be done before the cell is read.
    #[inline]
    fn find_hashed(
        &self,
        key: &str,
        hash: u64,
        first: impl FnOnce(&[u8; CELL]),
    ) -> Result<Option<Found>, Corrupt> {
        let number = bucket_of(hash, self.buckets);
        let Some(cell) = self.cell(number) else { return Err(self.wrong(number, "no such bucket")) };
        first(cell);
        match cell::find(cell, hash, key.as_bytes()) {
            Some(Told::Found(value, line)) => Ok(Some(Found { value, line })),
            Some(Told::Nothing) => Ok(None),
            Some(Told::Behind) => self.find_behind(number, key),
            None => Err(self.wrong(number, cell::CUT)),
        }
    }

    #[inline(never)]
    fn find_behind(&self, number: u64, key: &str) -> Result<Option<Found>, Corrupt> {
        match self.bucket(number)?.find_behind(key.as_bytes()) {
            Ok(record) => Ok(record.map(|record| Found { value: record.value, line: record.line })),
            Err(what) => Err(self.wrong(number, what)),
        }
    }

    /// A value's text.
    ///
    /// # Errors
    /// There is no such number, or its text is not where the file says.
    pub fn value(&self, number: u32) -> Result<&str, Corrupt> {
        let number = number as usize;
        let wrong = |what| corrupt(ENDS, number * encode::END, what);
        let no_value = || wrong("no such value");
        let start = number.checked_sub(1).map_or(Some(0), |before| self.end(before)).ok_or_else(no_value)?;
        let end = self.end(number).ok_or_else(no_value)?;
        let octets =
            self.part(&self.values).get(start..end).ok_or_else(|| wrong("a value outside its section"))?;
        std::str::from_utf8(octets).map_err(|_| corrupt(VALUES, start, "not UTF-8"))
    }

    /// No more keys than have room in the file, whatever its head says.
    fn most_records(&self) -> usize {
        (self.cells.len() + self.behind.len()) / LEAST_RECORD
    }

    fn seed(&self) -> u64 {
        self.container.head().seed
    }

    fn no_value(&self, number: u32) -> Corrupt {
        corrupt(ENDS, number as usize * encode::END, "no such value")
    }

    /// A key's text.
    fn text_of<'a>(&self, key: &'a [u8]) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(key).map_err(|_| corrupt(CELLS, 0, "a key is not UTF-8"))
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.container.bytes().get(range.clone()).unwrap_or_default()
    }

    /// Where a value's text ends.
    fn end(&self, number: usize) -> Option<usize> {
        let field = self
            .part(&self.ends)
            .get(number.checked_mul(encode::END)?..)?
            .first_chunk::<{ encode::END }>()?;
        let mut whole = [0; 8];
        whole[..encode::END].copy_from_slice(field);
        usize::try_from(u64::from_le_bytes(whole)).ok()
    }

    #[inline]
    fn cell(&self, number: u64) -> Option<&[u8; CELL]> {
        // A bucket's number is less than their count, so that the place is in the section.
        let place = self.cells.start + number as usize * CELL;
        self.container.bytes().get(place..)?.first_chunk()
    }

    fn bucket(&self, number: u64) -> Result<Bucket<'_>, Corrupt> {
        match self.cell(number) {
            Some(cell) => Ok(Bucket { cell, behind: self.part(&self.behind) }),
            None => Err(self.wrong(number, "no such bucket")),
        }
    }

    /// What does not hold in a bucket.
    #[cold]
    fn wrong(&self, bucket: u64, what: &'static str) -> Corrupt {
        corrupt(CELLS, bucket as usize * CELL, what)
    }
}

#[cold]
fn corrupt(section: Tag, at: usize, what: &'static str) -> Corrupt {
    Corrupt { section, at: at as u64, what }
}
