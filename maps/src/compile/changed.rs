//! What changed between two texts of one table, line by line, as changes of keys.
//!
//! Somebody knows them ([`by`]), or they are found ([`between`]): lines that stand in both, in one order, are
//! stretches; what lies between two stretches was taken out of the one text and put into the other. However the
//! stretches were found, they say the truth: badly found ones only say it at length. Where a stretch can't be read by
//! itself, because an entry goes on over its border, nothing is said.

mod sides;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::artifact::Layered;
use crate::artifact::exact::Op;
use crate::artifact::exact::layered::{Moved, Since, Stretch, most_lines};
use crate::grammar::Grammar;
use crate::installed::Edits;
use crate::source::{self, MAX_LINE, Part, goes_on};
use sides::Sides;

/// The changes from `old`, of which `base` was made, each key of it standing there once, to `new`. None when the texts
/// differ in much, cannot be compared, or something is wrong with the new one.
pub(super) fn between(
    base: &Layered,
    old: &[u8],
    new: &[u8],
    grammar: &mut Grammar<'_>,
) -> Option<Since<'static>> {
    let mut side = Sides::new(old, new, usize::try_from(base.len()).ok()?);
    let (mut differing, mut octets) = (Differing::default(), MOST_OCTETS);
    while let Some([of_old, of_new]) = side.next_difference()? {
        octets = octets.checked_sub(of_old.len() + of_new.len())?;
        differing.take_out(&of_old, grammar)?;
        differing.put_in(&of_new, grammar)?;
    }
    differing.since(base, side.moved)
}

/// The same by lines that are known.
pub(super) fn by(base: &Layered, edits: &Edits, grammar: &mut Grammar<'_>) -> Option<Since<'static>> {
    let (keys, lines) = (usize::try_from(base.len()).ok()?, usize::try_from(edits.lines).ok()?);
    if lines > most_lines(keys) {
        return None;
    }
    let (mut differing, mut moved) = (Differing::default(), Moved::default());
    // The lines that come next in both texts.
    let (mut old, mut new) = (1, 1);
    for edit in &edits.edits {
        pass(&mut moved, (&mut old, &mut new), edit.old)?;
        if (old, new) != (edit.old, edit.new) {
            return None;
        }
        if let Some(line) = &edit.removed {
            differing.take_out(&whole(line, old)?, grammar)?;
            old = old.checked_add(1)?;
        }
        if let Some(line) = &edit.added {
            differing.put_in(&whole(line, new)?, grammar)?;
            new = new.checked_add(1)?;
        }
    }
    pass(&mut moved, (&mut old, &mut new), edits.lines.checked_add(1)?)?;
    // A text without a line is refused by the one who reads it.
    if new == 1 {
        return None;
    }
    // A key that stays has a line that stays.
    let gone = edits.edits.iter().filter(|edit| edit.removed.is_some()).count();
    if keys.checked_sub(differing.removed.len())? > lines.checked_sub(gone)? {
        return None;
    }
    differing.since(base, moved)
}

/// A line that is an entry by itself, and the place where it stands.
fn whole(line: &[u8], at: u32) -> Option<Part<'_>> {
    let is_marked = source::unmarked(line).len() < line.len();
    if goes_on(line) || is_marked || line.len() > MAX_LINE {
        return None;
    }
    Some(Part::new(line, at.checked_sub(1)?))
}

/// Passes the lines that stand in both texts, up to one of the old text.
fn pass(moved: &mut Moved, (old, new): (&mut u32, &mut u32), to: u32) -> Option<()> {
    let lines = to.checked_sub(*old)?;
    if lines > 0 {
        moved.push(Stretch { start: *old, end: to, new: *new })?;
        (*old, *new) = (to, new.checked_add(lines)?);
    }
    Some(())
}

// ---------------------------------------------------------------------------------------------------------

/// The entries that one of the texts has and the other has not.
#[derive(Debug, Default)]
struct Differing {
    /// The keys, and where they stood.
    removed: Vec<(String, u32)>,
    added: Vec<(String, Put)>,
}

/// What a key leads to, and where it stands.
#[derive(Debug)]
struct Put {
    value: String,
    line: u32,
}

impl Differing {
    /// What some lines said does not matter any more: that they said it is seen in the table.
    fn take_out(&mut self, part: &Part<'_>, grammar: &Grammar<'_>) -> Option<()> {
        for line in part.lines() {
            let line = line.ok()?;
            let entry = source::split(&line.text).ok()?;
            self.removed.push((grammar.key(entry.key).ok()?.into_owned(), line.number()));
        }
        Some(())
    }

    fn put_in(&mut self, part: &Part<'_>, grammar: &mut Grammar<'_>) -> Option<()> {
        for line in part.lines() {
            let line = line.ok()?;
            let entry = source::split(&line.text).ok()?;
            let key = grammar.key(entry.key).ok()?.into_owned();
            let value = grammar.value(&key, entry.value).ok()?.into_owned();
            self.added.push((key, Put { value, line: line.number() }));
        }
        Some(())
    }

    /// As changes of keys, if the base has what was taken out and has not what is put in.
    fn since(self, base: &Layered, moved: Moved) -> Option<Since<'static>> {
        let Self { removed, added } = self;
        let (gone, come) = (u64::try_from(removed.len()).ok()?, u64::try_from(added.len()).ok()?);
        let keys = base.len().checked_sub(gone)?.checked_add(come)?;
        // Each at a line of its own, so that none is there twice.
        let was_there =
            |(key, line): &(String, u32)| matches!(base.find(key), Ok(Some(at)) if at.line == *line);
        if !removed.iter().all(was_there) {
            return None;
        }
        let mut changed: HashMap<String, Option<Put>> =
            removed.into_iter().map(|(key, _)| (key, None)).collect();
        for (key, put) in added {
            match changed.entry(key) {
                Entry::Occupied(mut was) => {
                    let is_twice = was.insert(Some(put)).is_some();
                    if is_twice {
                        return None;
                    }
                }
                Entry::Vacant(new) if matches!(base.find(new.key()), Ok(None)) => drop(new.insert(Some(put))),
                Entry::Vacant(_) => return None,
            }
        }
        let op = |(key, put): (String, Option<Put>)| match put {
            Some(Put { value, line }) => Op::Put { key: key.into(), value: value.into(), line },
            None => Op::Delete { key: key.into() },
        };
        Some(Since { ops: changed.into_iter().map(op).collect(), moved, keys })
    }
}

/// Octets of lines that differ, so that what is held of them is less than a compiler holds of all.
const MOST_OCTETS: usize = 64 << 20;

#[cfg(test)]
mod tests;
