//! Why a message is not kept.

use switchyard_mapsync_protocol::envelope::Malformed;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::rollout::BadPlan;
use switchyard_mapsync_protocol::trust::Refused;

use crate::hub::order::LedgerError;

/// A message is not kept; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// It is none that a host would take.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is no plan that a rollout can go by.
    #[error("the plan of a rollout: {0}")]
    Plan(#[from] BadPlan),
    /// A plan that comes too late.
    #[error("the plan's numbers begin at {first}, and {newest} is taken: sign it anew")]
    OldPlan {
        /// Its lowest number.
        first: u64,
        /// The highest number of a release or of a plan.
        newest: u64,
    },
    /// A plan for what hosts do not have ready.
    #[error("the plan is not of the newest generation")]
    OtherPlan,
    /// Somebody else was here before.
    #[error("generation {current} is the newest here, and this push began at {expected}")]
    Lost {
        /// What the push takes for the newest.
        expected: u64,
        /// What is.
        current: u64,
    },
    /// It leaves too many out.
    #[error("generation {have} cannot follow {current}: {next} is the next")]
    Gap {
        /// Its generation.
        have: u64,
        /// The newest here.
        current: u64,
        /// What can follow.
        next: u64,
    },
    /// Files that it names are not here.
    #[error("{} of its files are not here yet: upload them first", .0.len())]
    Missing(Vec<Hash>),
    /// This hub takes no pushes.
    #[error("this hub follows others: push to one of {0}")]
    Follows(String),
    /// What several hubs share cannot be asked.
    #[error("the hubs cannot agree on it now: {0}")]
    Ledger(#[from] LedgerError),
    /// Others wrote all the while.
    #[error("others push all the time: try again")]
    Crowded,
    /// Too few hubs would have its files.
    #[error("its files are on {have} hubs, and {need} must have them: {why}")]
    Copies {
        /// With this one.
        have: usize,
        /// As the settings say.
        need: usize,
        /// What the others say.
        why: String,
    },
    /// Other hubs get its files meanwhile.
    #[error("its files are being copied to other hubs: try again")]
    Copying,
    /// The disk.
    #[error("it cannot be kept: {0}")]
    Store(#[from] redb::Error),
    /// The disk, where files lie.
    #[error("files cannot be looked through: {0}")]
    Files(#[from] std::io::Error),
    /// The one who did it.
    #[error("it was not finished: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<Malformed> for NotKept {
    fn from(malformed: Malformed) -> Self {
        Self::Refused(malformed.into())
    }
}
