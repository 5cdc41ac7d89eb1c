//! Keys to values in memory: one arena of key text, twenty octets an entry, and an index of open slots, each
//! with half of its key's hash, so that a wrong key is almost never looked at.
//!
//! A site's maps hold millions of keys and few different values; a value is a number that the map's kind
//! gives a meaning. Hashing is SipHash with a key of its own per table, since the world chooses what is asked.

use std::hash::{BuildHasher, RandomState};

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The value's number.
    pub(crate) value: u32,
    /// Where the key stands in its file.
    pub(crate) line: u32,
}

#[derive(Debug)]
struct Entry {
    at: u32,
    length: u32,
    hash: u32,
    hit: Hit,
}

/// A place in the index; `number` is an entry's number + 1, or 0 when the place is open.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u32,
    number: u32,
}

/// No more room: offsets are 32 bits wide.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug, Default)]
pub(crate) struct Table {
    keys: String,
    entries: Vec<Entry>,
    /// A power of two, at most two thirds taken.
    slots: Vec<Slot>,
    hashes: RandomState,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn find(&self, key: &str) -> Option<Hit> {
        let slot = self.slot_of(key, self.hash(key))?;
        let number = self.slots[slot].number.checked_sub(1)?;
        Some(self.entries[number as usize].hit)
    }

    /// Adds a key that is not in the table.
    pub(crate) fn insert(&mut self, key: &str, hit: Hit) -> Result<(), Full> {
        let at = u32::try_from(self.keys.len()).map_err(|_| Full)?;
        let length = u32::try_from(key.len()).map_err(|_| Full)?;
        let number = u32::try_from(self.entries.len() + 1).map_err(|_| Full)?;
        if self.slots.len() * 2 < (self.entries.len() + 1) * 3 {
            self.grow();
        }
        let hash = self.hash(key);
        if let Some(slot) = self.slot_of(key, hash) {
            self.slots[slot] = Slot { hash, number };
        }
        self.keys.push_str(key);
        self.entries.push(Entry { at, length, hash, hit });
        Ok(())
    }

    /// Keys and what they lead to, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Hit)> {
        self.entries.iter().map(|entry| (self.key(entry), entry.hit))
    }

    fn key(&self, entry: &Entry) -> &str {
        &self.keys[entry.at as usize..(entry.at + entry.length) as usize]
    }

    fn hash(&self, key: &str) -> u32 {
        self.hashes.hash_one(key) as u32
    }

    /// The slot that holds the key, or the open one where it belongs; none in a table without slots.
    fn slot_of(&self, key: &str, hash: u32) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut place = hash as usize & mask;
        // A third of the slots is open, so this ends.
        loop {
            let slot = self.slots[place];
            let Some(number) = slot.number.checked_sub(1) else { return Some(place) };
            if slot.hash == hash && self.key(&self.entries[number as usize]) == key {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        let mask = size - 1;
        let mut slots = vec![Slot::default(); size];
        for (number, entry) in (1..).zip(&self.entries) {
            let mut place = entry.hash as usize & mask;
            while slots[place].number != 0 {
                place = (place + 1) & mask;
            }
            slots[place] = Slot { hash: entry.hash, number };
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_and_nothing_else() {
        let mut table = Table::default();
        assert_eq!(table.find("key0"), None);
        for number in 0..10_000 {
            table.insert(&format!("key{number}"), Hit { value: number, line: number + 1 }).unwrap();
        }
        for number in 0..10_000 {
            assert_eq!(table.find(&format!("key{number}")), Some(Hit { value: number, line: number + 1 }));
        }
        assert_eq!(table.find("key10000"), None);
        assert_eq!(table.find(""), None);
        assert_eq!(table.len(), 10_000);
        assert_eq!(table.iter().nth(7), Some(("key7", Hit { value: 7, line: 8 })));
    }
}
