//! Values with their types: read from a table's text when they are first asked for, and remembered.
//!
//! A site's maps hold millions of keys and few different routes, so a value is read once for all the keys
//! that lead to it. What a pattern made of a key is read each time.

use std::sync::{Arc, OnceLock};

use crate::access::Access;
use crate::chain::{Chain, Hit};
use crate::entry::Route;
use crate::grammar::{Words, write};
use crate::name::MapName;
use crate::relocated;

/// Different values of one table that are remembered; a table with more is read each time.
const MAX_REMEMBERED: usize = 1 << 16;

/// A type that values are read into.
pub(crate) trait Typed: Clone {
    /// Reads the text that [`write()`] made.
    fn read(text: &str, words: &Words) -> Option<Self>;
}

impl Typed for Route {
    fn read(text: &str, words: &Words) -> Option<Self> {
        Self::parse(text, &words.pools).ok()
    }
}

impl Typed for Access {
    fn read(text: &str, _words: &Words) -> Option<Self> {
        Self::read(text).ok()
    }
}

/// Where somebody has moved.
impl Typed for Arc<str> {
    fn read(text: &str, _words: &Words) -> Option<Self> {
        relocated::read(text).ok().map(|text| text.as_ref().into())
    }
}

/// The values of one map that were read already.
#[derive(Debug)]
pub(crate) struct Remembered<V> {
    map: MapName,
    tables: Vec<Box<[OnceLock<Option<V>>]>>,
}

impl<V: Typed> Remembered<V> {
    pub(crate) fn new(map: MapName, chain: &Chain) -> Self {
        let room = |values: usize| if values > MAX_REMEMBERED { 0 } else { values };
        let table = |values| (0..room(values)).map(|_| OnceLock::new()).collect();
        Self { map, tables: chain.members.iter().map(|member| table(member.table.values())).collect() }
    }

    /// The value of a hit; none when its text does not hold one, which only a pattern, a server or a
    /// damaged table does.
    pub(crate) fn read(&self, hit: &Hit<'_>, words: &Words) -> Option<V> {
        let slot = hit.number.and_then(|number| self.tables.get(hit.member)?.get(number as usize));
        match (slot, hit.number) {
            (Some(slot), _) => slot.get_or_init(|| V::read(&hit.text, words)).clone(),
            (None, Some(_)) => V::read(&hit.text, words),
            (None, None) => V::read(&write(self.map, "", &hit.text, words).ok()?, words),
        }
    }
}

/// The text of a hit as it is kept; none when a pattern or a server made something else of it.
pub(crate) fn text(map: MapName, hit: &Hit<'_>, words: &Words) -> Option<String> {
    match hit.number {
        Some(_) => Some(hit.text.clone().into_owned()),
        None => write(map, "", &hit.text, words).ok(),
    }
}
