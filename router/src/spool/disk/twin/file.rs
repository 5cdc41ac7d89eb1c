//! A file of the twin: what is in the cache, what is on the plate, and what a power cut leaves of the difference.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{Call, Left, Twin};
use crate::spool::disk::DiskFile;

#[derive(Debug, Clone, Default)]
pub(super) struct File {
    pub(super) cached: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) unsynced: Vec<(usize, Vec<u8>)>,
}

impl File {
    pub(super) fn write(&mut self, offset: usize, octets: &[u8]) {
        self.unsynced.push((offset, octets.to_vec()));
        overlay(&mut self.cached, offset, octets);
    }

    pub(super) fn after(&self, left: Left, chance: &mut Chance) -> Vec<u8> {
        match left {
            Left::Synced => self.durable.clone(),
            Left::All => self.cached.clone(),
            Left::Some(_) => {
                let mut content = self.durable.clone();
                for (offset, octets) in &self.unsynced {
                    let mut at = 0;
                    while at < octets.len() {
                        let sector = (SECTOR - (offset + at) % SECTOR).min(octets.len() - at);
                        if chance.below(2) == 0 {
                            overlay(&mut content, offset + at, &octets[at..at + sector]);
                        }
                        at += sector;
                    }
                }
                content
            }
        }
    }
}

const SECTOR: usize = 512;

fn overlay(content: &mut Vec<u8>, offset: usize, octets: &[u8]) {
    let end = offset + octets.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(octets);
}

/// Numbers that look like chance and come again with the seed (splitmix64).
#[derive(Debug)]
pub(in crate::spool) struct Chance(pub u64);

impl Chance {
    pub(in crate::spool) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % limit
    }
}

#[derive(Debug)]
pub(super) struct Handle {
    pub(super) disk: Twin,
    pub(super) number: u64,
}

impl DiskFile for Handle {
    fn pwritev(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let octets: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let end = state.call(Call::Write);
        let file = state.files.get_mut(&self.number).unwrap();
        match end {
            Ok(()) => {
                file.write(offset as usize, &octets);
                Ok(octets.len())
            }
            Err((error, reached)) => {
                file.write(offset as usize, &octets[..reached.min(octets.len())]);
                Err(error)
            }
        }
    }

    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let content = &state.files[&self.number].cached;
        let rest = content.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn fdatasync(&self) -> io::Result<()> {
        let gate = Arc::clone(&self.disk.state().gate);
        drop(gate.opened.wait_while(gate.shut.lock().unwrap(), |shut| *shut).unwrap());
        let mut state = self.disk.state();
        let end = state.call(Call::Sync);
        let cut = matches!(&end, Err((error, _)) if error.kind() == io::ErrorKind::BrokenPipe);
        let file = state.files.get_mut(&self.number).unwrap();
        match end {
            Ok(()) => {
                for (offset, octets) in file.unsynced.drain(..) {
                    overlay(&mut file.durable, offset, &octets);
                }
                Ok(())
            }
            Err((error, _)) => {
                if !cut {
                    // The pages count as clean now, and never reach the disk.
                    file.unsynced.clear();
                }
                Err(error)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.number].cached.len() as u64)
    }
}
