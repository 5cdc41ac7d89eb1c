//! A bucket's records: all that a question reads.
//!
//! Each bucket has a cell, all of one size, so that a hash alone says where a key is: one trip to memory. A cell: a
//! fingerprint a record · where each record starts · where more are · the records, each key length, key, value,
//! line. What finds no room in a cell lies with its like in a section of its own; few keys do.

use super::hash::MOST_IN_BUCKET;
use super::varint;

/// Octets of a cell: four cache lines, which are asked for at once.
pub(super) const CELL: usize = 256;
/// Records of one bucket behind its cell start at multiples of this, so that 32 bits reach 32 GiB.
pub(super) const UNIT: usize = 8;
/// Records of a cell.
const SLOTS: usize = 7;
/// Octets before the records: seven fingerprints, how many records lie behind the cell, the starts of seven records,
/// zero, and where the records behind the cell start, as u32.
const HEAD: usize = 20;

/// What no builder writes.
pub(super) const CUT: &str = "a bucket ends before its records do";

/// One key's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: u32,
    pub(super) line: u32,
}

impl<'a> Record<'a> {
    /// The record at the front, and what follows it.
    fn take(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (key, rest) = Self::key(octets)?;
        let (value, rest) = varint::take(rest)?;
        let (line, rest) = varint::take(rest)?;
        Some((Self { key, value, line }, rest))
    }

    /// The key of the record at the front, and what follows it.
    #[inline]
    fn key(octets: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = varint::take(octets)?;
        rest.split_at_checked(usize::try_from(length).ok()?)
    }

    fn put(&self, out: &mut Vec<u8>) {
        varint::put(out, self.key.len() as u32);
        out.extend_from_slice(self.key);
        varint::put(out, self.value);
        varint::put(out, self.line);
    }
}

/// One bucket: its cell, and the section of the records behind cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket<'a> {
    pub(super) cell: &'a [u8; CELL],
    pub(super) behind: &'a [u8],
}

/// What a cell says of a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// Value and line.
    Found(u32, u32),
    /// It is not there.
    Nothing,
    /// It may lie behind the cell.
    Behind,
}

/// What the cell says of a key; none when what lies on the way is no cell.
///
/// Few instructions, and few that hang on what memory will say: as far as the processor looks ahead, so many questions
/// wait for memory at once. A call of its own would be some more.
#[inline(always)]
pub(super) fn find(cell: &[u8; CELL], fingerprint: u8, key: &[u8]) -> Option<Told> {
    let mut same = same(cell, fingerprint);
    while same != 0 {
        let start = usize::from(*cell.get(8 + same.trailing_zeros() as usize / 8)?);
        let (found, rest) = Record::key(cell.get(start..)?)?;
        if found == key {
            let (value, line) = varint::take_two(rest)?;
            return Some(Told::Found(value, line));
        }
        same &= same - 1;
    }
    Some(if cell[SLOTS] == 0 { Told::Nothing } else { Told::Behind })
}

/// Whether the head of a cell says that a key may be in it.
#[inline]
pub(super) fn may_have(cell: &[u8; CELL], fingerprint: u8) -> bool {
    same(cell, fingerprint) != 0
}

/// Which of the cell's fingerprints are this one: the high bit of its octet is set. All are compared at once, so
/// that the processor has nothing to guess that hangs on memory.
#[inline]
fn same(cell: &[u8; CELL], fingerprint: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const LOWS: u64 = ONES * 0x7f;
    let [marks, ..] = cell.as_chunks().0 else { return 0 };
    let differing = u64::from_le_bytes(*marks) ^ (ONES * u64::from(fingerprint));
    // The sum carries into an octet's high bit unless its seven lower bits are zero. The eighth octet is none.
    !(((differing & LOWS) + LOWS) | differing | LOWS) & (u64::MAX >> 8)
}

impl<'a> Bucket<'a> {
    /// The record of a key behind the cell; none where it is not there, an error when what lies there is no bucket.
    pub(super) fn find_behind(&self, key: &[u8]) -> Result<Option<Record<'a>>, &'static str> {
        let mut rest = self.rest().ok_or(CUT)?;
        for _ in 0..self.more() {
            let (record, after) = Record::take(rest).ok_or(CUT)?;
            if record.key == key {
                return Ok(Some(record));
            }
            rest = after;
        }
        Ok(None)
    }

    /// How many records lie behind the cell.
    #[inline]
    fn more(&self) -> usize {
        usize::from(self.cell[SLOTS]).min(MOST_IN_BUCKET)
    }

    /// From the records behind the cell on; nothing where there is none.
    #[inline]
    fn rest(&self) -> Option<&'a [u8]> {
        if self.more() == 0 { Some(&[]) } else { self.behind.get(self.start()..) }
    }

    /// Where the records behind the cell start.
    #[inline]
    fn start(&self) -> usize {
        let start = self.cell.first_chunk::<HEAD>().and_then(|head| head.last_chunk::<4>());
        start.map_or(0, |start| u32::from_le_bytes(*start) as usize * UNIT)
    }

    /// A record of the cell.
    #[inline]
    fn record(&self, slot: usize) -> Option<Record<'a>> {
        let start = usize::from(*self.cell.get(8 + slot)?);
        Record::take(self.cell.get(start..)?).map(|(record, _)| record)
    }

    /// All its records, each with its fingerprint if the cell has one; ends at the first that cannot be read.
    pub(super) fn records(&self) -> Records<'a> {
        Records { bucket: *self, slot: 0, left: self.more(), rest: self.rest() }
    }
}

/// See [`Bucket::records`].
#[derive(Debug, Clone)]
pub(super) struct Records<'a> {
    bucket: Bucket<'a>,
    slot: usize,
    /// Behind the cell.
    left: usize,
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        // A fingerprint is never zero: zero says that there is no record.
        if self.slot < SLOTS && self.bucket.cell[self.slot] != 0 {
            self.slot += 1;
            return Some(self.bucket.record(self.slot - 1).ok_or(CUT));
        }
        self.left = self.left.checked_sub(1)?;
        match self.rest.and_then(Record::take) {
            Some((record, rest)) => {
                self.rest = Some(rest);
                Some(Ok(record))
            }
            None => {
                self.left = 0;
                Some(Err(CUT))
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Collects the records of one bucket.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// With where each record starts and ends in `records`.
    slots: Vec<(u8, usize, usize)>,
    records: Vec<u8>,
}

impl Builder {
    pub(super) fn push(&mut self, fingerprint: u8, record: Record<'_>) {
        let start = self.records.len();
        record.put(&mut self.records);
        self.slots.push((fingerprint, start, self.records.len()));
    }

    /// The cell, and the records behind it, which go to the end of `behind`, where `before` octets of other buckets'
    /// lie before it; it is empty again. None when they are more than the format can say.
    pub(super) fn finish(&mut self, before: usize, behind: &mut Vec<u8>) -> Option<[u8; CELL]> {
        let mut cell = [0; CELL];
        let (head, room) = cell.split_at_mut(HEAD);
        let fits =
            |(number, (_, _, end)): &(usize, &(u8, usize, usize))| *number < SLOTS && *end <= room.len();
        let here = self.slots.iter().enumerate().take_while(fits).count();
        for (slot, (fingerprint, start, _)) in self.slots.iter().take(here).enumerate() {
            head[slot] = *fingerprint;
            head[8 + slot] = (HEAD + start) as u8;
        }
        let end = here.checked_sub(1).and_then(|last| self.slots.get(last)).map_or(0, |(_, _, end)| *end);
        let (records, rest) = self.records.split_at(end);
        room[..end].copy_from_slice(records);
        if !rest.is_empty() {
            head[SLOTS] = (self.slots.len() - here) as u8;
            let start = u32::try_from((before + behind.len()) / UNIT).ok()?;
            head[HEAD - 4..].copy_from_slice(&start.to_le_bytes());
            behind.extend_from_slice(rest);
            behind.resize(behind.len().next_multiple_of(UNIT), 0);
        }
        self.slots.clear();
        self.records.clear();
        Some(cell)
    }
}
