//! Whole files as they travel: packed once, and kept while they are asked for.
//!
//! A host that has no table to lay a change over needs all of it, and packed that is a quarter or a fifth of the
//! octets. One file is packed at a time, also when a thousand hosts ask for it. What was packed lies below the store
//! in `packed/`; it is nothing that could not be made again, so that folder is emptied at a start and bounded by
//! leaving out what was not asked for longest.
//!
//! Those of them that are not long are handed out from memory, and come there when they are asked for. Who fetches
//! one slowly holds it there, so there is a bound on what is held, too: beyond it they are read from the disk.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::packed::Packer;
use tempfile::NamedTempFile;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::recent::Recent;
use super::small::{Octets, SMALL};
use super::store::blobs::Blobs;

/// What of `limits.store_size` they may take beside it.
pub(crate) const PART_OF_STORE: u64 = 4;
/// How long whoever asks waits for a file to be packed; then it gets the file as it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Files that are remembered.
const KEPT: usize = 4096;
/// The longest of them that is kept in memory, and how many octets of them are.
const IN_MEMORY: u64 = 8 << 20;
const ALL_IN_MEMORY: usize = 64 << 20;
/// Octets in memory together with those that are kept no more and on their way yet.
const ROOM: usize = 2 * ALL_IN_MEMORY;
/// How long a file that could not be packed travels as it is, before that is tried again: a full disk does not stay
/// full.
const AGAIN: Duration = Duration::from_secs(60);

/// The files that were packed last.
#[derive(Debug)]
pub(crate) struct Packs {
    blobs: Arc<Blobs>,
    folder: PathBuf,
    kept: Mutex<VecDeque<Kept>>,
    in_memory: Recent,
    /// A permit for each octet.
    room: Arc<Semaphore>,
    /// Held while one is read into memory.
    reading: Arc<tokio::sync::Mutex<()>>,
    /// Held while one is packed, also when nobody waits for it any more.
    packing: Arc<tokio::sync::Mutex<()>>,
}

/// A file that was looked at.
#[derive(Debug, Clone, Copy)]
struct Kept {
    hash: Hash,
    became: Became,
}

/// What came of packing it.
#[derive(Debug, Clone, Copy)]
enum Became {
    /// It lies there, with so many octets.
    Packed(u64),
    /// It is hardly shorter, and never will be.
    NotWorthIt,
    /// It takes more than all of them may take, which was so much when it was packed.
    TooLarge(u64),
    /// It could not be packed then.
    Failed(Instant),
}

/// A packed file in memory, with its part of the room.
struct Held {
    octets: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Kept {
    /// Octets that it takes.
    fn octets(self) -> u64 {
        if let Became::Packed(octets) = self.became { octets } else { 0 }
    }

    /// Whether that is still so, in a store of at most so many octets.
    fn holds(self, most: u64, now: Instant) -> bool {
        match self.became {
            Became::Packed(_) | Became::NotWorthIt => true,
            Became::TooLarge(then) => most <= then,
            Became::Failed(at) => now.saturating_duration_since(at) < AGAIN,
        }
    }
}

impl Packs {
    /// In a folder of its own, which is emptied.
    pub(crate) fn open(folder: &Path, blobs: Arc<Blobs>) -> io::Result<Self> {
        let folder = folder.join("packed");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self {
            blobs,
            folder,
            kept: Mutex::default(),
            in_memory: Recent::new(KEPT, ALL_IN_MEMORY),
            room: Arc::new(Semaphore::new(ROOM)),
            reading: Arc::default(),
            packing: Arc::default(),
        })
    }

    /// A file packed, in a store of at most so many octets; none where it travels as it is.
    pub(crate) async fn packed(self: Arc<Self>, hash: Hash, most: u64) -> Option<Octets> {
        // A file that is not in the store any more is not here, and small ones are handed out from memory.
        if self.blobs.length(hash)? <= SMALL {
            return None;
        }
        let kept = match self.kept(hash, most, Instant::now()) {
            Some(kept) => kept,
            None => timeout(PATIENCE, self.looked_at(hash, most)).await.ok().flatten()?,
        };
        self.opened(kept).await
    }

    /// Packs a file, unless somebody has just done it.
    async fn looked_at(self: &Arc<Self>, hash: Hash, most: u64) -> Option<Kept> {
        let turn = Arc::clone(&self.packing).lock_owned().await;
        if let Some(kept) = self.kept(hash, most, Instant::now()) {
            return Some(kept);
        }
        let packs = Arc::clone(self);
        let packing = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = turn;
            packs.pack(hash, most).unwrap_or_else(|error| {
                tracing::warn!(%error, %hash, "a file is not packed");
                packs.keep(Kept { hash, became: Became::Failed(Instant::now()) }, most)
            })
        });
        packing.await.ok()
    }

    fn path(&self, hash: Hash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    /// From memory, where it comes once for all who ask; else from the disk.
    async fn opened(self: &Arc<Self>, kept: Kept) -> Option<Octets> {
        let octets = match kept.octets() {
            0 => return None,
            1..=IN_MEMORY => self.from_memory(kept).await,
            _ => None,
        };
        octets.map(Octets::Here).or_else(|| File::open(self.path(kept.hash)).ok().map(Octets::File))
    }

    async fn from_memory(self: &Arc<Self>, kept: Kept) -> Option<Bytes> {
        if let Some(octets) = self.in_memory.get(kept.hash) {
            return Some(octets);
        }
        let turn = Arc::clone(&self.reading).lock_owned().await;
        if let Some(octets) = self.in_memory.get(kept.hash) {
            return Some(octets);
        }
        let packs = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = turn;
            packs.read(kept)
        });
        reading.await.ok().flatten()
    }

    /// Reads a packed file, where there is room for it. Blocks on the disk.
    fn read(&self, kept: Kept) -> Option<Bytes> {
        let octets = u32::try_from(kept.octets()).ok()?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(octets).ok()?;
        let octets = fs::read(self.path(kept.hash)).ok()?;
        let octets = Bytes::from_owner(Held { octets, _room: room });
        // One that has made room for others meanwhile would not be asked for here again.
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|known| known.hash == kept.hash) {
            self.in_memory.keep(kept.hash, octets.clone());
        }
        Some(octets)
    }

    /// What is known of a file; what does not hold any more is forgotten.
    fn kept(&self, hash: Hash, most: u64, now: Instant) -> Option<Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|kept| kept.hash == hash)?;
        let asked = kept.remove(place).filter(|asked| asked.holds(most, now))?;
        kept.push_back(asked);
        Some(asked)
    }

    /// Packs a file. Blocks on the disk.
    fn pack(&self, hash: Hash, most: u64) -> io::Result<Kept> {
        let mut file = self.blobs.read(hash)?.ok_or(io::ErrorKind::NotFound)?;
        let length = file.metadata()?.len();
        let to = NamedTempFile::new_in(&self.folder)?;
        let mut packer = Packer::new(BufWriter::new(to))?;
        io::copy(&mut file, &mut packer)?;
        let mut to = packer.finish()?;
        to.flush()?;
        let to = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        let packed = to.as_file().metadata()?.len();
        // A tenth is not worth the work of a host, and nor is a store without room for it.
        let became = match packed {
            _ if packed >= length - length / 10 => Became::NotWorthIt,
            _ if packed > most => Became::TooLarge(most),
            _ => Became::Packed(packed),
        };
        let kept = Kept { hash, became };
        if kept.octets() > 0 {
            to.persist(self.path(hash)).map_err(|error| error.error)?;
        }
        Ok(self.keep(kept, most))
    }

    fn keep(&self, new: Kept, most: u64) -> Kept {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(new);
        let mut octets: u64 = kept.iter().map(|kept| kept.octets()).sum();
        while kept.len() > KEPT || octets > most {
            let Some(oldest) = kept.pop_front() else { break };
            octets = octets.saturating_sub(oldest.octets());
            if oldest.octets() > 0 {
                // Who reads it has it open; what stays behind goes at the next start.
                let _left_at_worst = fs::remove_file(self.path(oldest.hash));
                self.in_memory.forget(oldest.hash);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests;
