//! What a delta is made of: a head line with two hashes, then one line for each entry that changed.
//!
//! `+key<TAB>value` adds an entry that was not there, `=key<TAB>value` gives one that was there another value, `-key`
//! takes one away; keys rise. Because a line says what was there before, deltas can be put together without
//! the tables, and a delta for another table is found out at once.

use std::io::{BufRead, Write};

use super::DeltaError;
use crate::hash::Hash;
use crate::lines::{BadLine, Lines};
use crate::records::{legal_key, record};

/// The first word of a delta.
const WORD: &str = "switchyard-delta-1";

/// The longest head line with its end: a word and two hashes.
pub(super) const HEAD: u64 = 256;

/// Between which tables a delta lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// The table before.
    pub from: Hash,
    /// The table after.
    pub to: Hash,
}

/// What happens to one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// It was not there.
    Add {
        /// Its key.
        key: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// It was there with another value.
    Change {
        /// Its key.
        key: &'a str,
        /// Its value from now on.
        value: &'a str,
    },
    /// It was there.
    Remove {
        /// Its key.
        key: &'a str,
    },
}

impl<'a> Op<'a> {
    /// The key of the entry.
    pub fn key(&self) -> &'a str {
        match *self {
            Self::Add { key, .. } | Self::Change { key, .. } | Self::Remove { key } => key,
        }
    }

    /// Its value afterwards, if it is there.
    pub fn value(&self) -> Option<&'a str> {
        match *self {
            Self::Add { value, .. } | Self::Change { value, .. } => Some(value),
            Self::Remove { .. } => None,
        }
    }

    /// Whether the entry was there before.
    pub(super) fn was_there(&self) -> bool {
        !matches!(self, Self::Add { .. })
    }

    fn parse(line: &'a str) -> Result<Self, &'static str> {
        let parts = |rest| record(rest).map(|record| (record.key, record.value));
        if let Some(rest) = line.strip_prefix('+') {
            parts(rest).map(|(key, value)| Self::Add { key, value })
        } else if let Some(rest) = line.strip_prefix('=') {
            parts(rest).map(|(key, value)| Self::Change { key, value })
        } else if let Some(key) = line.strip_prefix('-') {
            legal_key(key).map(|()| Self::Remove { key })
        } else {
            Err("a line of a delta begins with \"+\", \"=\" or \"-\"")
        }
    }
}

/// How many entries a delta touches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub added: u64,
    /// Those with another value.
    pub changed: u64,
    /// Those that are gone.
    pub removed: u64,
}

/// Walks through a delta that is unpacked.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    between: Between,
    line: String,
    before: String,
    /// Whether `line` holds an operation, and `before` did.
    holds: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the head line.
    pub fn new(input: R) -> Result<Self, DeltaError> {
        let (mut lines, mut line) = (Lines::new(input), String::new());
        let between = lines.read(&mut line)?.then(|| head(&line)).flatten().ok_or(DeltaError::Head)?;
        Ok(Self { lines, between, line: String::new(), before: String::new(), holds: false })
    }

    /// Between which tables it lies.
    pub fn between(&self) -> Between {
        self.between
    }

    /// Goes to the next operation; false when there is none.
    pub fn advance(&mut self) -> Result<bool, BadLine> {
        std::mem::swap(&mut self.line, &mut self.before);
        let first = !self.holds;
        self.holds = false;
        if !self.lines.read(&mut self.line)? {
            return Ok(false);
        }
        let op = Op::parse(&self.line).map_err(|what| self.lines.wrong(what))?;
        let before = Op::parse(&self.before).ok().map(|op| op.key());
        if !first && before >= Some(op.key()) {
            return Err(self.lines.wrong("its key is not in its order, or twice"));
        }
        self.holds = true;
        Ok(true)
    }

    /// The operation that was reached.
    pub fn current(&self) -> Option<Op<'_>> {
        if self.holds { Op::parse(&self.line).ok() } else { None }
    }
}

fn head(line: &str) -> Option<Between> {
    let mut words = line.split(' ');
    let (word, from, to) = (words.next()?, words.next()?, words.next()?);
    if word != WORD || words.next().is_some() {
        return None;
    }
    Some(Between { from: from.parse().ok()?, to: to.parse().ok()? })
}

/// Writes a delta; who calls gives keys that rise.
#[derive(Debug)]
pub(super) struct Writer<W> {
    out: W,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut out: W, between: Between) -> Result<Self, DeltaError> {
        writeln!(out, "{WORD} {} {}", between.from, between.to)?;
        Ok(Self { out, counts: Counts::default() })
    }

    pub(super) fn put(&mut self, op: Op<'_>) -> Result<(), DeltaError> {
        match op {
            Op::Add { key, value } => {
                self.counts.added += 1;
                writeln!(self.out, "+{key}\t{value}")?;
            }
            Op::Change { key, value } => {
                self.counts.changed += 1;
                writeln!(self.out, "={key}\t{value}")?;
            }
            Op::Remove { key } => {
                self.counts.removed += 1;
                writeln!(self.out, "-{key}")?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> (W, Counts) {
        (self.out, self.counts)
    }
}
