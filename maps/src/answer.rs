//! The three answers of a lookup, and where a found one stands.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::name::MapName;

/// What a map says. There is no shortcut to an `Option` here: "cannot know" must never become "no".
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Answer<T> {
    /// The map has it.
    Found(T),
    /// The map does not have it, or the role has no such map.
    NotFound,
    /// The map cannot say: 451 4.3.0, never 550 5.1.1.
    Unavailable(Unavailable),
}

impl<T> Answer<T> {
    /// The same answer with what was found turned into something else.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Found(found) => Answer::Found(turn(found)),
            Self::NotFound => Answer::NotFound,
            Self::Unavailable(unavailable) => Answer::Unavailable(unavailable),
        }
    }

    /// The answer's name, as a metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::NotFound => "not_found",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// Something found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// What the map says.
    pub value: T,
    /// The line that says it.
    pub place: Place,
}

/// A line of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The map.
    pub map: MapName,
    /// Its file.
    pub file: Arc<Path>,
    /// From 1.
    pub line: u32,
}

/// `file:line`.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a map cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {map} map is unavailable: {why}")]
pub struct Unavailable {
    /// The map.
    pub map: MapName,
    /// For the log, not for the peer.
    pub why: Arc<str>,
}
