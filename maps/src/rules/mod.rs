//! What tables of rules have in common: cidr, regexp and pcre tables.
//!
//! A rule is a logical line. `if` and `endif` lines make blocks of them; `!` turns a condition round. The
//! first rule that matches answers, so a rule can be dead: it is told apart from what is wrong, since an admin
//! may mean to keep it. What a value means is the map's affair: it hands in a `Check`.

mod blocks;
pub mod fuzz;
#[cfg(test)]
pub(crate) mod testing;
mod values;
mod words;

use std::fmt;

use crate::fault::{Faults, Wrong};
use crate::source::{BadLine, Line};

pub(crate) use blocks::{Blocks, DEEPEST};
pub(crate) use values::{VALUE_ENDS, VALUE_TEXTS, ValueArena, Values};
pub(crate) use words::{Keyword, keyword, negation};

/// True when a value holds substitutions, so that its final text is only known when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Template {
    No,
    Yes,
}

/// Types a value; gives the text to keep of it, so that two ways to write one value become one.
pub(crate) type Check<'a> = &'a mut dyn FnMut(&str, Template) -> Result<String, Wrong>;

/// A table that was read.
#[derive(Debug)]
pub(crate) struct Built {
    /// The artifact.
    pub(crate) bytes: Vec<u8>,
    /// Rules that can never answer, or never otherwise than those before them do.
    pub(crate) dead: BadLines,
}

/// Lines that are wrong, in the order of the file; the rest over [`Faults::LIMIT`] is only counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BadLines {
    pub(crate) kept: Vec<BadLine>,
    pub(crate) more: usize,
}

impl BadLines {
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn push(&mut self, bad: BadLine) {
        if self.kept.len() < Faults::LIMIT {
            self.kept.push(bad);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.more += other.more;
        other.kept.into_iter().for_each(|bad| self.push(bad));
    }

    /// What is wrong is not a line's fault.
    pub(crate) fn of_table(what: impl Into<String>) -> Self {
        Self { kept: vec![BadLine { line: 0, column: 0, what: what.into() }], more: 0 }
    }

    /// Tells what is wrong at an offset of a line.
    pub(crate) fn tell(&mut self, line: &Line<'_>, wrong: Wrong) {
        let (number, column) = line.place(wrong.at);
        self.push(BadLine { line: number, column, what: wrong.what });
    }

    /// Tells what is wrong with a whole line.
    pub(crate) fn tell_line(&mut self, line: u32, what: impl Into<String>) {
        self.push(BadLine { line, column: 1, what: what.into() });
    }
}

impl fmt::Display for BadLines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for bad in &self.kept {
            writeln!(formatter, "{}:{}: {}", bad.line, bad.column, bad.what)?;
        }
        if self.more > 0 { writeln!(formatter, "and {} more", self.more) } else { Ok(()) }
    }
}
