//! A map from a map and its changes: one walk along both, without sorting what is sorted already.
//!
//! The octets are those that an [`ExactBuilder`] gives for the merged content, so that whoever took the changes
//! and whoever compiled all of it can compare hashes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::{self, Seek, Write};
use std::iter::{Peekable, Zip};
use std::slice;

use super::cell::Record;
use super::encode::{Entry, Plan, Shape, encode};
use super::hash::{Counted, FIRST_SEED, buckets_for, room_of};
use super::values::Values;
use super::walk::Walk;
use super::{BuildError, Exact, ExactBuilder, MOST_KEY, MOST_VALUE, TooLarge};
use crate::artifact::container::Corrupt;

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<'a> {
    /// The key is new, or has another value or line.
    Put {
        /// The key.
        key: Cow<'a, str>,
        /// What it leads to.
        value: Cow<'a, str>,
        /// Where it stands in its source.
        line: u32,
    },
    /// The key is gone.
    Delete {
        /// The key.
        key: Cow<'a, str>,
    },
}

impl Op<'_> {
    /// The key that changes.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Why the changes make no map.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The changes name a key twice.
    #[error("{0:?} is changed twice")]
    Twice(String),
    /// A key to be deleted is not there: the changes are another map's.
    #[error("{0:?} is deleted, but it is not there")]
    Missing(String),
    /// A key that stays has a line that is gone.
    #[error("a key of line {0} stays, and the line does not")]
    Line(u32),
    /// A new entry is over a limit.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The map cannot be read.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// No hash function spreads the keys.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The output, or the map is larger than the format can say.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Writes the map that `ops`, in any order, make of `base`, and gives the output back. `moved` says where the line of a
/// record that stays stands by now.
///
/// # Errors
/// The changes do not fit the map, or the output's own; what was written so far is then of no use.
pub fn merge<W: Write + Seek>(
    base: &Exact,
    ops: &[Op<'_>],
    moved: impl Fn(u32) -> Option<u32>,
    out: W,
) -> Result<W, MergeError> {
    let mut changes = Changes::of(base, ops)?;
    // A builder takes the first seed that fits; only of the first one is it known that none fits before.
    if base.seed() != FIRST_SEED {
        return rebuild(base, &changes, moved, out);
    }
    let (hashes, room) = base.hashes()?;
    let buckets = buckets_for(changes.room_after(room));
    let (records, is_crowded) = changes.count_after(&hashes, buckets);
    let records = u32::try_from(records).map_err(|_| TooLarge::Entries)?.into();
    if is_crowded {
        return rebuild(base, &changes, moved, out);
    }
    let links = changes.link(base)?;
    let news = changes.values.len();
    let plan = Plan { seed: FIRST_SEED, records, buckets, values: news + base.values() };
    let merged = Merged::new(base, &hashes, &changes.sorted);
    let entries = merged.map(|entry| match entry? {
        Merge::Kept(hash, Record { key, value, line }) => {
            let value = *links.get(value as usize).ok_or_else(|| base.no_value(value))?;
            Ok(Entry { hash, key, value, line: moved(line).ok_or(MergeError::Line(line))? })
        }
        Merge::Put(change, value, line) => {
            Ok(Entry { hash: change.hash, key: change.op.key().as_bytes(), value, line })
        }
    });
    encode(out, (plan, Shape::TABLE), entries, |number| match (number as usize).checked_sub(news) {
        None => Ok(changes.values.get(number)),
        Some(old) => Ok(base.value(old as u32)?),
    })
}

/// The slow way, for a base or a result with crowded buckets.
fn rebuild<W: Write + Seek>(
    base: &Exact,
    changes: &Changes<'_>,
    moved: impl Fn(u32) -> Option<u32>,
    out: W,
) -> Result<W, MergeError> {
    let mut builder = ExactBuilder::new();
    for record in base {
        let (key, value, line) = record?;
        if !changes.has(base.hash.of(key.as_bytes()), key) {
            builder.push(key, value, moved(line).ok_or(MergeError::Line(line))?)?;
        }
    }
    for change in &changes.sorted {
        if let Op::Put { key, value, line } = change.op {
            builder.push(key, value, *line)?;
        }
    }
    Ok(builder.finish()?.write(out)?)
}

// ---------------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Change<'o> {
    hash: u64,
    op: &'o Op<'o>,
    /// Whether the base has the key.
    was_there: bool,
    /// The new value's number.
    value: u32,
}

impl Change<'_> {
    fn is_put(&self) -> bool {
        matches!(self.op, Op::Put { .. })
    }
}

/// The changes in the map's order.
#[derive(Debug)]
struct Changes<'o> {
    sorted: Vec<Change<'o>>,
    /// The new values.
    values: Values,
}

impl<'o> Changes<'o> {
    fn of(base: &Exact, ops: &'o [Op<'_>]) -> Result<Self, MergeError> {
        let mut values = Values::default();
        let mut sorted = Vec::with_capacity(ops.len());
        for op in ops {
            let key = op.key();
            let known = base.find(key)?.is_some();
            let mut number = 0;
            match op {
                Op::Delete { .. } if !known => return Err(MergeError::Missing(key.to_owned())),
                Op::Delete { .. } => {}
                Op::Put { value, .. } => {
                    if key.len() > MOST_KEY {
                        return Err(TooLarge::Key(key.len()).into());
                    }
                    if value.len() > MOST_VALUE {
                        return Err(TooLarge::Value(value.len()).into());
                    }
                    number = values.number(value).ok_or(TooLarge::Entries)?;
                }
            }
            let hash = base.hash.of(key.as_bytes());
            sorted.push(Change { hash, op, was_there: known, value: number });
        }
        sorted.sort_by(|one, other| (one.hash, one.op.key()).cmp(&(other.hash, other.op.key())));
        if let Some([twice, _]) =
            sorted.array_windows::<2>().find(|[one, other]| one.op.key() == other.op.key())
        {
            return Err(MergeError::Twice(twice.op.key().to_owned()));
        }
        Ok(Self { sorted, values })
    }

    fn has(&self, hash: u64, key: &str) -> bool {
        self.sorted.binary_search_by(|change| (change.hash, change.op.key()).cmp(&(hash, key))).is_ok()
    }

    /// What the keys are reckoned to take, of what those of the base do.
    fn room_after(&self, room: u64) -> u64 {
        self.sorted.iter().fold(room, |room, change| {
            let of_key = room_of(change.op.key().as_bytes());
            let room = if change.was_there { room.saturating_sub(of_key) } else { room };
            if change.is_put() { room + of_key } else { room }
        })
    }

    /// How many keys there are in the end, of those with these hashes in the base, and whether a bucket holds too many.
    fn count_after(&self, hashes: &[u64], buckets: u64) -> (usize, bool) {
        let (mut counted, mut rest) = (Counted::new(buckets), hashes);
        for change in &self.sorted {
            let (before, from) = rest.split_at(rest.partition_point(|hash| *hash < change.hash));
            before.iter().for_each(|hash| counted.push(*hash));
            // Of several keys of one hash it does not matter which one goes.
            rest = if change.was_there { from.get(1..).unwrap_or_default() } else { from };
            if change.is_put() {
                counted.push(change.hash);
            }
        }
        rest.iter().for_each(|hash| counted.push(*hash));
        (counted.all, counted.is_crowded)
    }

    /// For each value of the base the number it has among all: a new value's where the text is the same.
    fn link(&mut self, base: &Exact) -> Result<Vec<u32>, MergeError> {
        let news = self.values.len();
        let link = |number: usize| -> Result<u32, MergeError> {
            let text = base.value(number as u32)?;
            let number = u32::try_from(news + number).map_err(|_| TooLarge::Entries)?;
            Ok(self.values.find(text).unwrap_or(number))
        };
        (0..base.values()).map(link).collect()
    }
}

/// A record of the merged map.
#[derive(Debug)]
enum Merge<'a> {
    /// The base's, with its hash.
    Kept(u64, Record<'a>),
    /// A new one, with its value's number and its line.
    Put(&'a Change<'a>, u32, u32),
}

/// Walks along base and changes at once.
struct Merged<'a> {
    base: Peekable<Zip<Walk<'a>, slice::Iter<'a, u64>>>,
    changes: Peekable<slice::Iter<'a, Change<'a>>>,
}

impl<'a> Merged<'a> {
    fn new(base: &'a Exact, hashes: &'a [u64], changes: &'a [Change<'a>]) -> Self {
        Self { base: base.walk().zip(hashes).peekable(), changes: changes.iter().peekable() }
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = Result<Merge<'a>, MergeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = match (self.base.peek(), self.changes.peek()) {
                (Some((Err(_), _)), _) | (Some(_), None) => Ordering::Less,
                (Some((Ok(record), hash)), Some(change)) => {
                    (**hash, record.key).cmp(&(change.hash, change.op.key().as_bytes()))
                }
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            if order != Ordering::Greater {
                let (record, hash) = self.base.next()?;
                match record {
                    Err(error) => return Some(Err(error.into())),
                    Ok(record) if order == Ordering::Less => return Some(Ok(Merge::Kept(*hash, record))),
                    // The change says what becomes of it.
                    Ok(_) => {}
                }
            }
            let change = self.changes.next()?;
            if let Op::Put { line, .. } = change.op {
                return Some(Ok(Merge::Put(change, change.value, *line)));
            }
        }
    }
}
