//! What is wished of an [`Admin`](super::Admin), and why it was not done.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hyper::StatusCode;
use switchyard_mapsync_protocol::envelope::Malformed;
use switchyard_mapsync_protocol::head;
use switchyard_mapsync_protocol::rollout::BadPlan;
use switchyard_mapsync_protocol::trust::{HeadRef, Refused};

use super::bring::may_have_it;
use super::{Behind, MemoryError, NotSecond};
use crate::client::ClientError;

/// It was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The hub cannot be asked, or says no.
    #[error(transparent)]
    Hub(#[from] ClientError),
    /// The hub shows what no host would take.
    #[error("what the hub shows is not to be trusted: {0}")]
    Refused(#[from] Refused),
    /// What was made here is none that hosts would take.
    #[error("no host would take it: {0}")]
    NotTaken(Refused),
    /// The releases of a rollout do not make one.
    #[error("the plan of a rollout: {0}")]
    Plan(#[from] BadPlan),
    /// What was to be signed breaks a rule.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Hubs that share an etcd could not agree on it.
    #[error(
        "what would be signed has {octets} octets, and hubs agree on {most} at most: the site needs fewer files, or shorter paths"
    )]
    TooLarge {
        /// Of the head.
        octets: usize,
        /// What is allowed.
        most: usize,
    },
    /// A file of an older generation cannot be laid down.
    #[error("{}: {error}", .at.display())]
    Disk {
        /// Which one.
        at: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The answer was lost, and what the hub has now is later.
    #[error(
        "{lost}\nits answer to number {number} was lost, and that is overtaken by {by} meanwhile: whether it was in force is not known"
    )]
    Overtaken {
        /// What was brought.
        number: u64,
        /// What the hub has now.
        by: u64,
        /// The answer that did not come.
        lost: ClientError,
    },
    /// What was done from here cannot be remembered.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The hub is not where it was.
    #[error("{behind}. {} remembers what was seen; docs/push.md says what to do", .memory.display())]
    Behind {
        /// What is wrong with it.
        behind: Behind,
        /// The file that remembers.
        memory: PathBuf,
    },
    /// What somebody else signed is not signed here.
    #[error(transparent)]
    Second(#[from] NotSecond),
    /// The hub has no such generation.
    #[error("the hub shows another head for generation {0}")]
    Other(u64),
}

impl AdminError {
    /// Whether somebody else was faster.
    #[must_use]
    pub fn lost_the_race(&self) -> bool {
        matches!(self, Self::Hub(error) if error.status == Some(StatusCode::PRECONDITION_FAILED))
    }

    /// Whether it may have been in force, and something later is now.
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken { .. })
    }

    /// Whether the hub may have taken it all the same: it gave no answer, or could not say yes in time.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Hub(error) if may_have_it(error))
    }
}

/// What is to be signed as the next generation.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who.
    pub author: String,
    /// Why.
    pub note: String,
    /// How long hosts may take it.
    pub lifetime: Duration,
    /// Every file of the site.
    pub files: Vec<head::File>,
    /// A hub that shows nothing has lost what was seen from here, and is to go on after that.
    pub hub_is_lost: bool,
}

/// Which hosts a release moves.
#[derive(Debug, Clone)]
pub struct Reach {
    /// So many of a thousand.
    pub permille: u16,
    /// Hosts by name, besides.
    pub canaries: Vec<String>,
    /// Nobody moves.
    pub halted: bool,
    /// Who has moved goes back; nobody else moves.
    pub undo: bool,
    /// How long it moves anybody.
    pub lifetime: Duration,
}

/// What became of a head that was signed before.
#[derive(Debug, Clone)]
pub enum Earlier {
    /// There is none whose fate is not known.
    None,
    /// The hub has it now.
    Brought(HeadRef),
    /// The hub refuses it for good: its number is passed over.
    GivenUp {
        /// That number.
        generation: u64,
        /// The hub's no.
        why: ClientError,
    },
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// The hub had it.
    WasThere,
    /// It was brought.
    Now,
}
