//! Which messages are meant: a few fields that must all fit, as a postmaster says them.
//!
//! Some fields are about a message (who sent it, its age, its size), others about a recipient (address, domain,
//! next hop, last reply). A message is meant when it fits, and one recipient that still waits fits by itself; what
//! is then said of recipients is said of those that fit.

mod glob;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchyard_smtp::address::ForwardPath;
use switchyard_smtp::envelope::Recipient;

pub use glob::Pattern;

use super::message::{Message, MessageState};
use super::schedule::Now;
use super::scheduler::Place;
use crate::spool::{QueueId, RecipientState};

/// Which messages: those that fit all that is said. Nothing said means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// One of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// The queue that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// The reverse-path; `<>` is the null one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Pattern>,
    /// A recipient's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Pattern>,
    /// A recipient's domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Pattern>,
    /// Where a recipient's mail goes by the maps of this moment: `smtp:[mx1]:25`, or without the transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<Pattern>,
    /// What the last attempt at a recipient came to: `4.7.1 450 text`, or the text alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reply: Option<Pattern>,
    /// Why it is on hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Pattern>,
    /// Here for longer than so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older: Option<u64>,
    /// Here for less than so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub younger: Option<u64>,
    /// Of more than so many octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub larger: Option<u64>,
    /// Of less than so many octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smaller: Option<u64>,
}

/// A queue, by Postfix's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueName {
    /// Waiting for room in the active queue.
    Incoming,
    /// Being delivered, or waiting for it.
    Active,
    /// Waiting for the next attempt.
    Deferred,
    /// Waiting for somebody to release it.
    Hold,
}

impl QueueName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Incoming, Self::Active, Self::Deferred, Self::Hold];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Active => "active",
            Self::Deferred => "deferred",
            Self::Hold => "hold",
        }
    }

    pub(super) fn of(place: Place) -> Self {
        match place {
            Place::Incoming => Self::Incoming,
            Place::Active => Self::Active,
            Place::Deferred(_) => Self::Deferred,
            Place::Hold => Self::Hold,
        }
    }
}

impl Selector {
    /// True when nothing is said, so that everything is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The ids it names, in the order of their birth.
    ///
    /// # Errors
    /// With the word that is none.
    pub fn queue_ids(&self) -> Result<Vec<QueueId>, String> {
        let read = |word: &String| word.parse().map_err(|bad| format!("`{word}` is {bad}"));
        let mut ids: Vec<QueueId> = self.ids.iter().map(read).collect::<Result<_, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The recipients that are meant of a message, if it is; all but the next hop is looked at. A message of which
    /// no recipient waits any more is meant with none, unless something is said of recipients.
    pub(super) fn pick(&self, message: &Message, place: Place, now: Now) -> Option<Vec<u32>> {
        let age = now.wall.duration_since(message.arrival.wall).unwrap_or_default();
        let is_older = self.older.is_none_or(|seconds| age > Duration::from_secs(seconds));
        let is_younger = self.younger.is_none_or(|seconds| age < Duration::from_secs(seconds));
        let fits = self.queue.is_none_or(|queue| queue == QueueName::of(place))
            && is_older
            && is_younger
            && self.larger.is_none_or(|octets| message.size > octets)
            && self.smaller.is_none_or(|octets| message.size < octets)
            && says(self.sender.as_ref(), || address_of_sender(message));
        if !fits {
            return None;
        }
        let state = message.state();
        if let Some(reason) = &self.reason
            && !state.hold.as_ref().is_some_and(|held| reason.matches(&held.reason))
        {
            return None;
        }
        let waiting = state.waiting(message).filter(|(_, recipient, slot)| self.means(recipient, slot));
        let meant: Vec<u32> = waiting.map(|(index, ..)| index).collect();
        (!meant.is_empty() || !self.is_about_recipients()).then_some(meant)
    }

    fn is_about_recipients(&self) -> bool {
        [&self.recipient, &self.domain, &self.next_hop, &self.last_reply].iter().any(|field| field.is_some())
    }

    fn means(&self, recipient: &Recipient, slot: &RecipientState) -> bool {
        says(self.recipient.as_ref(), || address_of(recipient))
            && says(self.domain.as_ref(), || domain_of(recipient))
            && self.last_reply.as_ref().is_none_or(|pattern| match last_reply(slot) {
                Some((status, text)) => pattern.matches(&format!("{status} {text}")) || pattern.matches(text),
                None => false,
            })
    }

    /// Whether a way is the next hop that is asked for.
    pub(super) fn means_way(&self, way: &str) -> bool {
        let bare = way.split_once(':').map_or(way, |(_, nexthop)| nexthop);
        self.next_hop.as_ref().is_none_or(|pattern| pattern.matches(way) || pattern.matches(bare))
    }
}

fn says(pattern: Option<&Pattern>, text: impl FnOnce() -> String) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(&text()))
}

// ---- the fields, as text ----

impl MessageState {
    /// The recipients that have no end yet.
    pub(super) fn waiting<'a>(
        &'a self,
        message: &'a Message,
    ) -> impl Iterator<Item = (u32, &'a Recipient, &'a RecipientState)> {
        let both = message.envelope.recipients.iter().zip(&self.recipients).enumerate();
        let waiting = both.filter(|(_, (_, slot))| !slot.is_final());
        waiting.map(|(index, (recipient, slot))| (index as u32, recipient, slot))
    }
}

/// The sender as it is listed; `<>` for none.
pub(super) fn address_of_sender(message: &Message) -> String {
    let path = &message.envelope.sender.reverse_path;
    path.mailbox().map_or_else(|| "<>".to_owned(), ToString::to_string)
}

/// A recipient as it is listed.
pub(super) fn address_of(recipient: &Recipient) -> String {
    match &recipient.forward_path {
        ForwardPath::Mailbox(mailbox) => mailbox.to_string(),
        ForwardPath::Postmaster => "postmaster".to_owned(),
    }
}

/// A recipient's domain; none of the bare postmaster.
pub(super) fn domain_of(recipient: &Recipient) -> String {
    recipient.forward_path.mailbox().map(|mailbox| mailbox.host.to_string()).unwrap_or_default()
}

/// What the last attempt at a recipient came to.
pub(super) fn last_reply(slot: &RecipientState) -> Option<(String, &str)> {
    match slot {
        RecipientState::Pending => None,
        RecipientState::Deferred(outcome)
        | RecipientState::Delivered(outcome)
        | RecipientState::Failed(outcome) => Some((outcome.status.to_string(), &outcome.diagnostic)),
    }
}
