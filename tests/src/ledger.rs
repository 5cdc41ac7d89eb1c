//! Who holds which message: the books that tell whether mail was lost, torn or doubled.
//!
//! 1. [`load::Load`] sends messages over many sessions and writes an id into the [`Ledger`] as *acknowledged*
//!    only after it has read the server's 250.
//! 2. [`sink::Sink`] takes mail as the last hop, and books every copy, with its digest, before it says 250.
//! 3. [`Ledger::audit`] holds one against the other.
//!
//! Whatever stands between the two may be killed, restarted or cut off from power in the meantime.

pub mod audit;
pub mod load;
pub mod message;
pub mod sink;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::expect::PATIENCE;
use message::{Digest, Message};

pub use audit::Audit;

/// The client's book; clones are the same book.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Book>);

#[derive(Debug, Default)]
struct Book {
    pages: Mutex<Pages>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Pages {
    entries: HashMap<u64, Entry>,
    acknowledged: u64,
    tally: Tally,
}

/// What is known of one message.
#[derive(Debug)]
struct Entry {
    digest: Digest,
    /// Of each recipient, whether a 250 was read for it.
    recipients: Vec<(String, bool)>,
}

impl Entry {
    fn knows(&self, recipient: &str) -> bool {
        self.recipients.iter().any(|(known, _)| known == recipient)
    }
}

/// How the transactions of a load ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// A 250 was read after the content.
    pub acknowledged: u64,
    /// A 4yz was read in its place.
    pub put_off: u64,
    /// A 5yz was read anywhere.
    pub refused: u64,
    /// The content went out whole, and no answer came.
    pub unanswered: u64,
    /// The connection was lost after MAIL had been taken and before the content was out.
    pub cut: u64,
    /// The connection was lost between two transactions.
    pub parted: u64,
    /// Nobody listened.
    pub no_listener: u64,
}

impl Ledger {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A message of the next id, booked as sent before its first octet goes out.
    pub fn next_message(&self) -> Message {
        let mut pages = self.pages();
        let message = Message::compose(pages.entries.len() as u64);
        let recipients =
            message.recipients().iter().map(|&recipient| (recipient.to_owned(), false)).collect();
        pages.entries.insert(message.id(), Entry { digest: message.digest(), recipients });
        message
    }

    /// Books a 250 for those recipients of a message that were accepted.
    pub(crate) fn acknowledge(&self, id: u64, accepted: &[&str]) {
        let mut pages = self.pages();
        if let Some(entry) = pages.entries.get_mut(&id) {
            for (recipient, acknowledged) in &mut entry.recipients {
                *acknowledged |= accepted.contains(&recipient.as_str());
            }
        }
        pages.acknowledged += 1;
        pages.tally.acknowledged += 1;
        self.0.grown.notify_all();
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.pages().tally);
    }

    /// Messages acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.pages().acknowledged
    }

    /// How transactions ended so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.pages().tally
    }

    /// Waits until so many messages have been acknowledged in all.
    ///
    /// # Panics
    /// When they have not within the usual patience.
    pub fn await_acknowledged(&self, messages: u64) {
        let mut pages = self.pages();
        while pages.acknowledged < messages {
            let before = pages.acknowledged;
            let waited = self.0.grown.wait_timeout(pages, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            pages = waited.0;
            let stuck = waited.1.timed_out() && pages.acknowledged == before;
            assert!(!stuck, "no message was acknowledged for {PATIENCE:?}: {:?}", pages.tally);
        }
    }

    /// Waits for so many more than there are now.
    ///
    /// # Panics
    /// As [`Self::await_acknowledged`].
    pub fn await_more(&self, messages: u64) {
        self.await_acknowledged(self.acknowledged() + messages);
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a peer of ours may be silent: far over anything a living daemon needs.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
