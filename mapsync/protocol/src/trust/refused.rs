//! Why a host does not take a message: each attack in words.

use crate::envelope::Malformed;
use crate::head::HeadRef;
use crate::words::{Environment, Timestamp};

/// Why a message is not taken; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no message of this kind.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Not enough different keys of the role have signed.
    #[error("signed by {have} keys of the role {role}, which needs {need}")]
    TooFewSignatures {
        /// The role.
        role: &'static str,
        /// How many of its keys have signed.
        have: usize,
        /// How many must.
        need: usize,
    },
    /// The keys, the head or the release has expired: a hub that shows the old forever is found out by this.
    #[error("the {what} expired at {at}, and this update began at {start}")]
    Expired {
        /// What has expired.
        what: &'static str,
        /// When.
        at: Timestamp,
        /// When the update began.
        start: Timestamp,
    },
    /// Signed for others.
    #[error("signed for the environment {have}, and this is {want}")]
    WrongEnvironment {
        /// Ours.
        want: Environment,
        /// The message's.
        have: Environment,
    },
    /// Older than what was taken before.
    #[error("roll-back: {what} {have} is older than {trusted}, which was taken before")]
    Rollback {
        /// What is counted.
        what: &'static str,
        /// The message's number.
        have: u64,
        /// Ours.
        trusted: u64,
    },
    /// Two different messages with one number, or a head that does not follow ours.
    #[error("fork: {what} {number} is not the one that was taken, or does not follow it")]
    Fork {
        /// What is counted.
        what: &'static str,
        /// The message's number.
        number: u64,
    },
    /// A root that is not the very next one.
    #[error("root {have} offered, and only root {next} can follow")]
    RootStep {
        /// The message's version.
        have: u64,
        /// The one that can be taken.
        next: u64,
    },
    /// Made later than now, by more than clocks may differ: one of the two clocks is wrong.
    #[error("the head was made at {at}, and here it is {start}: a clock is wrong")]
    Future {
        /// When it says it was made.
        at: Timestamp,
        /// When the update began.
        start: Timestamp,
    },
    /// A release of a head that this host has not taken: it comes together with that head.
    #[error("generation {} is released, and its head has not been taken here", .0.generation)]
    UnknownHead(HeadRef),
    /// Kept state that cannot be.
    #[error("the kept state contradicts itself: {0}")]
    State(&'static str),
}

impl Refused {
    /// The reason in a word, to count by.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::TooFewSignatures { .. } => "signatures",
            Self::Expired { .. } => "expired",
            Self::WrongEnvironment { .. } => "environment",
            Self::Rollback { .. } => "older",
            Self::Fork { .. } => "fork",
            Self::RootStep { .. } => "step",
            Self::Future { .. } => "future",
            Self::UnknownHead(_) => "unknown",
            Self::State(_) => "state",
        }
    }
}
