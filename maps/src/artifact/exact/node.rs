//! A bucket's records: all that a question reads behind the directory.
//!
//! A bucket is a chain of nodes side by side, almost always one. A node: a fingerprint a record · where the next
//! node starts · where each record starts · the records, each value, line, key length, key. Every field stands at
//! a fixed place, and nothing is searched for record by record, so that the processor has nothing to guess that
//! hangs on memory: it goes ahead to the next question while memory still answers this one.

use super::hash::MOST_IN_BUCKET;

/// Nodes of a new bucket start at multiples of this: half a cache line, so that a head lies in one line.
pub(super) const UNIT: usize = 32;
/// Records and further nodes start at multiples of this from their node's start.
const STEP: usize = 8;
/// Records of a node.
pub(super) const SLOTS: usize = 7;
/// Octets of a node before its records: eight of fingerprints, the last of them zero; and eight u16.
const HEAD: usize = 24;
/// Octets of a record before its key: value, line, key length.
const FIELDS: usize = 10;
/// Nodes of the fullest bucket.
const MOST_NODES: usize = MOST_IN_BUCKET.div_ceil(SLOTS);

/// One key's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: u32,
    pub(super) line: u32,
}

/// What no builder writes.
pub(super) const CUT: &str = "a bucket ends before its records do";

/// The record of a key in the bucket that the octets start with; an error when what lies on the way is no node.
#[inline]
pub(super) fn find<'a>(
    mut octets: &'a [u8],
    fingerprint: u8,
    key: &[u8],
) -> Result<Option<Record<'a>>, &'static str> {
    for _ in 0..MOST_NODES {
        let node = Node::read(octets).ok_or(CUT)?;
        let mut same = node.same(fingerprint);
        while same != 0 {
            let record = node.record(same.trailing_zeros() as usize / 8).ok_or(CUT)?;
            if record.key == key {
                return Ok(Some(record));
            }
            same &= same - 1;
        }
        match node.next() {
            None => return Ok(None),
            Some(next) => octets = next,
        }
    }
    Err("a bucket of too many nodes")
}

/// A node, and what follows it in its section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    head: &'a [u8; HEAD],
    octets: &'a [u8],
}

impl<'a> Node<'a> {
    /// None when there are fewer octets than a head has.
    #[inline]
    pub(super) fn read(octets: &'a [u8]) -> Option<Self> {
        octets.first_chunk().map(|head| Self { head, octets })
    }

    /// Which of the fingerprints are this one: the high bit of its octet is set.
    #[inline]
    fn same(&self, fingerprint: u8) -> u64 {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        const LOWS: u64 = ONES * 0x7f;
        let [a, b, c, d, e, f, g, h, ..] = *self.head;
        let differing = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ (ONES * u64::from(fingerprint));
        // The sum carries into an octet's high bit unless its seven lower bits are zero.
        !(((differing & LOWS) + LOWS) | differing | LOWS)
    }

    /// A fingerprint is never zero: zero says that there is no record.
    pub(super) fn fingerprint(&self, slot: usize) -> Option<u8> {
        self.head.get(..SLOTS)?.get(slot).copied().filter(|fingerprint| *fingerprint != 0)
    }

    /// A field of those behind the fingerprints, in octets; zero is none.
    #[inline]
    fn place(&self, field: usize) -> usize {
        let (_, fields) = self.head.split_at(8);
        fields.as_chunks::<2>().0.get(field).map_or(0, |place| usize::from(u16::from_le_bytes(*place)) * STEP)
    }

    /// The octets from the next node of the bucket on.
    #[inline]
    pub(super) fn next(&self) -> Option<&'a [u8]> {
        match self.place(SLOTS) {
            0 => None,
            at => Some(self.octets.get(at..).unwrap_or_default()),
        }
    }

    /// A record.
    #[inline]
    pub(super) fn record(&self, slot: usize) -> Option<Record<'a>> {
        let (fields, rest) = self.octets.get(self.place(slot)..)?.split_first_chunk::<FIELDS>()?;
        let [a, b, c, d, e, f, g, h, low, high] = *fields;
        let key = rest.get(..usize::from(u16::from_le_bytes([low, high])))?;
        let (value, line) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        Some(Record { key, value, line })
    }
}

/// The records of the bucket that the octets start with; ends at the first one that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Bucket<'a> {
    node: Option<Node<'a>>,
    slot: usize,
    nodes: usize,
    /// Once.
    cut: bool,
}

impl<'a> Bucket<'a> {
    /// No record.
    pub(super) const EMPTY: Self = Self { node: None, slot: 0, nodes: 0, cut: false };

    pub(super) fn read(octets: &'a [u8]) -> Self {
        let node = Node::read(octets);
        Self { node, slot: 0, nodes: 1, cut: node.is_none() }
    }
}

impl<'a> Iterator for Bucket<'a> {
    type Item = Result<(u8, Record<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(node) = self.node {
            if let Some(fingerprint) = node.fingerprint(self.slot) {
                let record = node.record(self.slot);
                self.slot += 1;
                if record.is_none() {
                    self.node = None;
                }
                return Some(record.map(|record| (fingerprint, record)).ok_or(CUT));
            }
            self.slot = 0;
            self.nodes += 1;
            let next = node.next();
            self.node = next.filter(|_| self.nodes <= MOST_NODES).and_then(Node::read);
            self.cut = next.is_some() && self.node.is_none();
        }
        std::mem::take(&mut self.cut).then_some(Err(CUT))
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
        self.records.extend_from_slice(&record.value.to_le_bytes());
        self.records.extend_from_slice(&record.line.to_le_bytes());
        self.records.extend_from_slice(&(record.key.len() as u16).to_le_bytes());
        self.records.extend_from_slice(record.key);
        self.records.resize(self.records.len().next_multiple_of(STEP), 0);
        self.slots.push((fingerprint, start, self.records.len()));
    }

    /// Appends the bucket, and is empty again.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        let mut slots = self.slots.as_slice();
        loop {
            let (node, rest) = slots.split_at(slots.len().min(SLOTS));
            let range = match node {
                [(_, start, _), .., (_, _, end)] | [(_, start, end)] => *start..*end,
                [] => 0..0,
            };
            let mut head = [0; HEAD];
            let (fingerprints, places) = head.split_at_mut(8);
            let places = places.as_chunks_mut::<2>().0;
            for ((to, place), (fingerprint, start, _)) in fingerprints.iter_mut().zip(&mut *places).zip(node)
            {
                *to = *fingerprint;
                *place = steps(HEAD + start - range.start);
            }
            if let (Some(next), false) = (places.last_mut(), rest.is_empty()) {
                *next = steps(HEAD + range.len());
            }
            out.extend_from_slice(&head);
            out.extend_from_slice(&self.records[range]);
            slots = rest;
            if slots.is_empty() {
                break;
            }
        }
        out.resize(before + (out.len() - before).next_multiple_of(UNIT), 0);
        self.slots.clear();
        self.records.clear();
    }
}

/// A place as a field: even seven keys of the greatest length stay below the greatest u16.
fn steps(octets: usize) -> [u8; 2] {
    ((octets / STEP) as u16).to_le_bytes()
}
