//! How octets travel: one zstd frame, unpacked no further than somebody signed for.
//!
//! A hash and a length always speak of what is unpacked. Whoever unpacks knows from a signed head how long that may
//! be, so a small frame that would fill the disk ends with the first octet too many, and a frame that wants a
//! large window is refused before it gets one.

use std::io::{self, BufRead, Read, Take, Write};

use zstd::stream::raw::CParameter;
use zstd::stream::{read, write};

/// The largest window is 2 to this: 8 MiB.
const WINDOW: u32 = 23;

/// Fast, and within a tenth of what slow levels reach on tables.
const LEVEL: i32 = 3;

/// Why a frame is not unpacked; it comes as the inner error of an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// More comes out than may.
    #[error("it unpacks to more than {0} octets")]
    TooLong(u64),
    /// More goes in than any packing of so many octets needs.
    #[error("its packed form is longer than any of {0} octets can be")]
    Padded(u64),
    /// Nothing at all.
    #[error("there is nothing to unpack")]
    Empty,
    /// More than one frame.
    #[error("octets after the end of the packed form")]
    Trailing,
}

impl From<BadFrame> for io::Error {
    fn from(bad: BadFrame) -> Self {
        Self::new(io::ErrorKind::InvalidData, bad)
    }
}

/// The longest packed form of so many octets: what a client reads at most.
pub fn longest(unpacked: u64) -> u64 {
    // zstd adds 3 octets for a block of 128 KiB that it cannot make smaller, and a frame's head and foot.
    unpacked.saturating_add(unpacked / 256).saturating_add(1024)
}

/// Packs what is written to it; [`Packer::finish`] ends the frame.
pub struct Packer<W: Write>(write::Encoder<'static, W>);

impl<W: Write> Packer<W> {
    /// A new frame.
    pub fn new(out: W) -> io::Result<Self> {
        let mut encoder = write::Encoder::new(out, LEVEL)?;
        encoder.set_parameter(CParameter::ChecksumFlag(false))?;
        Ok(Self(encoder))
    }

    /// Ends the frame.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Unpacks what is written to it, and passes it on: for one who is told and cannot ask. How much may come out is for
/// `out` to know; how much goes in, for whoever writes.
pub struct Pourer<W: Write>(write::Decoder<'static, W>);

impl<W: Write> Pourer<W> {
    /// A frame that comes in pieces.
    pub fn new(out: W) -> io::Result<Self> {
        let mut decoder = write::Decoder::new(out)?;
        decoder.window_log_max(WINDOW)?;
        Ok(Self(decoder))
    }
}

impl<W: Write> Write for Pourer<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Unpacks one frame to at most so many octets; nothing may follow it.
pub struct Unpacker<R: BufRead> {
    decoder: read::Decoder<'static, Take<R>>,
    most: u64,
    left: u64,
}

impl<R: BufRead> Unpacker<R> {
    /// The frame that begins here.
    pub fn new(packed: R, most: u64) -> io::Result<Self> {
        let mut packed = packed.take(longest(most).saturating_add(1));
        if packed.fill_buf()?.is_empty() {
            return Err(BadFrame::Empty.into());
        }
        let mut decoder = read::Decoder::with_buffer(packed)?.single_frame();
        decoder.window_log_max(WINDOW)?;
        Ok(Self { decoder, most, left: most })
    }

    /// The frame is over: so must be what it came in.
    fn end(&mut self) -> io::Result<usize> {
        let packed = self.decoder.get_mut();
        if packed.fill_buf()?.is_empty() { Ok(0) } else { Err(BadFrame::Trailing.into()) }
    }
}

impl<R: BufRead> Read for Unpacker<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let count = self.decoder.read(into);
        if self.decoder.get_ref().limit() == 0 {
            return Err(BadFrame::Padded(self.most).into());
        }
        match count? {
            0 => self.end(),
            count => {
                let left = self.left.checked_sub(count as u64);
                self.left = left.ok_or(BadFrame::TooLong(self.most))?;
                Ok(count)
            }
        }
    }
}

/// Packs octets that are in memory.
pub fn pack(octets: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = Packer::new(Vec::new())?;
    packer.write_all(octets)?;
    packer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: &[u8], most: u64) -> Result<Vec<u8>, String> {
        let mut octets = Vec::new();
        let unpacked = Unpacker::new(packed, most).and_then(|mut frame| frame.read_to_end(&mut octets));
        unpacked.map(|_| octets).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_packed_comes_back_and_is_never_longer_than_it_can_be() {
        for length in [0, 1, 1000, 1 << 20] {
            let dull = vec![b'x'; length];
            assert_eq!(unpack(&pack(&dull).unwrap(), length as u64), Ok(dull));
            let mut chance = by_chance(length);
            let packed = pack(&chance).unwrap();
            assert!(packed.len() as u64 <= longest(length as u64), "{length}: {}", packed.len());
            assert_eq!(unpack(&packed, length as u64), Ok(std::mem::take(&mut chance)));
        }
    }

    /// Octets that do not pack.
    fn by_chance(length: usize) -> Vec<u8> {
        let mut octets = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut octets);
        octets
    }

    #[test]
    fn y6_a_small_frame_of_very_much_ends_with_the_first_octet_too_many() {
        let mut packer = Packer::new(Vec::new()).unwrap();
        let block = [0; 1 << 16];
        (0..1 << 12).for_each(|_| packer.write_all(&block).unwrap());
        let bomb = packer.finish().unwrap();
        assert!(bomb.len() < 32_000, "{} octets for 256 MiB", bomb.len());
        assert_eq!(unpack(&bomb, 1000), Err(BadFrame::TooLong(1000).to_string()));
        // One octet less than is told is too few by one.
        let ten = pack(b"0123456789").unwrap();
        assert_eq!(unpack(&ten, 9), Err(BadFrame::TooLong(9).to_string()));
        assert_eq!(unpack(&ten, 10), Ok(b"0123456789".to_vec()));
    }

    #[test]
    fn y6_a_window_beyond_8_mib_is_refused() {
        let wide = |log| {
            let mut encoder = write::Encoder::new(Vec::new(), LEVEL).unwrap();
            encoder.set_parameter(CParameter::WindowLog(log)).unwrap();
            encoder.write_all(b"few octets").unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(unpack(&wide(WINDOW), 10), Ok(b"few octets".to_vec()));
        let refused = unpack(&wide(WINDOW + 1), 10).unwrap_err();
        assert!(refused.contains("memory"), "{refused}");
    }

    #[test]
    fn y6_a_stream_without_end_without_a_frame_or_with_more_is_refused() {
        let one = pack(b"one").unwrap();
        assert_eq!(unpack(b"", 10), Err(BadFrame::Empty.to_string()));
        assert!(unpack(b"no frame at all", 10).is_err());
        for cut in 1..one.len() {
            assert!(unpack(&one[..cut], 10).is_err(), "cut at {cut}");
        }
        let two = [one.as_slice(), &one].concat();
        assert_eq!(unpack(&two, 10), Err(BadFrame::Trailing.to_string()));
        // Blocks of nothing that never end: head of a frame with a window, then empty raw blocks.
        let head: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
        let empty_blocks = io::repeat(0);
        let endless = io::BufReader::new(head.chain(empty_blocks));
        let refused = Unpacker::new(endless, 10).and_then(|mut frame| frame.read_to_end(&mut Vec::new()));
        assert_eq!(refused.unwrap_err().to_string(), BadFrame::Padded(10).to_string());
        // A frame to skip, and nothing after it.
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, b'x'];
        assert_eq!(unpack(&skipped, 10), Ok(Vec::new()));
    }
}
