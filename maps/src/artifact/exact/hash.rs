//! Where a key belongs: folded products of its octets, under the file's seed.
//!
//! Few instructions, and no branch on a key's length: while memory answers one question, the processor is at the
//! hash of the next. It need not resist more than it does. Whoever *asks* can only make a question read a
//! bucket's few records. Whoever *writes* a map can choose keys that crowd one bucket under the first seed, which is
//! everybody's; a builder then takes a seed that hangs on all the keys, so that to change one of them changes it, and
//! nobody can choose keys for it. The functions here are part of the format.

/// Octets of records a bucket has on average: fewer cost more room, more cost more keys that a cell has no room for.
const IN_BUCKET: u64 = 150;

/// Seed of the first try; tables that share it share the hashes of a question's keys.
pub(super) const FIRST_SEED: u64 = 0;

/// Keys a bucket holds at most.
pub(super) const MOST_IN_BUCKET: usize = 63;

/// Seeds a builder tries: with keys that nobody chose the first one fits, with others the second.
pub(super) const MOST_SEEDS: usize = 8;

/// What the seed is hashed behind.
const NAME: &[u8] = b"swm1 key";
/// What the keys are hashed behind that make a seed.
const SEED: &[u8] = b"swm1 seed";
/// Octets of a key that go into one product.
const BLOCK: usize = 16;

/// The hash function of a file: four numbers that hang on its seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hash([u64; 4]);

impl Hash {
    pub(super) fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(NAME).update(&seed.to_le_bytes());
        let numbers = *hasher.finalize().as_bytes();
        let (numbers, _) = numbers.as_chunks();
        Self([0, 1, 2, 3].map(|at| numbers.get(at).copied().map_or(0, u64::from_le_bytes)))
    }

    #[inline]
    pub(super) fn of(&self, key: &[u8]) -> u64 {
        let Self([start, one, two, three]) = *self;
        // What was there stays in, so that no block can undo what stands before it.
        let mix = |hash: u64, (front, back): (u64, u64)| hash ^ folded(front ^ one, back ^ hash);
        let hash = match key.last_chunk() {
            Some(last) => {
                // All blocks that end before the last octet, then the last sixteen octets, whatever they share.
                let (blocks, _) = key.as_chunks();
                let before = blocks.iter().take((key.len() - 1) / BLOCK);
                mix(before.map(halves).fold(start, mix), halves(last))
            }
            None => mix(start, filled(key)),
        };
        folded(hash ^ two, key.len() as u64 ^ three)
    }
}

/// The seed to try after another one, of all keys in the order that they have under that one.
pub(super) fn seed_after<'k>(seed: u64, keys: impl Iterator<Item = &'k [u8]>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(SEED).update(&seed.to_le_bytes());
    for key in keys {
        hasher.update(&(key.len() as u32).to_le_bytes()).update(key);
    }
    hasher.finalize().as_bytes().first_chunk().map_or(0, |seed| u64::from_le_bytes(*seed))
}

/// The two halves of a product, laid over each other.
#[inline]
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
fn halves(block: &[u8; BLOCK]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

/// A block of fewer octets than one has, with zeros behind them.
#[inline]
fn filled(key: &[u8]) -> (u64, u64) {
    match (key.first_chunk(), key.last_chunk()) {
        (Some(first), Some(last)) => {
            // The last eight octets hold some of the first eight: these are shifted out.
            let shared = 8 * BLOCK.saturating_sub(key.len()) as u32;
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last).checked_shr(shared).unwrap_or(0))
        }
        _ => (key.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet)), 0),
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

/// The same, of hashes that come one by one in their order.
#[derive(Debug)]
pub(super) struct Counted {
    buckets: u64,
    pub(super) all: usize,
    pub(super) is_crowded: bool,
    bucket: u64,
    in_bucket: usize,
}

impl Counted {
    pub(super) fn new(buckets: u64) -> Self {
        Self { buckets, all: 0, is_crowded: false, bucket: 0, in_bucket: 0 }
    }

    pub(super) fn push(&mut self, hash: u64) {
        let bucket = bucket_of(hash, self.buckets);
        self.in_bucket = if bucket == self.bucket { self.in_bucket + 1 } else { 1 };
        self.bucket = bucket;
        self.is_crowded |= self.in_bucket > MOST_IN_BUCKET;
        self.all += 1;
    }
}

/// What a bucket keeps of a hash: bits that say nothing about the bucket. Never zero, which is no record's.
#[inline]
pub(super) fn fingerprint(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// One bit of a hash's own among eight, of others than the fingerprint's.
#[inline]
pub(super) fn mark(hash: u64) -> u8 {
    1 << (hash >> 8 & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `docs/map-format.md` says it, block by block.
    fn by_the_book(seed: u64, key: &[u8]) -> u64 {
        let numbers = blake3::hash(&[b"swm1 key".as_slice(), &seed.to_le_bytes()].concat());
        let number = |octets: &[u8]| u64::from_le_bytes(octets.try_into().unwrap());
        let k: Vec<u64> = numbers.as_bytes().chunks(8).map(number).collect();
        let product = |one: u64, other: u64| {
            let product = u128::from(one) * u128::from(other);
            (product >> 64) as u64 ^ product as u64
        };
        let mut filled = key.to_vec();
        filled.resize(key.len().max(16), 0);
        let mut blocks: Vec<&[u8]> = filled.chunks(16).collect();
        *blocks.last_mut().unwrap() = &filled[filled.len() - 16..];
        let mut hash = k[0];
        for block in blocks {
            hash ^= product(number(&block[..8]) ^ k[1], number(&block[8..]) ^ hash);
        }
        product(hash ^ k[2], key.len() as u64 ^ k[3])
    }

    #[test]
    fn keys_of_every_length_hash_as_the_document_says() {
        for seed in [0, 1, 63] {
            let hash = Hash::new(seed);
            for length in 0..200 {
                let key: Vec<u8> = (0..length).map(|octet| (octet * 37 + 11) as u8).collect();
                assert_eq!(hash.of(&key), by_the_book(seed, &key), "{length} octets");
            }
        }
    }

    #[test]
    fn keys_that_differ_little_fall_into_buckets_as_by_chance() {
        let makers: [fn(u32) -> String; 4] = [
            |number| number.to_string(),
            |number| format!("user{number}@example.org"),
            |number| format!("{}.{number:08}@customer{}.example.org", number % 8, number % 50),
            |number| format!("{}x{}", "a".repeat(number as usize % 300), "b".repeat(number as usize / 300)),
        ];
        for (kind, key) in makers.iter().enumerate() {
            for seed in [0, 1] {
                let (hash, count, buckets) = (Hash::new(seed), 60_000_u32, 20_000_u64);
                let mut full = vec![0_u32; buckets as usize];
                let mut marks = [0_u32; 256];
                for number in 0..count {
                    let hash = hash.of(key(number).as_bytes());
                    full[bucket_of(hash, buckets) as usize] += 1;
                    marks[usize::from(fingerprint(hash))] += 1;
                }
                // Three a bucket by chance: e⁻³ of them, 996, stay empty, and 20 keys hardly meet in one.
                let empty = full.iter().filter(|count| **count == 0).count();
                assert!((860..1130).contains(&empty), "kind {kind}, seed {seed}: {empty} empty buckets");
                assert!(full.iter().all(|count| *count < 20), "kind {kind}, seed {seed}");
                // 234 keys have a fingerprint by chance; that of one stands for zero as well.
                assert!(marks[2..].iter().all(|count| (140..330).contains(count)), "kind {kind}: {marks:?}");
            }
        }
    }
}
