//! A bucket's records: all that a question reads.
//!
//! Each bucket has a cell, all of one size, so that a hash alone says where a key is: one trip to memory. A cell: a
//! fingerprint a record · a mark for those that lie elsewhere · where each record starts and the last one ends · where
//! the others are · the records, each value, line, key. What finds no room in a cell lies with its like in a section of
//! its own; few keys do, and the marks spare most others the way there.

use super::hash::{MOST_IN_BUCKET, fingerprint, mark};

/// Octets of a cell: four cache lines, which are asked for at once.
pub(super) const CELL: usize = 256;
/// Records of one bucket behind its cell start at multiples of this, so that 32 bits reach 32 GiB.
pub(super) const UNIT: usize = 8;
/// Records of a cell.
const SLOTS: usize = 7;
/// Octets before the records: seven fingerprints, the marks of the records behind the cell, the bounds of seven
/// records, and where those behind the cell are, as u32.
const HEAD: usize = 20;
/// Where the bounds of the records are: each starts at its own one and ends at the next, counted from the head's end.
const BOUNDS: usize = SLOTS + 1;
/// Octets of a record before its key.
const NUMBERS: usize = 8;

/// What no builder writes.
pub(super) const CUT: &str = "a bucket ends before its records do";

/// One key's record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: u32,
    pub(super) line: u32,
}

impl<'a> Record<'a> {
    /// The record of these octets. Its numbers are of fixed length: whatever a question must find out about a record
    /// keeps the processor from the next question.
    #[inline]
    fn of(octets: &'a [u8]) -> Option<Self> {
        let (value, octets) = octets.split_first_chunk()?;
        let (line, key) = octets.split_first_chunk()?;
        Some(Self { key, value: u32::from_le_bytes(*value), line: u32::from_le_bytes(*line) })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.value.to_le_bytes());
        out.extend_from_slice(&self.line.to_le_bytes());
        out.extend_from_slice(self.key);
    }

    /// The record at the front of several, each behind its key's length, and what follows it.
    pub(super) fn take(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, octets) = octets.split_first_chunk()?;
        let (record, rest) = octets.split_at_checked(NUMBERS + usize::from(u16::from_le_bytes(*length)))?;
        Some((Self::of(record)?, rest))
    }

    /// Appends it as one of several. Its key has at most [`super::MOST_KEY`] octets.
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.key.len() as u16).to_le_bytes());
        self.put(out);
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
pub(super) fn find(cell: &[u8; CELL], hash: u64, key: &[u8]) -> Option<Told> {
    let mut same = same(cell, fingerprint(hash));
    while same != 0 {
        let found = record(cell, same.trailing_zeros() as usize / 8)?;
        if found.key == key {
            return Some(Told::Found(found.value, found.line));
        }
        same &= same - 1;
    }
    Some(if cell[SLOTS] & mark(hash) == 0 { Told::Nothing } else { Told::Behind })
}

/// A record of the cell.
#[inline]
fn record(cell: &[u8; CELL], slot: usize) -> Option<Record<'_>> {
    let [start, end] = *cell.get(BOUNDS + slot..)?.first_chunk()?;
    Record::of(cell.get(HEAD + usize::from(start)..HEAD + usize::from(end))?)
}

/// Whether the head of a cell says that a key may be in it.
#[inline]
pub(super) fn may_have(cell: &[u8; CELL], hash: u64) -> bool {
    same(cell, fingerprint(hash)) != 0
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
        let (count, mut rest) = self.others().ok_or(CUT)?;
        for _ in 0..count {
            let (record, after) = Record::take(rest).ok_or(CUT)?;
            if record.key == key {
                return Ok(Some(record));
            }
            rest = after;
        }
        Ok(None)
    }

    /// How many records lie behind the cell, and the octets from the first on.
    #[inline]
    fn others(&self) -> Option<(usize, &'a [u8])> {
        if self.cell[SLOTS] == 0 {
            return Some((0, &[]));
        }
        let (count, rest) = self.behind.get(self.start()..)?.split_first()?;
        Some((usize::from(*count).min(MOST_IN_BUCKET), rest))
    }

    /// Where the records behind the cell start.
    #[inline]
    fn start(&self) -> usize {
        let start = self.cell.first_chunk::<HEAD>().and_then(|head| head.last_chunk::<4>());
        start.map_or(0, |start| u32::from_le_bytes(*start) as usize * UNIT)
    }

    /// All its records; ends at the first that cannot be read.
    pub(super) fn records(&self) -> Records<'a> {
        let (left, rest) = self.others().map_or((1, None), |(count, rest)| (count, Some(rest)));
        Records { bucket: *self, slot: 0, left, rest }
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
            return Some(record(self.bucket.cell, self.slot - 1).ok_or(CUT));
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

/// Collects the records of one bucket: each goes to its place in the cell, while there is room.
#[derive(Debug)]
pub(super) struct Builder {
    cell: [u8; CELL],
    /// Records in the cell, and where the last of them ends.
    slots: usize,
    end: usize,
    /// Those behind it: each key's hash, and where its record starts and ends in `records`.
    others: Vec<(u64, usize, usize)>,
    records: Vec<u8>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { cell: [0; CELL], slots: 0, end: 0, others: Vec::new(), records: Vec::new() }
    }
}

impl Builder {
    pub(super) fn push(&mut self, hash: u64, record: Record<'_>) {
        let end = self.end + NUMBERS + record.key.len();
        let (head, room) = self.cell.split_at_mut(HEAD);
        // Behind one that has no room are all that follow it.
        if self.slots < SLOTS
            && self.others.is_empty()
            && let Some((value, rest)) = room.get_mut(self.end..end).and_then(<[u8]>::split_first_chunk_mut)
            && let Some((line, key)) = rest.split_first_chunk_mut()
        {
            *value = record.value.to_le_bytes();
            *line = record.line.to_le_bytes();
            key.copy_from_slice(record.key);
            head[self.slots] = fingerprint(hash);
            head[BOUNDS + self.slots] = self.end as u8;
            head[BOUNDS + self.slots + 1] = end as u8;
            (self.slots, self.end) = (self.slots + 1, end);
            return;
        }
        let start = self.records.len();
        record.put(&mut self.records);
        self.others.push((hash, start, self.records.len()));
    }

    /// The cell, and the records behind it, which go to the end of `behind`, where `before` octets of other buckets'
    /// lie before it; it is empty again. None when they are more than the format can say.
    pub(super) fn finish(&mut self, before: usize, behind: &mut Vec<u8>) -> Option<[u8; CELL]> {
        let mut cell = std::mem::replace(&mut self.cell, [0; CELL]);
        (self.slots, self.end) = (0, 0);
        if !self.others.is_empty() {
            let start = u32::try_from((before + behind.len()) / UNIT).ok()?;
            cell[HEAD - 4..HEAD].copy_from_slice(&start.to_le_bytes());
            behind.push(self.others.len() as u8);
            for (hash, start, end) in &self.others {
                cell[SLOTS] |= mark(*hash);
                behind.extend_from_slice(&((end - start - NUMBERS) as u16).to_le_bytes());
                behind.extend_from_slice(&self.records[*start..*end]);
            }
            behind.resize(behind.len().next_multiple_of(UNIT), 0);
            self.others.clear();
            self.records.clear();
        }
        Some(cell)
    }
}
