//! The spool: mail that is ours, kept until it is delivered or reported.
//!
//! It is a log of our own: segments of records, zero-filled once and used over and over, written by one thread
//! that makes durable with one sync whatever came while the last one ran. The way of a message:
//!
//! 1. [`Spool::room`] at MAIL, [`Spool::next_id`] at DATA;
//! 2. [`Spool::accept`] (`store`): one record of envelope and content (`codec`, `record`), or first a file of its
//!    own for a large content (`blob`), then into the batch (`commit`); the [`Receipt`] is the proof that it is
//!    durable, and the only way to a 250;
//! 3. [`Spool::load`] at each attempt, [`Spool::progress`] after it;
//! 4. [`Spool::done`], after which its segment may go (`ledger`, `reclaim`, `errand`).
//!
//! After a crash, `recover` finds what is ours before anything listens. The file layer (`disk`) is a trait with
//! a twin that forgets, tears and fails, on which the tests cut the power at every call.
//!
//! # States of a message
//!
//! | on the disk | moved here by | what a crash leaves |
//! |---|---|---|
//! | nothing | | nothing: the client was told nothing and comes again |
//! | `blob/ID`, no record | the blob thread, at once | an orphan, removed at the next start |
//! | accept record written, not synced | the committing thread | all or nothing of it; nobody was told. If it is whole it counts, once it was copied to a new segment and synced there |
//! | accept record synced | the same: **the message is ours**, 250 goes out | the message |
//! | progress record written | the committing thread, within moments | killed: this state. Power cut: perhaps the state before, so that a recipient may get it twice |
//! | done record written | the same | as for progress |
//! | done record synced | the same, after at most 50 ms | nothing; a blob that is still there is an orphan |
//! | accept record in a segment whose sync failed | an error; the client is told 451 | a void record in the next segment takes it back; before that is durable, it may come once more |
//!
//! # States of a file in `log/`
//!
//! | file | moved here by | what a crash leaves |
//! |---|---|---|
//! | `spare-N`, shorter than a segment | the tidying thread, filling it with zeros | removed at the next start |
//! | `spare-N` | the tidying thread: filled, or emptied of use | a spare |
//! | `SEQUENCE` with no record | the same: header synced, renamed, folder synced, all before the first record | an empty segment, a spare after the next start |
//! | `SEQUENCE`, the head | the committing thread appends | records up to the last sync, and perhaps some after |
//! | `SEQUENCE`, sealed | the committing thread, when it is full or failed, or at a start | the same; it is never appended to again |
//! | `SEQUENCE` with little live in it | the committing thread copies what is live to the head | both copies: the later counts |
//! | `SEQUENCE` with nothing live in it | the tidying thread renames it to a spare, or removes it if the disk failed there | either name; its messages' ends are still told by segments that must outlive it |
//!
//! `corrupt/SEQUENCE-OFFSET` holds what could not be read, for people; nothing reads it. `lock` is held by the
//! one process that uses the folder.
//!
//! # What holds always
//!
//! - A record counts only with the epoch of its segment, which was drawn by chance and never leaves the folder.
//! - Nothing is written to or synced in a file after an error there.
//! - A segment goes only after every older one whose records it takes back.
//! - No queue id is ever given out twice, whatever the clock does.

mod blob;
mod checks;
mod codec;
mod commit;
mod disk;
mod errand;
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
mod threads;
mod transactions;

pub use disk::{Disk, DiskFile, Folder, Place};
pub use id::{BadQueueId, QueueId};
pub use message::{
    Arrival, GivenUp, Held, Holder, MAX_DIAGNOSTIC, NewMessage, Origin, Outcome, Progress, RecipientState,
    Rest, StoredMessage,
};
pub use metrics::SpoolMetrics;
pub use options::{OpenError, SpoolError, SpoolOptions};
pub use recover::Recovered;
pub use store::{Receipt, Spool};
