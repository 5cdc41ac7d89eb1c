//! What an agent is told, and what it answers.

use std::time::Duration;

use super::Outcome;
use crate::hash::Hash;
use crate::head::{File, Head, HeadRef};

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A hub showed a head, unasked or as the answer to [`Action::AskHead`].
    Head {
        /// Which hub, from 0.
        hub: usize,
        /// The envelope.
        envelope: &'a [u8],
    },
    /// A hub showed a release.
    Release {
        /// Which hub.
        hub: usize,
        /// The envelope.
        envelope: &'a [u8],
    },
    /// A hub showed a root.
    Root {
        /// Which hub.
        hub: usize,
        /// The envelope.
        envelope: &'a [u8],
    },
    /// A hub says that it has not what it was asked for.
    Lacks {
        /// Which hub.
        hub: usize,
        /// By [`Action::AskRoot`] or [`Action::AskHead`].
        asked: Asked,
    },
    /// What came of an [`Action::Fetch`].
    Fetched {
        /// Which hub.
        hub: usize,
        /// Which file.
        file: &'a File,
        /// Whether only its change was asked for.
        delta: bool,
        /// How it went.
        outcome: Outcome,
    },
    /// What came of an [`Action::Stage`].
    Staged(Result<(), Unfit>),
    /// What came of an [`Action::Flip`].
    Flipped(Result<(), String>),
    /// A daemon ended by itself.
    Died,
    /// The time of an [`Action::Rest`] is over.
    Rested,
}

/// A message that is asked for by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// A root.
    Root(u64),
    /// A head.
    Head(HeadRef),
}

/// Why a set is not staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// This host cannot run by it, now or later.
    Wrong(String),
    /// It may go better another time: the disk is full, or a table's server is away.
    Later(String),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make this durable before anything that follows is done; who cannot, stops.
    Keep(Vec<u8>),
    /// Ask a hub for a root.
    AskRoot {
        /// Which hub.
        hub: usize,
        /// Its version.
        version: u64,
    },
    /// Ask a hub for a head of old.
    AskHead {
        /// Which hub.
        hub: usize,
        /// Which head.
        head: HeadRef,
    },
    /// Ask a hub for its newest head and release, whatever it showed before.
    AskAgain {
        /// Which hub.
        hub: usize,
    },
    /// Fetch a file, check it by hash and length, and keep it by its hash until it is staged.
    Fetch {
        /// From which hub.
        hub: usize,
        /// What.
        file: File,
        /// The table on disk to which only the change is asked for.
        base: Option<File>,
    },
    /// Make this set of files that are on disk: write it aside, compile, test.
    Stage(Box<Set>),
    /// Put a set in use.
    Flip {
        /// Which.
        to: HeadRef,
        /// Whether it is the one of before.
        back: bool,
    },
    /// Remove a set.
    Remove(HeadRef),
    /// Remove what was fetched, but for these.
    Tidy(Vec<Hash>),
    /// Count it: a hub showed what is not taken, whatever it was asked.
    Refused {
        /// Which hub.
        hub: usize,
        /// A `root`, `head` or `release`.
        what: &'static str,
        /// Why, in a word ([`crate::trust::Refused::word`]).
        why: &'static str,
    },
    /// Wait so long, then say [`Input::Rested`].
    Rest(Duration),
    /// Tell the hubs: something has changed.
    Report,
}

/// A set on disk, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: HeadRef,
    /// What it is made of.
    pub head: Head,
}
