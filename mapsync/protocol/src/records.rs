//! A table in its one spelling: `key`, a tab, `value`, a line end; keys rise octet by octet and none stands twice.
//!
//! Two tables with the same entries are the same octets, so a hash names the entries, and what changed between
//! two tables is found by walking through both at once. Nothing here holds more than two lines: a table of ten
//! million entries is written ([`Writer`]), read ([`Reader`]) and measured ([`measure`]) as it passes.

use std::io::{BufRead, Write};

use crate::hash::Hash;
use crate::lines::Lines;
pub use crate::lines::{BadLine, LONGEST};

/// An entry of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What is looked up.
    pub key: &'a str,
    /// What is found.
    pub value: &'a str,
}

/// What a head says of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The hash of its octets.
    pub hash: Hash,
    /// How many octets it has.
    pub bytes: u64,
    /// How many records.
    pub records: u64,
}

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// What is written to failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A line of a table that was read.
    #[error(transparent)]
    Line(#[from] BadLine),
    /// The entry has no place in a table.
    #[error("{key:?}: {what}")]
    Rule {
        /// The entry's key.
        key: String,
        /// What is wrong.
        what: &'static str,
    },
    /// More octets than may be.
    #[error("more than {0} octets")]
    TooLong(u64),
}

/// Takes a line apart; the answer to a bad one is the rule that it breaks.
pub(crate) fn record(line: &str) -> Result<Record<'_>, &'static str> {
    let (key, value) = line.split_once('\t').ok_or("a record is a key, a tab and a value")?;
    legal_key(key)?;
    if value.chars().any(char::is_control) {
        return Err("a value has no control characters");
    }
    Ok(Record { key, value })
}

/// A key that a map file reads as one: it does not look like a comment or like the rest of the line above.
pub(crate) fn legal_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() || key.starts_with([' ', '#']) {
        return Err("a key begins with something else than a blank or \"#\"");
    }
    if key.chars().any(char::is_control) { Err("a key has no control characters") } else { Ok(()) }
}

/// Walks through a table and refuses the first line that is not in its place or form.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    line: String,
    before: String,
    /// Whether `line` holds a record.
    holds: bool,
}

impl<R: BufRead> Reader<R> {
    /// Begins before the first record.
    pub fn new(input: R) -> Self {
        Self { lines: Lines::new(input), line: String::new(), before: String::new(), holds: false }
    }

    /// Goes to the next record; false when there is none.
    pub fn advance(&mut self) -> Result<bool, BadLine> {
        std::mem::swap(&mut self.line, &mut self.before);
        let first = !self.holds;
        self.holds = false;
        if !self.lines.read(&mut self.line)? {
            return Ok(false);
        }
        let Record { key, .. } = record(&self.line).map_err(|what| self.lines.wrong(what))?;
        let before = self.before.split_once('\t').map(|(key, _)| key);
        if !first && before >= Some(key) {
            return Err(self.lines.wrong("its key is not in its order, or twice"));
        }
        self.holds = true;
        Ok(true)
    }

    /// The record that was reached.
    pub fn current(&self) -> Option<Record<'_>> {
        let (key, value) = self.line.split_once('\t').filter(|_| self.holds)?;
        Some(Record { key, value })
    }
}

/// Writes a table and measures it.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    hasher: blake3::Hasher,
    most: u64,
    bytes: u64,
    records: u64,
    line: String,
    key: String,
}

impl<W: Write> Writer<W> {
    /// An empty table, which may get at most so many octets.
    pub fn new(out: W, most: u64) -> Self {
        let (hasher, line, key) = (blake3::Hasher::new(), String::new(), String::new());
        Self { out, hasher, most, bytes: 0, records: 0, line, key }
    }

    /// Adds a record, whose key must be above all others so far.
    pub fn put(&mut self, entry: Record<'_>) -> Result<(), BadRecord> {
        let wrong = |what| BadRecord::Rule { key: entry.key.to_owned(), what };
        legal_key(entry.key).map_err(wrong)?;
        self.line.clear();
        self.line.extend([entry.key, "\t", entry.value]);
        // Taken apart as it will be: what is written here is taken there.
        record(&self.line).map_err(wrong)?;
        // In a delta the line has a sign before it.
        if self.line.len() >= LONGEST {
            return Err(wrong("the record is too long"));
        }
        if self.records > 0 && *self.key >= *entry.key {
            return Err(wrong("its key is not in its order, or twice"));
        }
        self.line.push('\n');
        let bytes = self.bytes.saturating_add(self.line.len() as u64);
        if bytes > self.most {
            return Err(BadRecord::TooLong(self.most));
        }
        self.out.write_all(self.line.as_bytes())?;
        self.hasher.update(self.line.as_bytes());
        self.key.clear();
        self.key.push_str(entry.key);
        (self.bytes, self.records) = (bytes, self.records + 1);
        Ok(())
    }

    /// Ends the table: what it was written to, and what a head says of it.
    pub fn finish(mut self) -> Result<(W, Summary), BadRecord> {
        self.out.flush()?;
        let hash = self.hasher.finalize().into();
        Ok((self.out, Summary { hash, bytes: self.bytes, records: self.records }))
    }
}

/// Reads a table to its end: whether it is in its one spelling, and what a head says of it.
pub fn measure(table: impl BufRead) -> Result<Summary, BadRecord> {
    let mut reader = Reader::new(table);
    let mut writer = Writer::new(std::io::sink(), u64::MAX);
    while reader.advance()? {
        if let Some(record) = reader.current() {
            writer.put(record)?;
        }
    }
    writer.finish().map(|(_, summary)| summary)
}

#[cfg(test)]
mod tests;
