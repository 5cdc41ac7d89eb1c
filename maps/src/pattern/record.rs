//! Rules and blocks on disk: fixed records in the order of the file, and their patterns' texts.

use super::engine::Groups;
use super::syntax::{Dialect, Flags};
use crate::artifact::Corrupt;
use crate::artifact::container::Tag;

/// The records.
pub(super) const RECORDS: Tag = *b"rule";
/// The patterns, one after another.
pub(super) const PATTERNS: Tag = *b"patt";

/// Octets of a record.
const SIZE: usize = 24;

/// What a line became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A block; rules and blocks behind it may be in it.
    Block,
    /// A rule with a value.
    Rule(u32),
    /// A rule whose value has groups put in.
    Template(u32),
}

impl What {
    /// Who wants the pattern's groups.
    pub(super) fn groups(self, dialect: Dialect) -> Groups {
        match self {
            Self::Template(_) => Groups::Wanted(dialect),
            Self::Block | Self::Rule(_) => Groups::Nobody,
        }
    }
}

/// A rule or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) what: What,
    pub(super) negated: bool,
    pub(super) flags: Flags,
    /// The number of the record of the innermost block around it.
    pub(super) block: Option<u32>,
    pub(super) line: u32,
    /// Where the pattern stands among the patterns, and its octets.
    pub(super) pattern: (u32, u32),
}

impl Record {
    pub(super) fn write(&self, section: &mut Vec<u8>) {
        let (what, value) = match self.what {
            What::Block => (0, 0),
            What::Rule(value) => (1, value),
            What::Template(value) => (2, value),
        };
        section.extend([what, u8::from(self.negated), self.flags.bits(), 0]);
        // The number + 1, so that 0 is none.
        let block = self.block.map_or(0, |block| block.saturating_add(1));
        for number in [block, self.line, value, self.pattern.0, self.pattern.1] {
            section.extend(number.to_le_bytes());
        }
    }
}

/// Reads all records and their patterns.
pub(super) fn read<'a>(
    records: &'a [u8],
    patterns: &'a [u8],
) -> impl Iterator<Item = Result<(Record, &'a str), Corrupt>> {
    let (records, rest) = records.as_chunks::<SIZE>();
    let cut_off = (!rest.is_empty()).then_some(Err(corrupt(records.len(), "half a record")));
    let read = |(number, record)| read_one(number, record, patterns).map_err(|what| corrupt(number, what));
    records.iter().enumerate().map(read).chain(cut_off)
}

/// What is wrong with a record.
pub(super) fn corrupt(number: usize, what: &'static str) -> Corrupt {
    Corrupt { section: RECORDS, at: (number * SIZE) as u64, what }
}

fn read_one<'a>(
    number: usize,
    record: &[u8; SIZE],
    patterns: &'a [u8],
) -> Result<(Record, &'a str), &'static str> {
    let [what, negated, flags, zero, numbers @ ..] = record;
    let mut numbers = numbers.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number));
    let mut next = || numbers.next().unwrap_or_default();
    let (block, line, value, start, length) = (next(), next(), next(), next(), next());
    let what = match what {
        0 if value == 0 => What::Block,
        1 => What::Rule(value),
        2 => What::Template(value),
        _ => return Err("a record of no kind"),
    };
    if *negated > 1 || *zero != 0 || line == 0 || block as usize > number {
        return Err("a record that no compiler writes");
    }
    let end = start.checked_add(length).ok_or("a pattern outside of the patterns")?;
    let pattern = patterns.get(start as usize..end as usize).ok_or("a pattern outside of the patterns")?;
    let pattern = std::str::from_utf8(pattern).map_err(|_| "a pattern that is not UTF-8")?;
    let block = block.checked_sub(1);
    let flags = Flags::of_bits(*flags);
    Ok((Record { what, negated: *negated == 1, flags, block, line, pattern: (start, length) }, pattern))
}
