//! A record's frame: what stands before each payload in a segment, and how it is trusted.
//!
//! ```text
//!  0  magic    u32   "SwyR"
//!  4  version  u8    1
//!  5  kind     u8    accept 1, progress 2, done 3, void 4, mark 5
//!  6  zero     u16
//!  8  id       u64   queue id (of a mark: the highest id given out)
//! 16  epoch    u64   the segment's, drawn by chance each time the file is taken into use
//! 24  length   u32   of the payload
//! 28  proven   u32   everything before this offset of this segment is known to be on the disk
//! 32  sum      u32   CRC32C of the payload
//! 36  sum      u32   CRC32C of the 36 octets before
//! 40  payload, then zeros up to a multiple of 8
//! ```
//!
//! The epoch is what tells a record from an old one in a recycled file, and from one that somebody wrote into
//! the body of a message in the hope that we look there after a crash: it never leaves the folder.
//! All numbers are little-endian.

use std::io::IoSlice;

use bytes::Bytes;

use super::id::QueueId;

/// Octets of a frame.
pub(super) const FRAME: usize = 40;
/// Records start at multiples of this.
pub(super) const ALIGN: usize = 8;
/// The first four octets of a record.
pub(super) const MAGIC: [u8; 4] = *b"SwyR";

const VERSION: u8 = 1;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message is ours: its envelope, and its content or the blob that holds it.
    Accept = 1,
    /// How far its delivery has come.
    Progress = 2,
    /// Nothing is left to do for it.
    Done = 3,
    /// It was never acknowledged: as if its accept record did not exist.
    Void = 4,
    /// First in each segment: what is known of the one before, and the highest id given out.
    Mark = 5,
}

impl Kind {
    fn from_octet(octet: u8) -> Option<Self> {
        [Self::Accept, Self::Progress, Self::Done, Self::Void, Self::Mark]
            .into_iter()
            .find(|kind| *kind as u8 == octet)
    }
}

/// A frame that was read and can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub kind: Kind,
    pub id: QueueId,
    pub length: u32,
    pub proven: u32,
    pub sum: u32,
}

impl Frame {
    /// Reads a frame of this epoch; `None` is zeros, stale octets, damage or a version from the future.
    pub(super) fn read(octets: &[u8], epoch: u64) -> Option<Self> {
        Self::read_any_epoch(octets).filter(|(_, found)| *found == epoch).map(|(frame, _)| frame)
    }

    /// Reads a frame and says of which epoch it is.
    pub(super) fn read_any_epoch(octets: &[u8]) -> Option<(Self, u64)> {
        let octets = octets.get(..FRAME)?;
        let known = octets[..4] == MAGIC && octets[4] == VERSION && octets[6..8] == [0, 0];
        if !known || number(octets, 36) != crc32c::crc32c(&octets[..36]) {
            return None;
        }
        let frame = Self {
            kind: Kind::from_octet(octets[5])?,
            id: QueueId::new(wide_number(octets, 8))?,
            length: number(octets, 24),
            proven: number(octets, 28),
            sum: number(octets, 32),
        };
        Some((frame, wide_number(octets, 16)))
    }

    /// Octets of the whole record in the segment.
    pub(super) fn record_len(&self) -> u64 {
        record_len(u64::from(self.length))
    }
}

fn record_len(payload: u64) -> u64 {
    (FRAME as u64 + payload).next_multiple_of(ALIGN as u64)
}

fn number(octets: &[u8], at: usize) -> u32 {
    octets[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

fn wide_number(octets: &[u8], at: usize) -> u64 {
    octets[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

// ---------------------------------------------------------------------------------------------------------

/// A record to be written: all but its place is known. The content is held by reference to the octets that
/// came from the network and is never copied.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    kind: Kind,
    id: QueueId,
    /// Room for the frame, then the payload's first part.
    head: Vec<u8>,
    /// The payload's last part.
    tail: Bytes,
    sum: u32,
}

impl Draft {
    /// A record of `head` (after [`FRAME`] octets of room) and `tail`. Sums them up: the one pass over a body.
    pub(super) fn new(kind: Kind, id: QueueId, head: Vec<u8>, tail: Bytes) -> Self {
        debug_assert!(head.len() >= FRAME);
        let sum = crc32c::crc32c_append(crc32c::crc32c(&head[FRAME..]), &tail);
        Self { kind, id, head, tail, sum }
    }

    /// A record without a payload.
    pub(super) fn bare(kind: Kind, id: QueueId) -> Self {
        Self::new(kind, id, vec![0; FRAME], Bytes::new())
    }

    /// Octets of the whole record in a segment.
    pub(super) fn record_len(&self) -> u64 {
        record_len(self.payload_len())
    }

    fn payload_len(&self) -> u64 {
        (self.head.len() - FRAME + self.tail.len()) as u64
    }

    /// Completes the frame for its place. `false` when the payload is too long for any segment.
    pub(super) fn stamp(&mut self, epoch: u64, proven: u32) -> bool {
        let Ok(length) = u32::try_from(self.payload_len()) else { return false };
        let frame = &mut self.head[..FRAME];
        frame[..4].copy_from_slice(&MAGIC);
        frame[4] = VERSION;
        frame[5] = self.kind as u8;
        frame[6..8].fill(0);
        frame[8..16].copy_from_slice(&self.id.number().to_le_bytes());
        frame[16..24].copy_from_slice(&epoch.to_le_bytes());
        frame[24..28].copy_from_slice(&length.to_le_bytes());
        frame[28..32].copy_from_slice(&proven.to_le_bytes());
        frame[32..36].copy_from_slice(&self.sum.to_le_bytes());
        let sum = crc32c::crc32c(&frame[..36]);
        frame[36..].copy_from_slice(&sum.to_le_bytes());
        true
    }

    /// The octets to write, for one `pwritev` with others.
    pub(super) fn slices<'a>(&'a self, into: &mut Vec<IoSlice<'a>>) {
        const ZEROS: [u8; ALIGN] = [0; ALIGN];
        into.push(IoSlice::new(&self.head));
        if !self.tail.is_empty() {
            into.push(IoSlice::new(&self.tail));
        }
        let padding = self.record_len() - FRAME as u64 - self.payload_len();
        if padding > 0 {
            into.push(IoSlice::new(&ZEROS[..padding as usize]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(draft: &Draft) -> Vec<u8> {
        let mut slices = Vec::new();
        draft.slices(&mut slices);
        slices.iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    fn draft(payload: &str) -> Draft {
        let (head, tail) = payload.split_at(payload.len() / 2);
        let head = [&[0; FRAME][..], head.as_bytes()].concat();
        let mut draft =
            Draft::new(Kind::Accept, QueueId::new(77).unwrap(), head, Bytes::from(tail.to_owned()));
        assert!(draft.stamp(9, 4096));
        draft
    }

    #[test]
    fn a_frame_reads_back_and_records_are_aligned() {
        for payload in ["", "a", "12345678", "123456789"] {
            let octets = written(&draft(payload));
            let frame = Frame::read(&octets, 9).unwrap();
            assert_eq!((frame.kind, frame.id.number(), frame.proven), (Kind::Accept, 77, 4096));
            assert_eq!(frame.record_len() as usize, octets.len());
            assert_eq!(octets.len() % ALIGN, 0);
            assert_eq!(frame.sum, crc32c::crc32c(&octets[FRAME..FRAME + frame.length as usize]));
        }
    }

    #[test]
    fn h3_one_changed_bit_in_a_frame_is_seen() {
        let octets = written(&draft("payload"));
        assert!(Frame::read(&octets, 8).is_none(), "an old record of a recycled file");
        for bit in 0..FRAME * 8 {
            let mut bad = octets.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::read(&bad, 9).is_none(), "bit {bit}");
        }
        for length in 0..FRAME {
            assert!(Frame::read(&octets[..length], 9).is_none());
        }
    }
}
