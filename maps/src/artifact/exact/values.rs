//! Each value's text once: numbers while a map is built, and their final order.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// Texts, each kept once and known by its number.
#[derive(Debug, Default)]
pub(super) struct Values {
    text: String,
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hashes: RandomState,
}

impl Values {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: u32) -> &str {
        text_of(&self.text, &self.ends, number)
    }

    /// The text's number, if it has one.
    pub(super) fn find(&self, value: &str) -> Option<u32> {
        let same = |number: &u32| text_of(&self.text, &self.ends, *number) == value;
        self.numbers.find(self.hashes.hash_one(value), same).copied()
    }

    /// The text's number, a new one if need be; none when there are no more numbers.
    pub(super) fn number(&mut self, value: &str) -> Option<u32> {
        if let Some(number) = self.find(value) {
            return Some(number);
        }
        let number = u32::try_from(self.ends.len()).ok().filter(|number| *number < u32::MAX)?;
        self.text.push_str(value);
        self.ends.push(self.text.len());
        let Self { text, ends, numbers, hashes } = self;
        let hash = hashes.hash_one(value);
        numbers.insert_unique(hash, number, |number| hashes.hash_one(text_of(text, ends, *number)));
        Some(number)
    }
}

fn text_of<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[number]]
}

// ---------------------------------------------------------------------------------------------------------

/// Numbers in the order of their first use by the records, which is the order of the file; a value that no
/// record uses gets none. So the file says nothing about how it came to be.
#[derive(Debug)]
pub(super) struct Order {
    /// By number before; `u32::MAX` is unused.
    after: Vec<u32>,
    /// The numbers before, in their new order.
    before: Vec<u32>,
}

impl Order {
    pub(super) fn new(values: usize) -> Self {
        Self { after: vec![u32::MAX; values], before: Vec::new() }
    }

    /// The number of a value in the file.
    pub(super) fn number(&mut self, before: u32) -> u32 {
        let after = &mut self.after[before as usize];
        if *after == u32::MAX {
            *after = self.before.len() as u32;
            self.before.push(before);
        }
        *after
    }

    pub(super) fn before(&self) -> &[u32] {
        &self.before
    }
}
