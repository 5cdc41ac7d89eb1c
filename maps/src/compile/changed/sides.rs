//! Two texts, walked through at once: the lines that stand in both, and what differs between them.

use crate::artifact::exact::layered::{LEAST_LINES, Moved, Stretch, most_lines};
use crate::source::{self, Part, goes_on};

/// Both texts, walked through at once.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    old: Walked<'a>,
    new: Walked<'a>,
    most_lines: usize,
    /// The lines that stood in both, so far.
    pub(super) moved: Moved,
}

impl<'a> Sides<'a> {
    /// Of a table of so many keys.
    pub(super) fn new(old: &'a [u8], new: &'a [u8], keys: usize) -> Self {
        // A mark is none of the first line: that may stand in the middle of the other text.
        let budget = (keys / 10 * MOST_IN_TEN).max(LEAST_LINES);
        let whole = |text| Walked { rest: source::unmarked(text), lines: 0, budget };
        Self { old: whole(old), new: whole(new), most_lines: most_lines(keys), moved: Moved::default() }
    }

    /// What differs next, nothing at the end of both; none of it when this is no way to compare them.
    pub(super) fn next_difference(&mut self) -> Option<Option<[Part<'a>; 2]>> {
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
            if pass_old {
                self.old.pass_differing(old)?;
            }
            if pass_new {
                self.new.pass_differing(new)?;
            }
        }
        Some(())
    }
}

/// One of them, and how far it was walked.
#[derive(Debug, Clone, Copy)]
struct Walked<'a> {
    rest: &'a [u8],
    /// Lines before the rest.
    lines: u32,
    /// Lines of it that may still differ.
    budget: usize,
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

    /// Goes on behind the next line, which the other text has not.
    fn pass_differing(&mut self, line: &[u8]) -> Option<()> {
        self.budget = self.budget.checked_sub(1)?;
        self.pass(line.len())
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

/// Of ten keys' lines so many may differ in each text: beyond, a compiler is as fast.
const MOST_IN_TEN: usize = 2;
