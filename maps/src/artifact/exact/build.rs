//! From keys and values, in any order, to a file.
//!
//! A builder holds each key once in one arena, sixteen octets of index a key while it sorts, and each distinct
//! value once: for ten million keys less than twice the file.

use std::hint::black_box;
use std::io::{self, Cursor, Seek, Write};

use super::cell::Record;
use super::duplicates::{Duplicate, Duplicates};
use super::encode::{Entry, Plan, Shape, encode};
use super::hash::{FIRST_SEED, Hash, MOST_SEEDS, buckets_for, is_crowded, room_of, seed_after};
use super::values::Values;
use super::{MOST_KEY, MOST_VALUE};

/// Entries that are on their way from memory while one is written.
const AHEAD: usize = 16;

/// Takes the entries of a map.
#[derive(Debug, Default)]
pub struct ExactBuilder {
    /// Records, each behind its key's length, as they came.
    arena: Vec<u8>,
    entries: u32,
    values: Values,
}

/// An entry, or all of them together, over a limit of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// One key.
    #[error("a key of {0} octets; at most {MOST_KEY} are allowed")]
    Key(usize),
    /// One value.
    #[error("a value of {0} octets; at most {MOST_VALUE} are allowed")]
    Value(usize),
    /// The map as a whole.
    #[error("more entries than a map can hold ({})", u32::MAX)]
    Entries,
}

/// Why no map comes of the entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Keys with two values.
    #[error("{} keys stand there with different values", .0.total)]
    Contradictions(Duplicates),
    /// The keys crowd a bucket under every seed, which nobody can choose them for.
    #[error("the keys crowd one bucket under each of {MOST_SEEDS} hash functions")]
    NoSeed,
}

impl ExactBuilder {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry; `line` is where it stands in its source.
    ///
    /// # Errors
    /// It, or the map, is over a limit; the entry is then left out.
    pub fn push(&mut self, key: &str, value: &str, line: u32) -> Result<(), TooLarge> {
        if key.len() > MOST_KEY {
            return Err(TooLarge::Key(key.len()));
        }
        if value.len() > MOST_VALUE {
            return Err(TooLarge::Value(value.len()));
        }
        self.entries = self.entries.checked_add(1).ok_or(TooLarge::Entries)?;
        let value = self.values.number(value).ok_or(TooLarge::Entries)?;
        Record { key: key.as_bytes(), value, line }.append(&mut self.arena);
        Ok(())
    }

    /// Adds the entries of another one behind these.
    ///
    /// # Errors
    /// The map is over a limit; some of the entries are then left out.
    pub fn append(&mut self, other: &Self) -> Result<(), TooLarge> {
        let number = |text: u32| self.values.number(other.values.get(text)).ok_or(TooLarge::Entries);
        let numbers = (0..other.values.len() as u32).map(number).collect::<Result<Vec<_>, _>>()?;
        self.entries = self.entries.checked_add(other.entries).ok_or(TooLarge::Entries)?;
        self.arena.reserve(other.arena.len());
        let mut rest = &*other.arena;
        while let Some((record, after)) = Record::take(rest) {
            Record { value: numbers[record.value as usize], ..record }.append(&mut self.arena);
            rest = after;
        }
        Ok(())
    }

    /// Sorts the entries and finds keys that stand there twice.
    ///
    /// # Errors
    /// A key has two values, or no hash function spreads the keys.
    pub fn finish(self) -> Result<Built, BuildError> {
        let (arena, values) = (self.arena, self.values);
        let repeated = Duplicates::default();
        let mut built = Built { arena, index: Vec::new(), room: 0, values, seed: FIRST_SEED, repeated };
        for _ in 0..MOST_SEEDS {
            built.index_under(self.entries as usize);
            built.settle_keys().map_err(BuildError::Contradictions)?;
            if !is_crowded(&built.index, buckets_for(built.room), |(hash, _)| *hash) {
                return Ok(built);
            }
            built.seed = seed_after(built.seed, built.index.iter().map(|(_, at)| built.held(*at).key));
        }
        Err(BuildError::NoSeed)
    }
}

/// A map whose entries are sorted, ready to be written.
#[derive(Debug)]
pub struct Built {
    arena: Vec<u8>,
    /// Hash, and where the entry starts in the arena; in the file's order.
    index: Vec<(u64, usize)>,
    /// What the keys are reckoned to take.
    room: u64,
    values: Values,
    seed: u64,
    repeated: Duplicates,
}

impl Built {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True without a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Keys that stand there more than once with the same value: harmless, the first line counts.
    #[must_use]
    pub fn repeated(&self) -> &Duplicates {
        &self.repeated
    }

    /// Writes the file and gives the output back.
    ///
    /// # Errors
    /// The output's, or the map is larger than the format can say.
    pub fn write<W: Write + Seek>(&self, out: W) -> io::Result<W> {
        self.write_as(out, Shape::TABLE)
    }

    /// The same in another shape.
    pub(super) fn write_as<W: Write + Seek>(&self, out: W, shape: Shape<'_>) -> io::Result<W> {
        let records = self.index.len() as u64;
        let plan =
            Plan { seed: self.seed, records, buckets: buckets_for(self.room), values: self.values.len() };
        let entries = self.index.iter().enumerate().map(|(number, (hash, at))| {
            // The arena is in the order of the source, so each entry is a trip to memory: this one is asked for
            // well before it is read.
            if let Some((_, ahead)) = self.index.get(number + AHEAD) {
                black_box(self.arena.get(*ahead).copied());
            }
            let Record { key, value, line } = self.held(*at);
            Ok(Entry { hash: *hash, key, value, line })
        });
        encode(out, (plan, shape), entries, |number| Ok::<_, io::Error>(self.values.get(number)))
    }

    /// The file in memory.
    ///
    /// # Errors
    /// The map is larger than the format can say.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        self.write(Cursor::new(Vec::new())).map(Cursor::into_inner)
    }

    /// The arena is our own: what stands there was put there by [`ExactBuilder::push`].
    fn held(&self, at: usize) -> Record<'_> {
        Record::take(&self.arena[at..]).unwrap_or_default().0
    }

    /// Hashes all entries under the seed, in the order of the arena, and sorts them.
    fn index_under(&mut self, entries: usize) {
        let hash = Hash::new(self.seed);
        let mut index = std::mem::take(&mut self.index);
        index.clear();
        index.reserve_exact(entries);
        let (mut rest, mut room) = (&*self.arena, 0);
        while let Some((record, after)) = Record::take(rest) {
            index.push((hash.of(record.key), self.arena.len() - rest.len()));
            room += room_of(record.key);
            rest = after;
        }
        index.sort_unstable();
        (self.index, self.room) = (index, room);
    }

    /// Orders entries of the same hash by their keys, and keeps the first line of each key.
    fn settle_keys(&mut self) -> Result<(), Duplicates> {
        let mut contradictions = Duplicates::default();
        let mut repeated = Duplicates::default();
        let mut index = std::mem::take(&mut self.index);
        let (mut kept, mut at, mut room) = (0, 0, self.room);
        while let Some((hash, _)) = index.get(at).copied() {
            let same_hash = index[at..].iter().take_while(|(other, _)| *other == hash).count();
            if same_hash == 1 {
                // Almost all: its key need not be looked at, which would be a trip to memory for each.
                index[kept] = index[at];
                kept += 1;
                at += 1;
                continue;
            }
            let run = &mut index[at..at + same_hash];
            run.sort_by_key(|(_, at)| {
                let held = self.held(*at);
                (held.key, held.line, self.values.get(held.value))
            });
            let mut first: Option<Record<'_>> = None;
            for number in at..at + same_hash {
                let held = self.held(index[number].1);
                match first {
                    Some(first) if first.key == held.key => {
                        let same_value = first.value == held.value;
                        let list = if same_value { &mut repeated } else { &mut contradictions };
                        list.push(duplicate(first, held, same_value));
                        room -= room_of(held.key);
                    }
                    _ => {
                        first = Some(held);
                        index[kept] = index[number];
                        kept += 1;
                    }
                }
            }
            at += same_hash;
        }
        index.truncate(kept);
        (self.index, self.room) = (index, room);
        repeated.trim();
        self.repeated = repeated;
        contradictions.trim();
        if contradictions.total == 0 { Ok(()) } else { Err(contradictions) }
    }
}

fn duplicate(first: Record<'_>, second: Record<'_>, same_value: bool) -> Duplicate {
    let key = String::from_utf8_lossy(first.key).into_owned();
    Duplicate { key, first_line: first.line, second_line: second.line, same_value }
}
