//! What changed between two texts of one table, line by line, as changes of keys.
//!
//! Somebody knows them ([`by`]), or they are found ([`between`]): lines that stand in both, in one order, are
//! stretches; what lies between two stretches was taken out of the one text and put into the other. However the
//! stretches were found, they say the truth: badly found ones only say it at length. Where a stretch can't be read by
//! itself, because an entry goes on over its border, nothing is said.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::artifact::Layered;
use crate::artifact::exact::Op;
use crate::artifact::exact::layered::{LEAST_LINES, Moved, Since, Stretch, most_lines};
use crate::grammar::Grammar;
use crate::installed::Edits;
use crate::source::{self, MAX_LINE, Part, goes_on};

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

// ---------------------------------------------------------------------------------------------------------

/// One of the texts, and how far it was walked.
#[derive(Debug, Clone, Copy)]
struct Walked<'a> {
    rest: &'a [u8],
    /// Lines before the rest.
    lines: u32,
}

/// Both texts, walked through at once.
#[derive(Debug)]
struct Sides<'a> {
    old: Walked<'a>,
    new: Walked<'a>,
    /// Lines that may still differ.
    budget: usize,
    most_lines: usize,
    moved: Moved,
}

impl<'a> Sides<'a> {
    /// Of a table of so many keys.
    fn new(old: &'a [u8], new: &'a [u8], keys: usize) -> Self {
        // A mark is none of the first line: that may stand in the middle of the other text.
        let whole = |text| Walked { rest: source::unmarked(text), lines: 0 };
        let budget = (keys / 10 * MOST_IN_TEN).max(LEAST_LINES);
        let most_lines = most_lines(keys);
        Self { old: whole(old), new: whole(new), budget, most_lines, moved: Moved::default() }
    }

    /// What differs next, nothing at the end of both; none of it when this is no way to compare them.
    fn next_difference(&mut self) -> Option<Option<[Part<'a>; 2]>> {
        self.pass_same()?;
        if self.old.rest.is_empty() && self.new.rest.is_empty() {
            return Some(None);
        }
        let (old, new) = (self.old, self.new);
        self.pass_differing()?;
        // What goes on with the entry above it belongs to that.
        if goes_on(self.old.rest) || goes_on(self.new.rest) {
            return None;
        }
        Some(Some([old.up_to(&self.old)?, new.up_to(&self.new)?]))
    }

    /// Goes to the first line that differs.
    fn pass_same(&mut self) -> Option<()> {
        let same = same_front(self.old.rest, self.new.rest);
        let (front, _) = self.old.rest.split_at(same);
        let is_end = same == self.old.rest.len() && same == self.new.rest.len();
        let end = if is_end { same } else { memchr::memrchr(b'\n', front).map_or(0, |end| end + 1) };
        let (start, new) = (self.old.lines + 1, self.new.lines + 1);
        self.old.pass(end)?;
        self.new.pass(end)?;
        let end = self.old.lines.checked_add(1)?;
        if usize::try_from(end).ok()? > self.most_lines {
            return None;
        }
        if end > start { self.moved.push(Stretch { start, end, new }) } else { Some(()) }
    }

    /// Goes to the next line that is the same in both.
    fn pass_differing(&mut self) -> Option<()> {
        loop {
            let (old, new) = (self.old.line(), self.new.line());
            if old == new {
                break;
            }
            let (pass_old, pass_new) = match (old.is_empty(), new.is_empty()) {
                (true, _) => (false, true),
                (_, true) => (true, false),
                // One line changed, went or came; else as if both were sorted.
                _ => match (self.old.after(old), self.new.after(new)) {
                    (next, other) if next == other => (true, true),
                    (next, _) if next == new => (true, false),
                    (_, next) if next == old => (false, true),
                    _ => (old < new, old >= new),
                },
            };
            self.budget = self.budget.checked_sub(1)?;
            if pass_old {
                self.old.pass(old.len())?;
            }
            if pass_new {
                self.new.pass(new.len())?;
            }
        }
        Some(())
    }
}

impl<'a> Walked<'a> {
    /// The next line with its end; empty behind the last one.
    fn line(&self) -> &'a [u8] {
        line_of(self.rest)
    }

    /// The line behind the next one.
    fn after(&self, line: &[u8]) -> &'a [u8] {
        line_of(self.rest.get(line.len()..).unwrap_or_default())
    }

    fn pass(&mut self, octets: usize) -> Option<()> {
        let (front, rest) = self.rest.split_at_checked(octets)?;
        let lines = memchr::memchr_iter(b'\n', front).count();
        // The last line may have no end.
        let lines = lines + usize::from(rest.is_empty() && !front.is_empty() && !front.ends_with(b"\n"));
        self.lines = self.lines.checked_add(u32::try_from(lines).ok()?)?;
        self.rest = rest;
        Some(())
    }

    /// What lies between here and there.
    fn up_to(&self, end: &Self) -> Option<Part<'a>> {
        let (bytes, _) = self.rest.split_at_checked(self.rest.len().checked_sub(end.rest.len())?)?;
        Some(Part::new(bytes, self.lines))
    }
}

fn line_of(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
    text.split_at(end).0
}

/// How many octets both begin with.
fn same_front(one: &[u8], other: &[u8]) -> usize {
    let ((ones, _), (others, _)) = (one.as_chunks::<64>(), other.as_chunks::<64>());
    let whole = 64 * ones.iter().zip(others).take_while(|(one, other)| one == other).count();
    let (one, other) = (one.split_at(whole).1, other.split_at(whole).1);
    whole + one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Of ten keys' lines so many may differ: beyond, a compiler is as fast.
const MOST_IN_TEN: usize = 3;
/// Octets of lines that differ, so that what is held of them is less than a compiler holds of all.
const MOST_OCTETS: usize = 64 << 20;

#[cfg(test)]
mod tests;
