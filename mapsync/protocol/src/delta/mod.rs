//! What changed between two tables, so that a host fetches that and not the table.
//!
//! A hub finds it once for each generation ([`diff`]), puts several together for a host that is further behind
//! ([`compose`]), and sends the whole table where that is shorter ([`worth_it`]). A host lays it over the table it
//! has ([`apply`]): what lies between two changes is passed on as it is, and it ends with the octets that the signed
//! head names or with an error. A delta needs no signature of its own.

use std::cmp::Ordering;
use std::io::{self, BufRead, BufReader, Read, Write};

use crate::hash::Hash;
use crate::head::{File, Kind};
use crate::packed::{Packer, Unpacker};
use crate::pieces::{self, Pieces};
use crate::records::{self, BadLine, BadRecord, Record, Summary};

mod ops;

pub use self::ops::{Between, Counts, Op, Reader};

/// The most deltas that are put together; beyond, a host takes the table.
pub const STEPS: usize = 64;

/// Why a delta cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// Reading or unpacking failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line that is none of a delta's or of a table's.
    #[error(transparent)]
    Line(#[from] BadLine),
    /// A record that has no place in the table.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// No head line.
    #[error("a delta begins with \"switchyard-delta-1\" and the hashes of two tables")]
    Head,
    /// Not tables.
    #[error("only tables have deltas, and {0} is none")]
    NoTable(crate::path::Path),
    /// For other tables.
    #[error("the delta lies between {} and {}, not between {} and {}", .have.from, .have.to, .want.from, .want.to)]
    Between {
        /// What is wanted.
        want: Between,
        /// What it is.
        have: Between,
    },
    /// It adds what is there, or changes what is not.
    #[error("the delta contradicts what is there, at {0:?}")]
    Contradiction(String),
    /// Another table than the one that was signed came out.
    #[error("the delta leads to {have} of {bytes} octets, and {want} is signed")]
    Other {
        /// What is signed.
        want: Hash,
        /// What came out.
        have: Hash,
        /// Its octets.
        bytes: u64,
    },
    /// Too many to put together, or none.
    #[error("{0} deltas, and 1 to {STEPS} can be put together")]
    Steps(usize),
}

/// Whether a delta is short enough to be sent instead of the table, both packed: at most 30 %, for it also costs
/// the host a walk through its own table.
pub fn worth_it(delta: u64, table: u64) -> bool {
    delta <= most_worth_it(table)
}

/// The longest delta that is.
pub fn most_worth_it(table: u64) -> u64 {
    table / 10 * 3
}

/// Writes what changed between two tables, packed.
pub fn diff<W: Write>(
    from: (impl BufRead, Hash),
    to: (impl BufRead, Hash),
    out: W,
) -> Result<(W, Counts), DeltaError> {
    let between = Between { from: from.1, to: to.1 };
    let (mut from, mut to) = (Pieces::new(from.0), Pieces::new(to.0));
    let mut out = ops::Writer::new(Packer::new(out)?, between)?;
    let mut last = Vec::<u8>::new();
    loop {
        // What both have is not looked at line by line: between two changes lie most of a table's entries. But no
        // change goes back behind it, nor it behind a change: no host could lay that over its table.
        let same = pieces::same(from.lines()?, to.lines()?);
        if same > 0 {
            let lines = from.lines()?.get(..same).unwrap_or_default();
            is_above(pieces::key_of(pieces::line(lines)), &last)?;
            pieces::key_of(pieces::last_line(lines).unwrap_or(lines)).clone_into(&mut last);
            from.pass(same);
            to.pass(same);
            continue;
        }
        let (old, new) = (from.first()?, to.first()?);
        let order = match (old, new) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.key.cmp(new.key),
        };
        let (old, new) = (old.filter(|_| order.is_le()), new.filter(|_| order.is_ge()));
        let op = match (old, new) {
            (Some((Record { key, .. }, _)), None) => Op::Remove { key },
            (None, Some((Record { key, value }, _))) => Op::Add { key, value },
            (_, Some((Record { key, value }, _))) => Op::Change { key, value },
            (None, None) => break,
        };
        is_above(op.key().as_bytes(), &last)?;
        out.put(op)?;
        op.key().as_bytes().clone_into(&mut last);
        let (old, new) = (old.map(|(_, octets)| octets), new.map(|(_, octets)| octets));
        from.pass(old.unwrap_or_default());
        to.pass(new.unwrap_or_default());
    }
    let (packer, counts) = out.finish();
    Ok((packer.finish()?, counts))
}

/// Keys rise.
fn is_above(key: &[u8], last: &[u8]) -> Result<(), BadRecord> {
    if key > last {
        return Ok(());
    }
    let key = String::from_utf8_lossy(key).into_owned();
    Err(BadRecord::Rule { key, what: "it is not in its order, or twice" })
}

/// Puts deltas that follow one another together into one, packed. They come unpacked, the oldest first.
pub fn compose<R: BufRead, W: Write>(mut steps: Vec<Reader<R>>, out: W) -> Result<(W, Counts), DeltaError> {
    let (Some(first), Some(last), 1..=STEPS) = (steps.first(), steps.last(), steps.len()) else {
        return Err(DeltaError::Steps(steps.len()));
    };
    let between = Between { from: first.between().from, to: last.between().to };
    for pair in steps.windows(2) {
        if let [a, b] = pair
            && a.between().to != b.between().from
        {
            let (want, have) = (Between { from: a.between().to, ..b.between() }, b.between());
            return Err(DeltaError::Between { want, have });
        }
    }
    let mut out = ops::Writer::new(Packer::new(out)?, between)?;
    for step in &mut steps {
        step.advance()?;
    }
    while let Some(key) = steps.iter().filter_map(Reader::current).map(|op| op.key()).min() {
        let key = key.to_owned();
        let at_key = |step: &&mut Reader<R>| step.current().is_some_and(|op| op.key() == key);
        // What was there before the first step that touches it, and what is there after the last.
        let mut before = None;
        let mut after: Option<Option<String>> = None;
        for step in steps.iter_mut().filter(at_key) {
            let Some(op) = step.current() else { continue };
            if after.as_ref().is_some_and(|after| after.is_some() != op.was_there()) {
                return Err(DeltaError::Contradiction(key));
            }
            before.get_or_insert(op.was_there());
            after = Some(op.value().map(str::to_owned));
            step.advance()?;
        }
        match (before == Some(true), after.flatten()) {
            (false, Some(value)) => out.put(Op::Add { key: &key, value: &value })?,
            (true, Some(value)) => out.put(Op::Change { key: &key, value: &value })?,
            (true, None) => out.put(Op::Remove { key: &key })?,
            (false, None) => {}
        }
    }
    let (packer, counts) = out.finish();
    Ok((packer.finish()?, counts))
}

/// The longest that a delta between two signed tables can be, unpacked: every entry of the one goes, every entry of
/// the other comes.
pub fn longest(from: &File, to: &File) -> u64 {
    let tables = from.bytes.saturating_add(to.bytes).saturating_add(to.records);
    tables.saturating_add(ops::HEAD)
}

/// Unpacks a delta between two files of signed heads; one that says to lie between others is refused.
pub fn open<R: BufRead>(
    packed: R,
    from: &File,
    to: &File,
) -> Result<Reader<BufReader<Unpacker<R>>>, DeltaError> {
    if let Some(file) = [from, to].into_iter().find(|file| file.kind != Kind::Records) {
        return Err(DeltaError::NoTable(file.path.clone()));
    }
    let delta = Reader::new(BufReader::new(Unpacker::new(packed, longest(from, to))?))?;
    let (want, have) = (Between { from: from.hash, to: to.hash }, delta.between());
    if want == have { Ok(delta) } else { Err(DeltaError::Between { want, have }) }
}

/// A line that a delta changes, brings or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Where it stood, or the line that stood where it comes; from 1.
    pub old: u64,
    /// Where it stands afterwards, or the line that then stands where it was.
    pub new: u64,
    /// What stood there, with its end.
    pub removed: Option<&'a [u8]>,
    /// What stands there afterwards.
    pub added: Option<Record<'a>>,
}

/// Lays a packed delta over a table; both tables pass in large pieces. What `out` got may be used only if this says yes.
pub fn apply<W: Write>(
    table: impl Read,
    packed: impl BufRead,
    from: &File,
    to: &File,
    out: W,
) -> Result<W, DeltaError> {
    apply_seen(table, packed, (from, to), out, |_| {})
}

/// The same; each line that it changes is shown on the way. What was seen is true only if this says yes.
pub fn apply_seen<W: Write>(
    table: impl Read,
    packed: impl BufRead,
    (from, to): (&File, &File),
    out: W,
    mut see: impl FnMut(Edit<'_>),
) -> Result<W, DeltaError> {
    let mut delta = open(packed, from, to)?;
    let mut table = Pieces::new(table);
    let mut out = records::Writer::new(out, to.bytes);
    let (mut added, mut removed) = (0, 0);
    while delta.advance()? {
        let Some(op) = delta.current() else { break };
        let there = loop {
            let lines = table.lines()?;
            let (below, octets) = (pieces::below(lines, op.key()), lines.len());
            out.pass_lines(lines.get(..below).unwrap_or_default())?;
            table.pass(below);
            if below < octets || octets == 0 {
                let line = pieces::line(table.lines()?);
                break Some(line.len()).filter(|_| pieces::key_of(line) == op.key().as_bytes());
            }
        };
        if there.is_some() != op.was_there() {
            return Err(DeltaError::Contradiction(op.key().to_owned()));
        }
        let record = op.value().map(|value| Record { key: op.key(), value });
        if let Some(record) = record {
            out.put(record)?;
        }
        let old = table.number().saturating_add(1);
        let line = there.and_then(|octets| table.lines().ok()?.get(..octets));
        see(Edit { old, new: (old + added).saturating_sub(removed), removed: line, added: record });
        added += u64::from(record.is_some());
        removed += u64::from(there.is_some());
        table.pass(there.unwrap_or_default());
        table.begins_a_record()?;
    }
    loop {
        let lines = table.lines()?;
        if lines.is_empty() {
            break;
        }
        let octets = lines.len();
        out.pass_lines(lines)?;
        table.pass(octets);
    }
    let (out, Summary { hash, bytes, records }) = out.finish()?;
    if (hash, bytes, records) == (to.hash, to.bytes, to.records) {
        return Ok(out);
    }
    Err(DeltaError::Other { want: to.hash, have: hash, bytes })
}

#[cfg(test)]
mod tests;
