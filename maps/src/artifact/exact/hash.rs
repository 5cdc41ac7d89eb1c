//! Where a key belongs: SipHash-1-3 under the file's seed.
//!
//! Whoever writes a map could choose keys that crowd one bucket; a builder then takes the next seed, and a
//! bucket never holds more than [`MOST_IN_BUCKET`] keys. The functions here are part of the format.

use siphasher::sip::SipHasher13;

/// Octets of records a bucket has on average: fewer cost more room, more cost more keys that a cell has no room for.
const IN_BUCKET: u64 = 150;

/// Keys a bucket holds at most.
pub(super) const MOST_IN_BUCKET: usize = 63;

/// Seeds a builder tries; with keys that nobody chose the first one fits.
pub(super) const MOST_SEEDS: u64 = 64;

/// The second half of the hash's key, whatever the seed.
const SECOND_KEY: u64 = u64::from_le_bytes(*b"swm1 key");

/// The hash function of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hash(SipHasher13);

impl Hash {
    pub(super) fn new(seed: u64) -> Self {
        Self(SipHasher13::new_with_keys(seed, SECOND_KEY))
    }

    #[inline]
    pub(super) fn of(&self, key: &[u8]) -> u64 {
        self.0.hash(key)
    }
}

/// The room that a key is reckoned to take in its cell. A long one lies elsewhere; a short one takes a place all
/// the same, and a cell has seven: with five on average, few buckets have more.
#[inline]
pub(super) fn room_of(key: &[u8]) -> u64 {
    const LONG: usize = 200;
    const BESIDE: u64 = 8;
    const LEAST: u64 = 30;
    let in_cell = if key.len() > LONG { 0 } else { key.len() as u64 + BESIDE };
    in_cell.max(LEAST)
}

/// How many buckets keys have that are reckoned to take so much room; at least one.
pub(super) fn buckets_for(room: u64) -> u64 {
    room.div_ceil(IN_BUCKET).max(1)
}

/// The bucket of a hash: buckets are equal parts of all hashes, in their order.
#[inline]
pub(super) fn bucket_of(hash: u64, buckets: u64) -> u64 {
    ((u128::from(hash) * u128::from(buckets)) >> 64) as u64
}

/// Whether a bucket holds too many of these, which are in the order of their hashes: whether the one that lies a
/// bucketful further on is still in it.
pub(super) fn is_crowded<T>(sorted: &[T], buckets: u64, hash: impl Fn(&T) -> u64) -> bool {
    let bucket = |entry| bucket_of(hash(entry), buckets);
    sorted.iter().zip(sorted.iter().skip(MOST_IN_BUCKET)).any(|(one, other)| bucket(one) == bucket(other))
}

/// What a bucket keeps of a hash: bits that say nothing about the bucket. Never zero, which is no record's.
#[inline]
pub(super) fn fingerprint(hash: u64) -> u8 {
    (hash as u8).max(1)
}
