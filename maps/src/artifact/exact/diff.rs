//! What lies between two maps: keys added, removed, or leading elsewhere.

use std::cmp::Ordering;
use std::iter::Peekable;

use super::Exact;
use super::cell::Record;
use super::walk::Walk;
use crate::artifact::container::Corrupt;

/// One difference. Where a key stands in its source is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference<'a> {
    /// Only the new map has the key.
    Added(Side<'a>),
    /// Only the old one has it.
    Removed(Side<'a>),
    /// It leads elsewhere: old, new.
    Changed(Side<'a>, Side<'a>),
}

/// An entry of one of the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side<'a> {
    /// The key.
    pub key: &'a str,
    /// What it leads to.
    pub value: &'a str,
    /// Where it stands in its source.
    pub line: u32,
}

/// How many differences there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that only the new map has.
    pub added: u64,
    /// Keys that only the old map has.
    pub removed: u64,
    /// Keys that lead elsewhere.
    pub changed: u64,
}

/// The differences of two maps, in no order a person would choose; ends at the first entry that cannot be
/// read. One walk along both where they have the same seed, which almost all maps have; else each key of one is
/// asked of the other.
#[derive(Debug)]
pub struct Differences<'a> {
    old: &'a Exact,
    new: &'a Exact,
    /// What is left of each.
    left: (Peekable<Walk<'a>>, Peekable<Walk<'a>>),
    done: bool,
}

/// Compares two maps.
#[must_use]
pub fn diff<'a>(old: &'a Exact, new: &'a Exact) -> Differences<'a> {
    Differences { old, new, left: (old.walk().peekable(), new.walk().peekable()), done: false }
}

/// Counts the differences of two maps.
///
/// # Errors
/// An entry cannot be read.
pub fn count(old: &Exact, new: &Exact) -> Result<Counts, Corrupt> {
    let mut counts = Counts::default();
    // Two files of one content are one file.
    if old.container().identity() == new.container().identity() {
        return Ok(counts);
    }
    for difference in diff(old, new) {
        match difference? {
            Difference::Added(_) => counts.added += 1,
            Difference::Removed(_) => counts.removed += 1,
            Difference::Changed(..) => counts.changed += 1,
        }
    }
    Ok(counts)
}

impl<'a> Iterator for Differences<'a> {
    type Item = Result<Difference<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = if self.old.seed() == self.new.seed() { self.walk_along() } else { self.ask_across() };
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl<'a> Differences<'a> {
    fn walk_along(&mut self) -> Result<Option<Difference<'a>>, Corrupt> {
        loop {
            let (old, new) = &mut self.left;
            let order = match (old.peek(), new.peek()) {
                (Some(Err(_)), _) | (Some(_), None) => Ordering::Less,
                (_, Some(Err(_))) | (None, Some(_)) => Ordering::Greater,
                // Most keys are the same, and the same needs no hash.
                (Some(Ok(old)), Some(Ok(new))) if old.key == new.key => Ordering::Equal,
                (Some(Ok(one)), Some(Ok(other))) => {
                    let hash = |key| self.old.hash.of(key);
                    (hash(one.key), one.key).cmp(&(hash(other.key), other.key))
                }
                (None, None) => return Ok(None),
            };
            let old = if order == Ordering::Greater { None } else { old.next().transpose()? };
            let new = if order == Ordering::Less { None } else { new.next().transpose()? };
            if let Some(difference) = self.compare(old, new)? {
                return Ok(Some(difference));
            }
        }
    }

    fn ask_across(&mut self) -> Result<Option<Difference<'a>>, Corrupt> {
        while let Some(old) = self.left.0.next().transpose()? {
            let new = self.new.record_of(old.key)?;
            if let Some(difference) = self.compare(Some(old), new)? {
                return Ok(Some(difference));
            }
        }
        while let Some(new) = self.left.1.next().transpose()? {
            if self.old.record_of(new.key)?.is_none() {
                return self.compare(None, Some(new));
            }
        }
        Ok(None)
    }

    /// The difference between two records of one key, if there is one.
    fn compare(
        &self,
        old: Option<Record<'a>>,
        new: Option<Record<'a>>,
    ) -> Result<Option<Difference<'a>>, Corrupt> {
        let old = old.map(|record| self.old.side(record)).transpose()?;
        let new = new.map(|record| self.new.side(record)).transpose()?;
        Ok(match (old, new) {
            (Some(old), Some(new)) if old.value == new.value => None,
            (Some(old), Some(new)) => Some(Difference::Changed(old, new)),
            (Some(old), None) => Some(Difference::Removed(old)),
            (None, Some(new)) => Some(Difference::Added(new)),
            (None, None) => None,
        })
    }
}

impl Exact {
    fn side<'a>(&'a self, record: Record<'a>) -> Result<Side<'a>, Corrupt> {
        let key = self.text_of(record.key)?;
        Ok(Side { key, value: self.value(record.value)?, line: record.line })
    }

    fn record_of<'a>(&self, key: &'a [u8]) -> Result<Option<Record<'a>>, Corrupt> {
        let found = self.find(self.text_of(key)?)?;
        Ok(found.map(|found| Record { key, value: found.value, line: found.line }))
    }
}
