//! What changed between two tables, found once and kept while it is asked for.
//!
//! A delta is named by the hashes of the two tables, so it never changes, and hosts that are any number of
//! generations behind get it in one piece: it is found from the tables themselves. One is found at a time; a
//! thousand hosts that ask for the same wait for the one answer.

use std::collections::VecDeque;
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use switchyard_mapsync_protocol::delta::{DeltaError, diff, most_worth_it, worth_it};
use switchyard_mapsync_protocol::hash::Hash;

use super::store::blobs::Blobs;

/// The most octets of deltas that are kept, and the most deltas.
const KEPT_OCTETS: usize = 64 << 20;
const KEPT: usize = 256;

/// The deltas that were found last.
#[derive(Debug)]
pub(crate) struct Deltas {
    blobs: Arc<Blobs>,
    kept: Mutex<VecDeque<Kept>>,
    /// Held while one is found, also when nobody waits for it any more.
    finding: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone)]
struct Kept {
    between: (Hash, Hash),
    found: Found,
}

/// What there is between two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A delta, packed.
    Delta(Bytes),
    /// The whole file is the shorter way: too much has changed, or it is no table.
    Whole,
    /// One of the two is not here.
    Missing(Hash),
}

impl Deltas {
    pub(crate) fn new(blobs: Arc<Blobs>) -> Self {
        Self { blobs, kept: Mutex::default(), finding: Arc::default() }
    }

    /// Finds a delta.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) async fn between(self: Arc<Self>, from: Hash, to: Hash) -> Result<Found, std::io::Error> {
        if let Some(found) = self.kept(from, to) {
            return Ok(found);
        }
        let one_at_a_time = Arc::clone(&self.finding).lock_owned().await;
        if let Some(found) = self.kept(from, to) {
            return Ok(found);
        }
        let finding = move || {
            let _one_at_a_time = one_at_a_time;
            let found = find(&self.blobs, from, to)?;
            // What is missing may come.
            if !matches!(found, Found::Missing(_)) {
                self.keep(Kept { between: (from, to), found: found.clone() });
            }
            Ok(found)
        };
        tokio::task::spawn_blocking(finding).await?
    }

    fn kept(&self, from: Hash, to: Hash) -> Option<Found> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|kept| kept.between == (from, to))?;
        let asked = kept.remove(place)?;
        let found = asked.found.clone();
        kept.push_back(asked);
        Some(found)
    }

    fn keep(&self, new: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(new);
        let octets = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.found.octets()).sum::<usize>();
        // The last one stays, whatever its size: somebody is about to get it.
        while kept.len() > 1 && (kept.len() > KEPT || octets(&kept) > KEPT_OCTETS) {
            kept.pop_front();
        }
    }
}

impl Found {
    fn octets(&self) -> usize {
        match self {
            Self::Delta(delta) => delta.len(),
            Self::Whole | Self::Missing(_) => 0,
        }
    }
}

fn find(blobs: &Blobs, from: Hash, to: Hash) -> Result<Found, std::io::Error> {
    let Some(old) = blobs.read(from)? else { return Ok(Found::Missing(from)) };
    let Some(new) = blobs.read(to)? else { return Ok(Found::Missing(to)) };
    let length = new.metadata()?.len();
    // More than is worth it is not held in memory.
    let most = usize::try_from(most_worth_it(length / PACKED)).unwrap_or(usize::MAX);
    match diff((BufReader::new(old), from), (BufReader::new(new), to), Bounded { octets: Vec::new(), most }) {
        // Against the table as it lies: packed it travels at perhaps a quarter of that.
        Ok((delta, _)) if worth_it(delta.octets.len() as u64, length / PACKED) => {
            Ok(Found::Delta(delta.octets.into()))
        }
        Ok(_) => Ok(Found::Whole),
        Err(DeltaError::Io(error)) if error.kind() != std::io::ErrorKind::FileTooLarge => Err(error),
        // A file that is no table has no delta.
        Err(_) => Ok(Found::Whole),
    }
}

/// How much shorter a table is when it is packed, about.
const PACKED: u64 = 4;

/// Takes at most so many octets.
struct Bounded {
    octets: Vec<u8>,
    most: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        if self.octets.len().saturating_add(octets.len()) > self.most {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.octets.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
