//! A bucket's records, side by side: all that a question reads behind the directory.
//!
//! count (and whether offsets are wide) · a fingerprint a record · an offset a record · the records, each key
//! length, key, value number, line · zeros to a multiple of [`UNIT`]. An empty bucket has no octets at all.

use super::hash::MOST_IN_BUCKET;
use super::varint;

/// Groups start at multiples of this, so that the directory's 32 bits reach 32 GiB.
pub(super) const UNIT: usize = 8;

/// Set in the count when offsets have four octets instead of two.
const WIDE: u8 = 0x80;

/// One key's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: u32,
    pub(super) line: u32,
}

/// The octets of one group, its count read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    octets: &'a [u8],
    pub(super) count: usize,
    /// Octets of an offset.
    width: usize,
}

impl<'a> Group<'a> {
    /// None when the count is not one that a builder writes.
    #[inline]
    pub(super) fn read(octets: &'a [u8]) -> Option<Self> {
        let Some(first) = octets.first() else { return Some(Self { octets, count: 0, width: 2 }) };
        let count = usize::from(first & !WIDE);
        let width = if first & WIDE == 0 { 2 } else { 4 };
        (1..=MOST_IN_BUCKET).contains(&count).then_some(Self { octets, count, width })
    }

    /// The record of a key; an error when the octets on the way are no group.
    #[inline]
    pub(super) fn find(&self, fingerprint: u8, key: &[u8]) -> Result<Option<(u32, u32)>, &'static str> {
        for first in (0..self.count).step_by(8) {
            let mut same = self.same(first, fingerprint);
            while same != 0 {
                let number = first + same.trailing_zeros() as usize / 8;
                if let Some(rest) = after_key(self.from(number).ok_or(CUT)?, key)? {
                    let (value, rest) = varint::take(rest).ok_or(NUMBER)?;
                    let (line, _) = varint::take(rest).ok_or(NUMBER)?;
                    return Ok(Some((value, line)));
                }
                same &= same - 1;
            }
        }
        Ok(None)
    }

    /// Which of eight fingerprints may be this one: the high bit of its octet is set. Comparing all at once
    /// leaves the processor one branch to guess, where a loop has one for each; it then goes ahead to the next
    /// question while memory still answers this one.
    #[inline]
    fn same(&self, first: usize, fingerprint: u8) -> u64 {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        const HIGHS: u64 = ONES << 7;
        // A group has eight octets at least, and so behind its count seven or more.
        let octets = self.octets.get(1 + first..).unwrap_or_default();
        let eight = match octets.first_chunk::<8>() {
            Some(octets) => *octets,
            None => {
                let mut eight = [0; 8];
                eight.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
                eight
            }
        };
        // An octet becomes zero where it is the same; a borrow may mark its neighbour too, whose key then differs.
        let differing = u64::from_le_bytes(eight) ^ (ONES * u64::from(fingerprint));
        let left = (self.count - first).min(8);
        let counted = u64::MAX >> (64 - 8 * left);
        differing.wrapping_sub(ONES) & !differing & HIGHS & counted
    }

    pub(super) fn fingerprints(&self) -> Option<&'a [u8]> {
        if self.count == 0 { Some(&[]) } else { self.octets.get(1..=self.count) }
    }

    /// Where a record starts, from the group's start.
    #[inline]
    pub(super) fn offset(&self, number: usize) -> Option<usize> {
        let field = self.octets.get(1 + self.count + number * self.width..)?;
        if self.width == 2 {
            field.first_chunk().map(|octets| usize::from(u16::from_le_bytes(*octets)))
        } else {
            usize::try_from(u32::from_le_bytes(*field.first_chunk()?)).ok()
        }
    }

    #[inline]
    fn from(&self, number: usize) -> Option<&'a [u8]> {
        self.octets.get(self.offset(number)?..)
    }

    /// A record and what follows it.
    pub(super) fn record(&self, number: usize) -> Option<(Record<'a>, &'a [u8])> {
        let (length, rest) = varint::take(self.from(number)?)?;
        let (key, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let (value, rest) = varint::take(rest)?;
        let (line, rest) = varint::take(rest)?;
        Some((Record { key, value, line }, rest))
    }

    /// Whether this is, octet by octet, what a builder writes for the records it holds.
    pub(super) fn is_canonical(&self) -> bool {
        let mut again = Builder::default();
        let Some(fingerprints) = self.fingerprints() else { return false };
        for (number, fingerprint) in fingerprints.iter().enumerate() {
            let Some((record, _)) = self.record(number) else { return false };
            again.push(*fingerprint, record);
        }
        let mut octets = Vec::with_capacity(self.octets.len());
        again.finish(&mut octets);
        octets == self.octets
    }
}

const CUT: &str = "a group ends before its records do";
const NUMBER: &str = "a number does not end";

/// What follows the key in a record, if it is this key's.
#[inline]
fn after_key<'a>(record: &'a [u8], key: &[u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let (length, rest) = varint::take(record).ok_or(NUMBER)?;
    if length as usize != key.len() {
        return Ok(None);
    }
    let (found, rest) = rest.split_at_checked(key.len()).ok_or(CUT)?;
    Ok((found == key).then_some(rest))
}

// ---------------------------------------------------------------------------------------------------------

/// Collects the records of one bucket.
#[derive(Debug, Default)]
pub(super) struct Builder {
    fingerprints: Vec<u8>,
    /// Where each record starts in `records`.
    starts: Vec<usize>,
    records: Vec<u8>,
}

impl Builder {
    pub(super) fn push(&mut self, fingerprint: u8, record: Record<'_>) {
        self.fingerprints.push(fingerprint);
        self.starts.push(self.records.len());
        varint::put(&mut self.records, record.key.len() as u32);
        self.records.extend_from_slice(record.key);
        varint::put(&mut self.records, record.value);
        varint::put(&mut self.records, record.line);
    }

    /// Appends the group, and is empty again.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let count = self.fingerprints.len();
        if count == 0 {
            return;
        }
        let before = out.len();
        let narrow = 1 + 3 * count;
        let wide = narrow + self.records.len() > usize::from(u16::MAX);
        let first = if wide { 1 + 5 * count } else { narrow };
        out.push(count as u8 | if wide { WIDE } else { 0 });
        out.extend_from_slice(&self.fingerprints);
        for start in &self.starts {
            let offset = (first + start) as u32;
            out.extend_from_slice(&offset.to_le_bytes()[..if wide { 4 } else { 2 }]);
        }
        out.extend_from_slice(&self.records);
        out.resize(before + (out.len() - before).next_multiple_of(UNIT), 0);
        self.fingerprints.clear();
        self.starts.clear();
        self.records.clear();
    }
}
