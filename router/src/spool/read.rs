//! Reading back: one record by its place, or all of a segment in order.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::disk::{DiskFile, read_full};
use super::ledger::Location;
use super::record::{ALIGN, FRAME, Frame, MAGIC};
use super::segment::HEADER;

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The disk said no.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// Other octets are there than those that were written.
    #[error("the record is damaged")]
    Damaged,
}

/// One record, checked.
pub(super) fn record(file: &dyn DiskFile, epoch: u64, at: Location) -> Result<(Frame, Bytes), ReadError> {
    let mut octets = vec![0; at.length as usize];
    let filled = read_full(file, &mut octets, u64::from(at.offset))?;
    octets.truncate(filled);
    let frame = Frame::read(&octets, epoch).ok_or(ReadError::Damaged)?;
    let end = FRAME + frame.length as usize;
    let payload = octets.get(FRAME..end).ok_or(ReadError::Damaged)?;
    if crc32c::crc32c(payload) != frame.sum {
        return Err(ReadError::Damaged);
    }
    Ok((frame, Bytes::from(octets).slice(FRAME..end)))
}

// ---------------------------------------------------------------------------------------------------------

/// What stands at a place of a segment.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A record.
    Record { frame: Frame, payload: &'a [u8], offset: u32 },
    /// Octets that were a record once, before others that still are.
    Damage { offset: u32, length: u32 },
    /// Nothing more, but for so many octets of a record whose writing was cut short.
    End { torn: bool },
}

/// Goes through a segment record by record. Octets that are none are damage if somebody vouched for them,
/// here (a later record's `proven`) or elsewhere (the next segment's mark); else they are where a write was
/// cut short, and the end.
#[derive(Debug)]
pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    epoch: u64,
    size: u64,
    at: u64,
    /// Everything before is known to have been durable.
    proven: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Scan {
    pub(super) fn new(file: Arc<dyn DiskFile>, epoch: u64, vouched: u32) -> io::Result<Self> {
        // Offsets are of 32 bits, and what we made is smaller still.
        let size = file.size()?.min(u64::from(u32::MAX));
        let (at, proven) = (u64::from(HEADER), u64::from(vouched));
        Ok(Self { file, epoch, size, at, proven, window: Vec::new(), window_at: 0 })
    }

    /// Everything before this offset is known to have been durable.
    pub(super) fn proven(&self) -> u64 {
        self.proven
    }

    /// The next thing there.
    pub(super) fn next(&mut self) -> io::Result<Found<'_>> {
        let at = self.at;
        if let Some(frame) = self.record_at(at)? {
            self.at += frame.record_len();
            self.proven = self.proven.max(u64::from(frame.proven));
            let start = (at - self.window_at) as usize + FRAME;
            let payload = &self.window[start..start + frame.length as usize];
            return Ok(Found::Record { frame, payload, offset: at as u32 });
        }
        let torn = self.starts_record(at)?;
        let next = self.vouching_record_after(at)?;
        // What is vouched for and followed by nothing readable is damage up to where the voucher ends.
        let end = next.or((at < self.proven).then_some(self.proven)).filter(|end| *end <= self.size);
        match end {
            Some(end) => {
                self.at = end;
                Ok(Found::Damage { offset: at as u32, length: (end - at) as u32 })
            }
            None => Ok(Found::End { torn }),
        }
    }

    /// The frame at a place, if its whole record is sound; the record is in the window then.
    fn record_at(&mut self, at: u64) -> io::Result<Option<Frame>> {
        let epoch = self.epoch;
        let Some(frame) = Frame::read(self.look(at, FRAME)?, epoch) else { return Ok(None) };
        // A length that leads out of the segment is none of ours.
        if at + frame.record_len() > self.size {
            return Ok(None);
        }
        let octets = self.look(at, FRAME + frame.length as usize)?;
        let sound = octets.get(FRAME..).is_some_and(|payload| crc32c::crc32c(payload) == frame.sum);
        Ok(sound.then_some(frame))
    }

    fn starts_record(&mut self, at: u64) -> io::Result<bool> {
        let epoch = self.epoch;
        Ok(Frame::read(self.look(at, FRAME)?, epoch).is_some())
    }

    /// The first sound record after `at`, if it or one that follows vouches for what is at `at`.
    fn vouching_record_after(&mut self, at: u64) -> io::Result<Option<u64>> {
        let mut first = None;
        let mut look_at = at + ALIGN as u64;
        while let Some(candidate) = self.next_magic(look_at)? {
            look_at = candidate + ALIGN as u64;
            if let Some(frame) = self.record_at(candidate)? {
                first = first.or(Some(candidate));
                if u64::from(frame.proven) > at || self.proven > at {
                    return Ok(first);
                }
                look_at = candidate + frame.record_len();
            }
        }
        Ok(None)
    }

    /// Where the next octets stand that could be a record's first.
    fn next_magic(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at + FRAME as u64 <= self.size {
            let octets = self.rest_of_window(at)?;
            let found = octets.chunks_exact(ALIGN).position(|chunk| chunk[..4] == MAGIC);
            if let Some(index) = found {
                return Ok(Some(at + (index * ALIGN) as u64));
            }
            let seen = octets.len() / ALIGN * ALIGN;
            if seen == 0 {
                break;
            }
            at += seen as u64;
        }
        Ok(None)
    }

    /// What the window holds from `at` on, or a new window.
    fn rest_of_window(&mut self, at: u64) -> io::Result<&[u8]> {
        let held = (self.window_at + self.window.len() as u64).saturating_sub(at);
        let length = if at >= self.window_at && held >= ALIGN as u64 { held as usize } else { WINDOW };
        self.look(at, length)
    }

    /// Up to `length` octets from `at`, fewer at the end of the file.
    fn look(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let end = (at + length as u64).min(self.size);
        let held = self.window_at + self.window.len() as u64;
        if at < self.window_at || end > held {
            let wanted = (length.max(WINDOW) as u64).min(self.size.saturating_sub(at));
            self.window.resize(wanted as usize, 0);
            self.window_at = at;
            let filled = read_full(&*self.file, &mut self.window, at)?;
            self.window.truncate(filled);
        }
        let start = ((at - self.window_at) as usize).min(self.window.len());
        let stop = (start + length).min(self.window.len());
        Ok(&self.window[start..stop])
    }
}

const WINDOW: usize = 256 << 10;
