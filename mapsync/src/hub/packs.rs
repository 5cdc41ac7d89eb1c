//! Whole files as they travel: packed once, and kept while they are asked for.
//!
//! A host that has no table to lay a change over needs all of it, and packed that is a quarter or a fifth of the octets. One
//! file is packed at a time, also when a thousand hosts ask for it. What was packed lies below the store in `packed/`; it is
//! nothing that could not be made again, so that folder is emptied at a start and bounded by leaving out what was not
//! asked for longest. Those of them that are not long are handed out from memory.

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
/// How long a file that could not be packed travels as it is, before that is tried again: a full disk does not stay full.
const AGAIN: Duration = Duration::from_secs(60);

/// The files that were packed last.
#[derive(Debug)]
pub(crate) struct Packs {
    blobs: Arc<Blobs>,
    folder: PathBuf,
    kept: Mutex<VecDeque<Kept>>,
    in_memory: Recent,
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
        let in_memory = Recent::new(KEPT, ALL_IN_MEMORY);
        Ok(Self { blobs, folder, kept: Mutex::default(), in_memory, packing: Arc::default() })
    }

    /// A file packed, in a store of at most so many octets; none where it travels as it is.
    pub(crate) async fn packed(self: Arc<Self>, hash: Hash, most: u64) -> Option<Octets> {
        // A file that is not in the store any more is not here, and small ones are handed out from memory.
        if self.blobs.length(hash)? <= SMALL {
            return None;
        }
        if let Some(kept) = self.kept(hash, most, Instant::now()) {
            return self.opened(kept);
        }
        let one_at_a_time = async {
            let turn = Arc::clone(&self.packing).lock_owned().await;
            if let Some(kept) = self.kept(hash, most, Instant::now()) {
                return self.opened(kept);
            }
            let packs = Arc::clone(&self);
            let packing = tokio::task::spawn_blocking(move || {
                let _one_at_a_time = turn;
                packs.pack(hash, most).unwrap_or_else(|error| {
                    tracing::warn!(%error, %hash, "a file is not packed");
                    packs.keep(Kept { hash, became: Became::Failed(Instant::now()) }, most)
                })
            });
            self.opened(packing.await.ok()?)
        };
        timeout(PATIENCE, one_at_a_time).await.ok().flatten()
    }

    fn path(&self, hash: Hash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    fn opened(&self, kept: Kept) -> Option<Octets> {
        if kept.octets() == 0 {
            return None;
        }
        let here = self.in_memory.get(kept.hash).map(Octets::Here);
        here.or_else(|| File::open(self.path(kept.hash)).ok().map(Octets::File))
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
            if packed <= IN_MEMORY {
                self.in_memory.keep(hash, Bytes::from(fs::read(self.path(hash))?));
            }
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
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use switchyard_mapsync_protocol::packed::Unpacker;

    use super::*;

    async fn put(blobs: &Blobs, octets: &[u8]) -> Hash {
        let hash = Hash::of(octets);
        let mut incoming = blobs.take(hash, u64::MAX, u64::MAX).unwrap();
        incoming.more(octets).await.unwrap();
        blobs.keep(incoming.end().await.unwrap()).unwrap();
        hash
    }

    fn table(value: u8) -> Vec<u8> {
        (0..5000).flat_map(|n| format!("user{n:05}@example.org\t{value}\n").into_bytes()).collect()
    }

    #[tokio::test]
    async fn what_failed_and_what_had_no_room_is_packed_when_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
        let packs = Arc::new(Packs::open(folder.path(), Arc::clone(&blobs)).unwrap());
        let is_packed = async |hash: Hash, most: u64| Arc::clone(&packs).packed(hash, most).await.is_some();
        let (one, two) = (put(&blobs, &table(1)).await, put(&blobs, &table(2)).await);

        let at = folder.path().join("packed");
        fs::remove_dir(&at).unwrap();
        assert!(!is_packed(one, 1_000_000).await);
        fs::create_dir(&at).unwrap();
        // Not for each host that asks: a while after.
        let began = Instant::now();
        assert!(packs.kept(one, 1_000_000, began).is_some());
        assert!(packs.kept(one, 1_000_000, began + AGAIN).is_none());
        assert!(is_packed(one, 1_000_000).await);

        assert!(!is_packed(two, 100).await);
        assert!(packs.kept(two, 100, began + AGAIN).is_some(), "it has no room as long as there is no more");
        assert!(is_packed(two, 1_000_000).await);
    }

    #[tokio::test]
    async fn a_file_is_packed_where_that_is_worth_it_and_the_oldest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
        let packs = Arc::new(Packs::open(folder.path(), Arc::clone(&blobs)).unwrap());
        let (one, two) = (put(&blobs, &table(1)).await, put(&blobs, &table(2)).await);
        let small = put(&blobs, b"a b\n").await;
        let mut chance = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = (0..100_000).map(|_| chance.u8(..)).collect();
        let noise = put(&blobs, &noise).await;
        let length = async |hash: Hash, most: u64| {
            Arc::clone(&packs).packed(hash, most).await.map(|octets| octets.length().unwrap())
        };
        let packed = length(one, 1_000_000).await.unwrap();
        assert!(packed < 40_000, "{packed} octets");
        for in_memory in [true, false] {
            let octets = match Arc::clone(&packs).packed(one, 1_000_000).await.unwrap() {
                Octets::Here(octets) if in_memory => octets.to_vec(),
                Octets::File(mut file) if !in_memory => {
                    let mut octets = Vec::new();
                    file.read_to_end(&mut octets).unwrap();
                    octets
                }
                other => panic!("{other:?}"),
            };
            let mut unpacked = Vec::new();
            Unpacker::new(&octets[..], 1_000_000).unwrap().read_to_end(&mut unpacked).unwrap();
            assert_eq!(Hash::of(&unpacked), one);
            // Others were asked for since.
            packs.in_memory.keep(Hash::of(b"another"), Bytes::from(vec![0; ALL_IN_MEMORY]));
        }
        for as_it_is in [small, noise, Hash::of(b"not here")] {
            assert_eq!(length(as_it_is, 1_000_000).await, None);
        }

        // With room for one, the other is made again.
        let files = || fs::read_dir(folder.path().join("packed")).unwrap().count();
        assert!(length(two, packed + packed / 2).await.is_some());
        assert_eq!(files(), 1);
        assert!(length(one, packed + packed / 2).await.is_some());
        assert_eq!(files(), 1);
        drop(Packs::open(folder.path(), blobs).unwrap());
        assert_eq!(files(), 0);
    }
}
