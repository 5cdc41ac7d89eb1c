//! What is kept of a message: envelope, content, arrival, and how far its delivery has come.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switchyard_smtp::envelope::{Content, Envelope};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::Attributes;

use super::id::QueueId;

/// The longest text of a reply that is kept, in octets.
pub const MAX_DIAGNOSTIC: usize = 1024;

/// A message to be kept.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// From whom, to whom. `sender.transaction` makes a repeated hand-over known.
    pub envelope: Arc<Envelope>,
    /// Header and body, in wire form.
    pub content: Content,
    /// When and from where it came.
    pub arrival: Arrival,
    /// What made it.
    pub origin: Origin,
    /// Who wants nothing to be tried before somebody releases it, if anybody does.
    pub hold: Option<Held>,
}

/// Why a message is on hold. What a hand holds, no change of the maps releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who wants it.
    pub by: Holder,
    /// In words, one line.
    pub reason: Box<str>,
}

/// Who holds a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A map, for as long as it says so.
    Map,
    /// The operator, until released by hand.
    Hand,
}

impl Held {
    /// A hold whose reason is fit to be kept, as the texts of an [`Outcome`] are.
    #[must_use]
    pub fn new(by: Holder, reason: &str) -> Self {
        Self { by, reason: one_line(reason) }
    }
}

/// When and from where a message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// By the wall clock.
    pub wall: SystemTime,
    /// Who handed it over, as log text: address, HELO name, protocol.
    pub client: Box<str>,
    /// Whose mail it is, for those who are told behind us. None for what we made, and in records of old.
    pub from: Option<Box<Attributes>>,
}

/// What made a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An SMTP client handed it over.
    Smtp,
    /// We made it: a report about another message.
    Report,
}

/// A message as recovery found it.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// Its name.
    pub id: QueueId,
    /// From whom, to whom.
    pub envelope: Arc<Envelope>,
    /// When and from where it came.
    pub arrival: Arrival,
    /// What made it.
    pub origin: Origin,
    /// How far its delivery has come.
    pub progress: Progress,
    /// Octets of the content, for [`Spool::load`](super::Spool::load).
    pub content_len: u64,
}

// ---------------------------------------------------------------------------------------------------------

/// How far the delivery of one message has come: the whole state, not what changed since the last record, so
/// that the latest record alone tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// One for each recipient, in the envelope's order.
    pub recipients: Vec<RecipientState>,
    /// Not to be tried before.
    pub next_attempt: SystemTime,
    /// Attempts so far.
    pub attempts: u32,
    /// Who wants nothing to be tried before somebody releases it, if anybody does.
    pub hold: Option<Held>,
    /// Recipients that go where the operator said, whatever the maps say: each with its `transport:nexthop`.
    pub reroutes: Vec<(u32, Box<str>)>,
    /// Recipients that the operator gave up while they were being tried.
    pub given_up: Vec<(u32, GivenUp)>,
    /// A hand released it: no line of a map holds it again.
    pub released: bool,
    /// What suspensions did with it, if any did.
    pub rest: Rest,
}

/// How a message has been suspended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rest {
    /// Recipients that were set aside at the last look, each with the number of its suspension.
    pub suspended: Vec<(u32, u32)>,
    /// It is not given up before, whatever its age: a suspension of it ended lately.
    pub until: Option<SystemTime>,
}

/// How the operator gave a recipient up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// In words, one line.
    pub reason: Box<str>,
    /// The sender hears of it, if there is one who wants to.
    pub told: bool,
}

impl GivenUp {
    /// One whose reason is fit to be kept, as the texts of an [`Outcome`] are.
    #[must_use]
    pub fn new(reason: &str, told: bool) -> Self {
        Self { reason: one_line(reason), told }
    }
}

impl Progress {
    /// Nothing tried yet.
    #[must_use]
    pub fn fresh(recipients: usize, next_attempt: SystemTime, hold: Option<Held>) -> Self {
        let recipients = vec![RecipientState::Pending; recipients];
        Self {
            recipients,
            next_attempt,
            attempts: 0,
            hold,
            reroutes: Vec::new(),
            given_up: Vec::new(),
            released: false,
            rest: Rest::default(),
        }
    }
}

/// How far the delivery to one recipient has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RecipientState {
    /// Not tried yet.
    #[default]
    Pending,
    /// Tried without success, to be tried again.
    Deferred(Outcome),
    /// A next hop took it.
    Delivered(Outcome),
    /// Given up.
    Failed(Outcome),
}

impl RecipientState {
    /// True when there is nothing left to try.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Delivered(_) | Self::Failed(_))
    }
}

/// What the last attempt came to, in the words of a report (RFC 3464 §2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When.
    pub at: SystemTime,
    /// The enhanced status, the peer's or our own.
    pub status: EnhancedStatus,
    /// The host that said so; empty when it was ourselves.
    pub remote_mta: Box<str>,
    /// The peer's reply or our reason, one line.
    pub diagnostic: Box<str>,
    /// True when a report about this outcome is in the spool.
    pub reported: bool,
}

impl Outcome {
    /// An outcome whose texts are fit to be kept: control characters become spaces, and what is over
    /// [`MAX_DIAGNOSTIC`] octets is cut off.
    #[must_use]
    pub fn new(at: SystemTime, status: EnhancedStatus, remote_mta: &str, diagnostic: &str) -> Self {
        Self {
            at,
            status,
            remote_mta: one_line(remote_mta),
            diagnostic: one_line(diagnostic),
            reported: false,
        }
    }
}

/// One line of at most [`MAX_DIAGNOSTIC`] octets.
fn one_line(text: &str) -> Box<str> {
    let mut line = String::with_capacity(text.len().min(MAX_DIAGNOSTIC));
    for character in text.trim().chars() {
        let shown = if character.is_control() { ' ' } else { character };
        if line.len() + shown.len_utf8() > MAX_DIAGNOSTIC {
            break;
        }
        line.push(shown);
    }
    line.into_boxed_str()
}

// ---------------------------------------------------------------------------------------------------------

/// Microseconds since 1970, for the disk.
pub(super) fn to_micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// The reverse of [`to_micros`]; a time that the system cannot express becomes 1970.
pub(super) fn from_micros(micros: i64) -> SystemTime {
    let span = Duration::from_micros(micros.unsigned_abs());
    let time = if micros < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_an_outcome_are_one_bounded_line() {
        let long = format!("550 no\r\n such\0user {}", "é".repeat(2000));
        let outcome = Outcome::new(UNIX_EPOCH, EnhancedStatus::new(5, 1, 1), "mx\n.example", &long);
        assert_eq!(&*outcome.remote_mta, "mx .example");
        assert!(outcome.diagnostic.starts_with("550 no   such user é"));
        assert!((MAX_DIAGNOSTIC - 1..=MAX_DIAGNOSTIC).contains(&outcome.diagnostic.len()));
    }

    #[test]
    fn times_read_back() {
        for micros in [0, 1, -1, 1_795_000_000_123_456, -5_000_000] {
            assert_eq!(to_micros(from_micros(micros)), micros);
        }
        from_micros(i64::MAX);
        from_micros(i64::MIN);
    }
}
