//! The distinct values of a table: many rules have few of them.

use std::collections::HashMap;

use super::{Check, Template};
use crate::artifact::Corrupt;
use crate::artifact::container::Tag;
use crate::fault::Wrong;

/// Where each value ends, and the next starts.
pub(crate) const VALUE_ENDS: Tag = *b"vend";
/// The values, one after another.
pub(crate) const VALUE_TEXTS: Tag = *b"vtxt";

/// Collects values while a table is read.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// What stands in the file, to the number of what is kept of it.
    written: HashMap<(Box<str>, Template), u32>,
    kept: HashMap<(String, Template), u32>,
    arena: ValueArena,
}

impl Values {
    /// Checks a value and numbers it; the same text has the same number.
    pub(crate) fn number(&mut self, text: &str, template: Template, check: Check<'_>) -> Result<u32, Wrong> {
        let written = (text.into(), template);
        if let Some(number) = self.written.get(&written) {
            return Ok(*number);
        }
        let kept = (check(text, template)?, template);
        let number = match self.kept.get(&kept) {
            Some(number) => *number,
            None => {
                let number = self.arena.push(&kept.0)?;
                self.kept.insert(kept, number);
                number
            }
        };
        self.written.insert(written, number);
        Ok(number)
    }

    pub(crate) fn into_arena(self) -> ValueArena {
        self.arena
    }
}

/// Texts one after another, and where each ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueArena {
    /// Little-endian u32 each.
    pub(crate) ends: Vec<u8>,
    pub(crate) texts: Vec<u8>,
}

impl ValueArena {
    fn push(&mut self, text: &str) -> Result<u32, Wrong> {
        let number = u32::try_from(self.ends.len() / 4).ok().filter(|number| *number < u32::MAX);
        let end = self.texts.len().checked_add(text.len()).and_then(|end| u32::try_from(end).ok());
        let (Some(number), Some(end)) = (number, end) else {
            return Err(Wrong::new("the map is too large: its values take more than 4 GiB"));
        };
        self.texts.extend_from_slice(text.as_bytes());
        self.ends.extend_from_slice(&end.to_le_bytes());
        Ok(number)
    }

    /// How many texts there are.
    pub(crate) fn count(ends: &[u8]) -> u32 {
        u32::try_from(ends.len() / 4).unwrap_or(u32::MAX)
    }

    /// A value's text out of an arena's two sections.
    pub(crate) fn get<'a>(ends: &[u8], texts: &'a [u8], number: u32) -> Result<&'a str, Corrupt> {
        let at = 4 * u64::from(number);
        let missing = |what| Corrupt { section: VALUE_ENDS, at, what };
        let start = match number.checked_sub(1) {
            Some(before) => end(ends, before).ok_or(missing("no such value"))?,
            None => 0,
        };
        let end = end(ends, number).ok_or(missing("no such value"))?;
        let text = texts.get(start..end).ok_or(missing("a value outside of the texts"))?;
        std::str::from_utf8(text).map_err(|_| missing("a value that is not UTF-8"))
    }

    /// Reads every text; they must be all there is.
    pub(crate) fn verify(ends: &[u8], texts: &[u8]) -> Result<(), Corrupt> {
        let count = Self::count(ends);
        (0..count).try_for_each(|number| Self::get(ends, texts, number).map(|_| ()))?;
        let last = count.checked_sub(1).map_or(Some(0), |last| end(ends, last));
        if last != Some(texts.len()) || !ends.len().is_multiple_of(4) {
            return Err(Corrupt { section: VALUE_TEXTS, at: 0, what: "more text than values" });
        }
        Ok(())
    }
}

fn end(ends: &[u8], number: u32) -> Option<usize> {
    let bytes = ends.as_chunks::<4>().0.get(number as usize)?;
    Some(u32::from_le_bytes(*bytes) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_checked_once_and_kept_once() {
        let mut calls = 0;
        let mut check = |text: &str, _| {
            calls += 1;
            if text.is_empty() { Err(Wrong::new("nothing")) } else { Ok(text.to_lowercase()) }
        };
        let mut values = Values::default();
        assert_eq!(values.number("OK", Template::No, &mut check), Ok(0));
        assert_eq!(values.number("no", Template::No, &mut check), Ok(1));
        assert_eq!(values.number("ok", Template::No, &mut check), Ok(0));
        assert_eq!(values.number("OK", Template::No, &mut check), Ok(0));
        assert_eq!(values.number("ok", Template::Yes, &mut check), Ok(2));
        assert!(values.number("", Template::No, &mut check).is_err());
        assert_eq!(calls, 5);
        let arena = values.into_arena();
        let get = |number| ValueArena::get(&arena.ends, &arena.texts, number);
        assert_eq!((get(0), get(1), get(2)), (Ok("ok"), Ok("no"), Ok("ok")));
        assert!(get(3).is_err() && get(u32::MAX).is_err());
        assert_eq!(ValueArena::verify(&arena.ends, &arena.texts), Ok(()));
        assert!(ValueArena::verify(&arena.ends, b"oknook ").is_err());
        assert!(ValueArena::verify(&arena.ends, b"oknoo").is_err());
        assert!(ValueArena::verify(&arena.ends, b"oknoo\xff").is_err());
        assert!(ValueArena::verify(&arena.ends[1..], &arena.texts).is_err());
    }
}
