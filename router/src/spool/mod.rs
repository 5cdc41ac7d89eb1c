//! The spool: mail that is ours, kept until it is delivered or reported.

mod blob;
mod checks;
mod codec;
mod commit;
mod disk;
mod id;
mod ledger;
mod message;
mod metrics;
mod options;
mod read;
mod reclaim;
mod record;
mod recover;
mod segment;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod transactions;

pub use disk::{Disk, DiskFile, Folder, Place};
pub use id::{BadQueueId, QueueId};
pub use message::{
    Arrival, MAX_DIAGNOSTIC, NewMessage, Origin, Outcome, Progress, RecipientState, StoredMessage,
};
pub use metrics::SpoolMetrics;
pub use options::{OpenError, SpoolError, SpoolOptions};
pub use recover::Recovered;
pub use store::{Receipt, Spool};
