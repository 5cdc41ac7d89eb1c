//! A table of whole keys that changed a little since it was made: its file as it is, and beside it a file of what
//! changed.
//!
//! Of a million keys one in a hundred changes: what has to be written for that is a hundredth, and so is what has to
//! be checked. A question asks the changes first, which the processor's cache mostly holds, then the file. When the changes
//! have become many, one file is made of both ([`super::merge()`]).

mod changes;
mod compare;
mod moved;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::{self, Seek, Write};

use changes::{Changes, Told};
pub use compare::{count, differences};
pub use moved::{Moved, Stretch};

use super::merge::{MergeError, Op, merge};
use super::near::Near;
use super::{Exact, Found, corrupt};
use crate::artifact::container::{BadArtifact, Container, Corrupt};

/// A table of one file or of two.
#[derive(Debug)]
pub struct Layered {
    base: Exact,
    /// Few tables have any.
    changes: Option<Box<Changes>>,
}

impl From<Exact> for Layered {
    fn from(base: Exact) -> Self {
        Self { base, changes: None }
    }
}

impl Layered {
    /// A table with what changed since.
    ///
    /// # Errors
    /// They are no changes, or another table's.
    pub fn with(base: Exact, changes: Container) -> Result<Self, BadArtifact> {
        let changes = Some(Changes::open(changes, &base)?.into());
        Ok(Self { base, changes })
    }

    /// The file, without what changed.
    #[must_use]
    pub fn base(&self) -> &Exact {
        &self.base
    }

    /// The same, by itself.
    #[must_use]
    pub fn into_base(self) -> Exact {
        self.base
    }

    /// The files that it is asked in.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        let changes = self.changes.as_ref().map(|changes| changes.table.container());
        [self.base.container()].into_iter().chain(changes)
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.changes.as_ref().map_or_else(|| self.base.len(), |changes| changes.records())
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values have a number; some of them no key may lead to any more.
    #[must_use]
    pub fn values(&self) -> usize {
        self.base.values() + self.changes.as_ref().map_or(0, |changes| changes.table.values())
    }

    /// A value's text.
    ///
    /// # Errors
    /// There is no such number, or its text is not where the file says.
    pub fn value(&self, number: u32) -> Result<&str, Corrupt> {
        match (&self.changes, number.checked_sub(self.base.values() as u32)) {
            (Some(changes), Some(number)) => changes.table.value(number),
            _ => self.base.value(number),
        }
    }

    /// What the key leads to.
    ///
    /// # Errors
    /// The octets on the way are not what a builder writes: the answer is not known.
    pub fn find(&self, key: &str) -> Result<Option<Found>, Corrupt> {
        self.find_near(key, &Near::default())
    }

    /// The same, for a key that may have been told before.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn find_near(&self, key: &str, near: &Near<'_>) -> Result<Option<Found>, Corrupt> {
        let Some(changes) = &self.changes else { return self.base.find_near(key, near) };
        match changes.tell(key, near)? {
            Told::Put(found) => self.of_changes(found).map(Some),
            Told::Gone => Ok(None),
            Told::Nothing => self.base.find_near(key, near)?.map(|found| changes.moved(found)).transpose(),
        }
    }

    /// Asks memory for what the questions about these keys will read.
    pub fn bring_near(&self, near: &mut Near<'_>) {
        if let Some(changes) = &self.changes {
            changes.table.bring_near(near);
        }
        self.base.bring_near(near);
    }

    /// Key, value's number and line of every entry, in an order that no person would choose; whoever takes no more after
    /// an error has all that can be read.
    pub fn numbered(&self) -> impl Iterator<Item = Result<(&str, u32, u32), Corrupt>> {
        let stayed = self.base.numbered().filter_map(move |record| self.stayed(record).transpose());
        let changed = self.changes.iter().flat_map(move |changes| {
            changes.table.numbered().filter_map(move |record| self.came(record).transpose())
        });
        stayed.chain(changed)
    }

    /// The same with values.
    pub fn iter(&self) -> impl Iterator<Item = Result<(&str, &str, u32), Corrupt>> {
        self.numbered().map(|record| {
            let (key, value, line) = record?;
            Ok((key, self.value(value)?, line))
        })
    }

    /// A record of the base, unless it changed.
    fn stayed<'a>(
        &self,
        record: Result<(&'a str, u32, u32), Corrupt>,
    ) -> Result<Option<(&'a str, u32, u32)>, Corrupt> {
        let (key, value, line) = record?;
        let Some(changes) = &self.changes else { return Ok(Some((key, value, line))) };
        if changes.tell(key, &Near::default())? != Told::Nothing {
            return Ok(None);
        }
        let found = changes.moved(Found { value, line })?;
        Ok(Some((key, value, found.line)))
    }

    /// A record of the changes, unless it says that a key is gone.
    fn came<'a>(
        &self,
        record: Result<(&'a str, u32, u32), Corrupt>,
    ) -> Result<Option<(&'a str, u32, u32)>, Corrupt> {
        let (key, value, line) = record?;
        if line == changes::GONE {
            return Ok(None);
        }
        let found = self.of_changes(Found { value, line })?;
        Ok(Some((key, found.value, line)))
    }

    fn of_changes(&self, found: Found) -> Result<Found, Corrupt> {
        let number =
            u32::try_from(self.base.values()).ok().and_then(|before| before.checked_add(found.value));
        let value = number.ok_or_else(|| corrupt(super::ENDS, 0, "more values than there are numbers"))?;
        Ok(Found { value, ..found })
    }

    /// Checks every octet of both files; after it, no question fails.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn verify(&self) -> Result<(), BadArtifact> {
        self.base.verify()?;
        if let Some(changes) = &self.changes {
            changes.verify(&self.base)?;
        }
        // Each line of a key that did not change has a place.
        self.numbered().try_for_each(|entry| entry.map(drop))?;
        Ok(())
    }

    /// What leads from the base to the table that further changes make of this one.
    ///
    /// # Errors
    /// These are another table's changes, or it cannot be read.
    pub fn since_base<'a>(&'a self, since: Since<'a>) -> Result<Since<'a>, MergeError> {
        let Some(changes) = &self.changes else { return Ok(since) };
        let Since { ops, moved, keys } = since;
        let overtaken: HashSet<&str> = ops.iter().map(Op::key).collect();
        let mut all = Vec::with_capacity(ops.len());
        for op in changes.ops() {
            match op? {
                op if overtaken.contains(op.key()) => {}
                op @ Op::Delete { .. } => all.push(op),
                Op::Put { key, value, line } => {
                    let line = moved.place(line).ok_or(MergeError::Line(line))?;
                    all.push(Op::Put { key, value, line });
                }
            }
        }
        drop(overtaken);
        for op in ops {
            // What came after the base and is gone again, the base never had.
            if matches!(op, Op::Put { .. }) || self.base.find(op.key())?.is_some() {
                all.push(op);
            }
        }
        let moved = changes.lines().then(&moved).ok_or(MergeError::Line(0))?;
        Ok(Since { ops: all, moved, keys })
    }
}

/// What changed since a table was made.
#[derive(Debug)]
pub struct Since<'a> {
    /// Each key that came, leads elsewhere or is gone, in any order.
    pub ops: Vec<Op<'a>>,
    /// Where the lines of the others stand now.
    pub moved: Moved,
    /// How many keys there are now: whoever made the changes asked the table for each of them already.
    pub keys: u64,
}

impl Since<'_> {
    /// Whether it is better to keep them beside the base than to make one file of both: what is asked is twice what one
    /// file asks, and what is held and put together each time hangs on how many there are.
    #[must_use]
    pub fn are_few(&self, base: &Exact) -> bool {
        let most = if base.len() < LEAST_LAYERED { 0 } else { base.len() / ONE_IN };
        most > 0 && (self.ops.len() + self.moved.len()) as u64 <= most
    }

    /// The file of them that is to stand beside the base.
    ///
    /// # Errors
    /// The base cannot be read, or one of them is over a limit.
    pub fn encode(&self, base: &Exact) -> io::Result<Vec<u8>> {
        changes::encode(base, self)
    }

    /// Writes one file of the base and them.
    ///
    /// # Errors
    /// As [`merge()`].
    pub fn merge<W: Write + Seek>(&self, base: &Exact, out: W) -> Result<W, MergeError> {
        merge(base, &self.ops, |line| self.moved.place(line), out)
    }
}

/// Lines that the text of so many keys may have, comments among them: of each block of them something is remembered.
pub(crate) fn most_lines(keys: usize) -> usize {
    keys.saturating_mul(MOST_LINES_A_KEY).max(LEAST_LINES)
}

/// A small table may have more than [`MOST_LINES_A_KEY`].
pub(crate) const LEAST_LINES: usize = 1 << 10;
const MOST_LINES_A_KEY: usize = 8;
/// A table of fewer keys is made anew in some milliseconds.
const LEAST_LAYERED: u64 = 1 << 14;
/// Of so many keys one may have changed.
const ONE_IN: u64 = 8;
