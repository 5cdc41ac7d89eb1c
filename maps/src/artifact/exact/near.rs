//! Keys that are about to be asked for, told to a map together: one wait for memory instead of one a question, and
//! each key is hashed once.
//!
//! ```text
//! let mut near = Near::of(keys);      the forms of an address, likely ones first
//! map.bring_near(&mut near);          memory is asked for what all of them need
//! map.find_near(key, &near)           each question then finds it near
//! ```
//!
//! Maps with the same seed, which nearly all have, take the hashes of each other.

use std::ptr;

use super::cell::{self, CELL};
use super::hash::bucket_of;
use super::{Corrupt, Exact, Found};
use crate::artifact::bytes::{LINE, touch};

/// Keys told at once.
const AT_ONCE: usize = 8;

/// Keys, with their hashes once a map was told of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Near<'k> {
    keys: [&'k str; AT_ONCE],
    hashes: [u64; AT_ONCE],
    count: usize,
    /// What the hashes were made with.
    seed: Option<u64>,
}

impl<'k> Near<'k> {
    /// The first eight of these keys; others are asked for as if nobody had told of them.
    pub fn of(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut near = Self::default();
        for (slot, key) in near.keys.iter_mut().zip(keys) {
            *slot = key;
            near.count += 1;
        }
        near
    }

    /// The hash of a key that is one of these in place: the text itself need not be read.
    #[inline]
    fn hash(&self, seed: u64, key: &str) -> Option<u64> {
        let mut told = self.keys.iter().zip(&self.hashes).take(self.count);
        let (_, hash) = told.find(|(told, _)| ptr::eq(**told, key))?;
        (self.seed == Some(seed)).then_some(*hash)
    }
}

impl Exact {
    /// Asks memory for what the questions about these keys will read, for all of them at once; the questions
    /// then find it near. Worth it before two questions or more to a map larger than the processor's cache.
    pub fn bring_near(&self, near: &mut Near<'_>) {
        let count = near.count;
        if near.seed != Some(self.seed()) {
            for (hash, key) in near.hashes.iter_mut().zip(&near.keys).take(count) {
                *hash = self.hash.of(key.as_bytes());
            }
            near.seed = Some(self.seed());
        }
        let hashes = near.hashes.iter().take(count);
        let cells = || hashes.clone().map(|hash| (self.cell(bucket_of(*hash, self.buckets)), *hash));
        // Loops this short go ahead without waiting for what they read. Most of the keys of an address are nowhere:
        // the head of a cell says so. Only the first of them, the whole address, is likely.
        for (number, (cell, _)) in cells().enumerate() {
            let octets = if number == 0 { CELL } else { LINE };
            touch(cell.and_then(|cell| cell.get(..octets)).unwrap_or_default());
        }
        for (cell, hash) in cells().skip(1) {
            match cell {
                Some(cell) if cell::may_have(cell, hash) => touch(cell),
                _ => {}
            }
        }
    }

    /// As [`Exact::find`], for a key that may have been told before.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn find_near(&self, key: &str, near: &Near<'_>) -> Result<Option<Found>, Corrupt> {
        match near.hash(self.seed(), key) {
            Some(hash) => self.find_hashed(key, hash, |_| ()),
            None => self.find(key),
        }
    }
}
