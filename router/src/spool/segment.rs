//! A segment's file: its name, its header, and how a spare one is taken into use.
//!
//! The header fills a page of its own, so that no write to a record ever touches it:
//!
//! ```text
//!  0  magic       u64   "SwySeg1\n"
//!  8  sequence    u64   its place among the segments: the file's name
//! 16  epoch       u64   drawn by chance; see `record`
//! 24  high water  u64   the highest queue id given out so far
//! 32  sum         u32   CRC32C of the 32 octets before
//! ```

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, Place, write_all};

/// Where the first record stands.
pub(super) const HEADER: u32 = 4096;

const MAGIC: [u8; 8] = *b"SwySeg1\n";
const HEADER_USED: usize = 36;

/// A segment in the log that nothing was written to yet; the disk knows its name and header.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub sequence: u64,
    pub epoch: u64,
    pub file: Arc<dyn DiskFile>,
    pub capacity: u32,
}

/// A file of a segment's size that holds nothing we need.
#[derive(Debug, Clone)]
pub(super) struct Spare {
    pub name: String,
    pub file: Arc<dyn DiskFile>,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub epoch: u64,
    pub high_water: u64,
}

impl Header {
    /// Reads the header of segment `sequence`; `None` is damage, or a segment never taken into use.
    pub(super) fn read(octets: &[u8], sequence: u64) -> Option<Self> {
        let octets: &[u8; HEADER_USED] = octets.first_chunk()?;
        let wide = |at: usize| octets[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let sum = octets.last_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        let sound = octets[..8] == MAGIC && sum == crc32c::crc32c(&octets[..32]) && wide(8) == sequence;
        sound.then(|| Self { epoch: wide(16), high_water: wide(24) })
    }

    fn write(self, sequence: u64) -> Vec<u8> {
        let mut octets = vec![0; HEADER as usize];
        octets[..8].copy_from_slice(&MAGIC);
        octets[8..16].copy_from_slice(&sequence.to_le_bytes());
        octets[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        octets[24..32].copy_from_slice(&self.high_water.to_le_bytes());
        let sum = crc32c::crc32c(&octets[..32]);
        octets[32..36].copy_from_slice(&sum.to_le_bytes());
        octets
    }
}

/// The name of a segment in the log.
pub(super) fn log_name(sequence: u64) -> String {
    format!("{sequence:016x}")
}

/// The reverse of [`log_name`].
pub(super) fn log_sequence(name: &str) -> Option<u64> {
    let exact = name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if exact { u64::from_str_radix(name, 16).ok() } else { None }
}

/// The name of a spare file.
pub(super) fn spare_name(number: u64) -> String {
    format!("{SPARE}{number:016x}")
}

/// The reverse of [`spare_name`].
pub(super) fn spare_number(name: &str) -> Option<u64> {
    name.strip_prefix(SPARE).and_then(log_sequence)
}

const SPARE: &str = "spare-";

/// Makes a spare file: zeros all over, so that a later sync has no metadata to write.
pub(super) fn create_spare(disk: &dyn Disk, number: u64, capacity: u64) -> io::Result<Spare> {
    const ZEROS: &[u8] = &[0; 256 << 10];
    let name = spare_name(number);
    let file = disk.create(Place::Log, &name)?;
    let filled = (0..capacity).step_by(ZEROS.len()).try_for_each(|offset| {
        let length = (capacity - offset).min(ZEROS.len() as u64) as usize;
        write_all(&*file, &mut [IoSlice::new(&ZEROS[..length])], offset)
    });
    match filled.and_then(|()| file.fdatasync()) {
        Ok(()) => Ok(Spare { name, file }),
        Err(error) => {
            // What is left of it is found and removed at the next start.
            let _ = disk.unlink(Place::Log, &name);
            Err(error)
        }
    }
}

/// Takes a spare file into use: a new epoch in the header, then the name. Both are durable when it returns.
pub(super) fn prepare(disk: &dyn Disk, spare: Spare, sequence: u64, high_water: u64) -> io::Result<Prepared> {
    let capacity = u32::try_from(spare.file.size()?).unwrap_or(u32::MAX);
    let epoch = random();
    let header = Header { epoch, high_water }.write(sequence);
    write_all(&*spare.file, &mut [IoSlice::new(&header)], 0)?;
    spare.file.fdatasync()?;
    disk.rename(Place::Log, &spare.name, &log_name(sequence))?;
    disk.sync_folder(Place::Log)?;
    Ok(Prepared { sequence, epoch, file: spare.file, capacity })
}

/// 64 bits that nobody can guess: halves of a random UUID, whose few fixed bits fall on one another's random ones.
fn random() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low.rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_names_read_back_and_nothing_else_does() {
        let header = Header { epoch: 1, high_water: 2 };
        let octets = header.write(3);
        assert_eq!(Header::read(&octets, 3), Some(header));
        assert_eq!(Header::read(&octets, 4), None);
        for bit in 0..HEADER_USED * 8 {
            let mut bad = octets.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::read(&bad, 3), None, "bit {bit}");
        }
        assert_eq!(log_sequence(&log_name(77)), Some(77));
        assert_eq!(spare_number(&spare_name(77)), Some(77));
        for name in ["", "lock", "00000000000000FF", "+000000000000001", "spare-", "spare-1"] {
            assert_eq!((log_sequence(name), spare_number(name)), (None, None), "{name}");
        }
    }
}
