//! What changed between two texts of one table, line by line, as changes of keys.
//!
//! Somebody knows them ([`Changed::by`]), or they are found ([`Changed::between`]): lines that stand in both, in one
//! order, are stretches; what lies between two stretches was taken out of the one text and put into the other. However the stretches were found, they say the truth: badly found ones only say it
//! at length. Where a stretch can't be read by itself, because an entry goes on over its border, nothing is said.

use std::collections::HashSet;

use crate::artifact::Layered;
use crate::artifact::exact::Op;
use crate::artifact::exact::layered::{LEAST_LINES, Moved, Stretch, most_lines};
use crate::grammar::Grammar;
use crate::installed::Edits;
use crate::source::{self, MAX_LINE, Part, goes_on};

/// What leads from a table to the next.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) ops: Vec<Op<'static>>,
    /// Where the lines that stayed stand now.
    pub(super) moved: Moved,
}

/// An entry of a text.
#[derive(Debug)]
struct Entry {
    key: String,
    value: String,
    line: u32,
}

impl Changed {
    /// The changes from `old`, of which `base` was made, each key of it standing there once, to `new`. None when the
    /// texts differ in much, cannot be compared, or something is wrong with the new one.
    pub(super) fn between(base: &Layered, old: &[u8], new: &[u8], grammar: &mut Grammar<'_>) -> Option<Self> {
        let mut side = Sides::new(old, new, usize::try_from(base.len()).ok()?);
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        let mut octets = MOST_OCTETS;
        while let Some([of_old, of_new]) = side.next_difference()? {
            octets = octets.checked_sub(of_old.len() + of_new.len())?;
            read(&of_old, grammar, &mut removed)?;
            read(&of_new, grammar, &mut added)?;
        }
        let ops = ops(base, removed, added)?;
        Some(Self { ops, moved: side.moved })
    }

    /// The same by lines that are known.
    pub(super) fn by(base: &Layered, edits: &Edits, grammar: &mut Grammar<'_>) -> Option<Self> {
        let (keys, lines) = (usize::try_from(base.len()).ok()?, usize::try_from(edits.lines).ok()?);
        if lines > most_lines(keys) {
            return None;
        }
        let (mut removed, mut added, mut moved) = (Vec::new(), Vec::new(), Moved::default());
        // The lines that come next in both texts.
        let (mut old, mut new) = (1, 1);
        for edit in &edits.edits {
            pass(&mut moved, (&mut old, &mut new), edit.old)?;
            if (old, new) != (edit.old, edit.new) {
                return None;
            }
            for (line, entries, at) in
                [(&edit.removed, &mut removed, &mut old), (&edit.added, &mut added, &mut new)]
            {
                let Some(line) = line else { continue };
                let is_marked = source::unmarked(line).len() < line.len();
                if goes_on(line) || is_marked || line.len() > MAX_LINE {
                    return None;
                }
                read(&Part::new(line, at.checked_sub(1)?), grammar, entries)?;
                *at = at.checked_add(1)?;
            }
        }
        pass(&mut moved, (&mut old, &mut new), edits.lines.checked_add(1)?)?;
        // A text without a line is refused by the one who reads it.
        if new == 1 {
            return None;
        }
        // A key that stays has a line that stays.
        let gone = edits.edits.iter().filter(|edit| edit.removed.is_some()).count();
        if keys.checked_sub(removed.len())? > lines.checked_sub(gone)? {
            return None;
        }
        Some(Self { ops: ops(base, removed, added)?, moved })
    }
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

/// The changes of keys, if the base has what was taken out and has not what is put in.
fn ops(base: &Layered, removed: Vec<Entry>, added: Vec<Entry>) -> Option<Vec<Op<'static>>> {
    let keys = |entries: &[Entry]| entries.iter().map(|entry| entry.key.clone()).collect::<HashSet<_>>();
    let (gone, come) = (keys(&removed), keys(&added));
    let was_there =
        |entry: &Entry| base.find(&entry.key).ok().flatten().is_some_and(|at| at.line == entry.line);
    let is_new = |entry: &Entry| gone.contains(&entry.key) || matches!(base.find(&entry.key), Ok(None));
    let each_once = gone.len() == removed.len() && come.len() == added.len();
    if !each_once || !removed.iter().all(was_there) || !added.iter().all(is_new) {
        return None;
    }
    let deleted = removed.into_iter().filter(|entry| !come.contains(&entry.key));
    let delete = |entry: Entry| Op::Delete { key: entry.key.into() };
    let put = |entry: Entry| Op::Put { key: entry.key.into(), value: entry.value.into(), line: entry.line };
    Some(deleted.map(delete).chain(added.into_iter().map(put)).collect())
}

/// Reads the entries of a few lines.
fn read(part: &Part<'_>, grammar: &mut Grammar<'_>, entries: &mut Vec<Entry>) -> Option<()> {
    for line in part.lines() {
        let line = line.ok()?;
        let entry = source::split(&line.text).ok()?;
        let key = grammar.key(entry.key).ok()?.into_owned();
        let value = grammar.value(&key, entry.value).ok()?.into_owned();
        entries.push(Entry { key, value, line: line.number() });
    }
    Some(())
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
