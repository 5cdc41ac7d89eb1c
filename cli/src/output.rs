//! Where a verb writes, and how it ends.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is fine.
    Fine,
    /// The verb did its work and found something wrong.
    Wrong,
    /// The verb could not do what was asked; nothing was changed.
    Misuse,
    /// A daemon was given an order, and nobody heard its end: it goes on there.
    GoesOn,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Wrong => 1,
            Exit::Misuse => 2,
            Exit::GoesOn => 3,
        })
    }
}

/// Data on one side, what is said to the person on the other.
pub(crate) struct Output {
    data: Box<dyn Write>,
    speech: Box<dyn Write>,
}

impl Output {
    /// Standard output and standard error.
    pub(crate) fn standard() -> Self {
        Self { data: Box::new(io::stdout().lock()), speech: Box::new(io::stderr().lock()) }
    }

    /// Writes data: what a program may read on.
    pub(crate) fn data(&mut self, data: impl fmt::Display) -> io::Result<()> {
        write!(self.data, "{data}")?;
        self.data.flush()
    }

    /// Says a line to the person.
    pub(crate) fn say(&mut self, line: impl fmt::Display) -> io::Result<()> {
        writeln!(self.speech, "{line}")
    }
}
