//! A table in its one spelling: `key`, a tab, `value`, a line end; keys rise octet by octet and none stands twice.
//!
//! Two tables with the same entries are the same octets, so a hash names the entries, and what changed between
//! two tables is found by walking through both at once. Nothing here holds more than two lines and a piece of fixed length:
//! a table of ten million entries is written ([`Writer`]), read ([`Reader`]) and measured ([`measure`]) as it passes.

use std::io::{BufRead, Write};

use memchr::memchr_iter;

use crate::hash::Hash;
use crate::lines::Lines;
pub use crate::lines::{BadLine, LONGEST};
use crate::pieces::{key_of, last_line};

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
    if has_control(value) {
        return Err("a value has no control characters");
    }
    Ok(Record { key, value })
}

/// A key that a map file reads as one: it does not look like a comment or like the rest of the line above.
pub(crate) fn legal_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() || key.starts_with([' ', '#']) {
        return Err("a key begins with something else than a blank or \"#\"");
    }
    if has_control(key) { Err("a key has no control characters") } else { Ok(()) }
}

/// A table's octets pass here when one entry of it changes: most texts are ASCII, and of those all octets are asked
/// at once.
fn has_control(text: &str) -> bool {
    let octets = text.bytes().fold(false, |found, octet| found | octet.is_ascii_control());
    octets || (!text.is_ascii() && text.chars().any(char::is_control))
}

/// Walks through a table and refuses the first line that is not in its place or form.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    line: String,
    before: String,
    /// Octets of the key in `line`; none when it holds no record.
    key: Option<usize>,
}

impl<R: BufRead> Reader<R> {
    /// Begins before the first record.
    pub fn new(input: R) -> Self {
        Self { lines: Lines::new(input), line: String::new(), before: String::new(), key: None }
    }

    /// Goes to the next record; false when there is none.
    pub fn advance(&mut self) -> Result<bool, BadLine> {
        std::mem::swap(&mut self.line, &mut self.before);
        let key_before = self.key.take();
        if !self.lines.read(&mut self.line)? {
            return Ok(false);
        }
        let Record { key, .. } = record(&self.line).map_err(|what| self.lines.wrong(what))?;
        if key_before.and_then(|length| self.before.get(..length)).is_some_and(|before| before >= key) {
            return Err(self.lines.wrong("its key is not in its order, or twice"));
        }
        self.key = Some(key.len());
        Ok(true)
    }

    /// The record that was reached.
    pub fn current(&self) -> Option<Record<'_>> {
        let (key, rest) = self.line.split_at_checked(self.key?)?;
        Some(Record { key, value: rest.strip_prefix('\t')? })
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
    /// What is neither hashed nor written yet.
    text: Vec<u8>,
    key: Vec<u8>,
}

/// Octets that are hashed and written at once, each piece in its place: many are hashed faster than few, and a file
/// system with large folios (ext4 since Linux 6.16, XFS) keeps them so in memory, where they cost whoever writes, syncs
/// or maps the file less than single pages.
const PIECE: usize = 256 << 10;

impl<W: Write> Writer<W> {
    /// An empty table, which may get at most so many octets.
    pub fn new(out: W, most: u64) -> Self {
        let (hasher, text, key) = (blake3::Hasher::new(), Vec::new(), Vec::new());
        Self { out, hasher, most, bytes: 0, records: 0, text, key }
    }

    /// Adds a record, whose key must be above all others so far.
    pub fn put(&mut self, entry: Record<'_>) -> Result<(), BadRecord> {
        let wrong = |what| BadRecord::Rule { key: entry.key.to_owned(), what };
        legal_key(entry.key).map_err(wrong)?;
        if has_control(entry.value) {
            return Err(wrong("a value has no control characters"));
        }
        self.pass(entry)
    }

    /// Adds a record that a [`Reader`] gave: only its length and its place in the order are to be asked.
    pub(crate) fn pass(&mut self, entry: Record<'_>) -> Result<(), BadRecord> {
        let wrong = |what| Err(BadRecord::Rule { key: entry.key.to_owned(), what });
        // In a delta the line has a sign before it.
        if entry.key.len() + "\t".len() + entry.value.len() >= LONGEST {
            return wrong("the record is too long");
        }
        if self.records > 0 && *self.key >= *entry.key.as_bytes() {
            return wrong("its key is not in its order, or twice");
        }
        let length = entry.key.len() + entry.value.len() + "\t\n".len();
        self.grow(length)?;
        for part in [entry.key, "\t", entry.value, "\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
        self.pour()?;
        self.key.clear();
        self.key.extend_from_slice(entry.key.as_bytes());
        self.records += 1;
        Ok(())
    }

    /// Adds whole lines of another table as they lie: who calls knows their place, and their hash tells the rest.
    pub(crate) fn pass_lines(&mut self, lines: &[u8]) -> Result<(), BadRecord> {
        let Some(last) = last_line(lines) else { return Ok(()) };
        self.grow(lines.len())?;
        self.text.extend_from_slice(lines);
        self.pour()?;
        self.key.clear();
        self.key.extend_from_slice(key_of(last));
        self.records = self.records.saturating_add(memchr_iter(b'\n', lines).count() as u64);
        Ok(())
    }

    /// There is room for so many octets more.
    fn grow(&mut self, octets: usize) -> Result<(), BadRecord> {
        let bytes = self.bytes.saturating_add(octets as u64);
        if bytes > self.most {
            return Err(BadRecord::TooLong(self.most));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Hashes and writes the pieces that are whole.
    fn pour(&mut self) -> std::io::Result<()> {
        let whole = self.text.len() - self.text.len() % PIECE;
        for piece in self.text.get(..whole).unwrap_or_default().chunks(PIECE) {
            self.hasher.update(piece);
            self.out.write_all(piece)?;
        }
        self.text.drain(..whole);
        Ok(())
    }

    /// Ends the table: what it was written to, and what a head says of it.
    pub fn finish(mut self) -> Result<(W, Summary), BadRecord> {
        self.hasher.update(&self.text);
        self.out.write_all(&self.text)?;
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
            writer.pass(record)?;
        }
    }
    writer.finish().map(|(_, summary)| summary)
}

#[cfg(test)]
mod tests;
