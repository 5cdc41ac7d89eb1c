//! What is shown of the queue: a line a message, and counts by what its recipients have in common (`row/groups.rs`).

mod groups;

use std::collections::HashMap;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::schedule::Now;
use super::scheduler::Place;
use super::select::{QueueName, Selector, address_of, address_of_sender, last_reply};
use super::suspend::Suspension;
use super::walk::{Meant, Walk, way_of};
use super::{QueueHandle, Shared};
use crate::spool::{Holder, RecipientState};
pub use groups::{AGES, Group, GroupBy, Groups};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub id: String,
    /// The queue that it is in.
    pub queue: QueueName,
    /// When it came, by the wall.
    pub arrival: Timestamp,
    /// How long ago that is, in seconds.
    pub age: u64,
    /// Octets of its content.
    pub size: u64,
    /// Its reverse-path.
    pub sender: String,
    /// How urgent it is, from -9 to 9.
    #[serde(default)]
    pub priority: i8,
    /// Who handed it over.
    pub client: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due, of deferred mail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_attempt: Option<Timestamp>,
    /// Why it is on hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<HoldShown>,
    /// True when a hand released it: no line of a map holds it again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub released: bool,
    /// The suspensions that mean some of its recipients.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub suspended: Vec<SuspensionShown>,
    /// How many recipients are meant: they wait.
    pub meant: usize,
    /// The first of the recipients; all of them where one message is shown.
    pub recipients: Vec<RecipientShown>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldShown {
    /// `hand` or `map`.
    pub by: String,
    /// In words.
    pub reason: String,
}

/// A suspension that means a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspensionShown {
    /// Its number.
    pub number: u32,
    /// When it ends.
    pub until: Timestamp,
    /// In words.
    pub reason: String,
}

/// A recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientShown {
    /// Its address.
    pub address: String,
    /// `pending`, `deferred`, `delivered` or `failed`.
    pub state: String,
    /// What the last attempt came to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_reply: Option<String>,
    /// Where it goes by the maps of this moment, while it waits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_hop: Option<String>,
    /// True when the operator chose that next hop.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub rerouted: bool,
}

/// Recipients in a line of a list.
const MOST_LISTED: usize = 10;

/// Messages a page at a time.
#[derive(Debug)]
pub struct Rows {
    queue: QueueHandle,
    walk: Walk,
    all: bool,
}

impl QueueHandle {
    /// The messages that are meant, the oldest first; with `all` every recipient of each.
    ///
    /// # Errors
    /// With the word that is no queue id.
    pub fn rows(&self, selector: Selector, all: bool) -> Result<Rows, String> {
        Ok(Rows { queue: self.clone(), walk: Walk::new(self, selector)?, all })
    }
}

impl Rows {
    /// The next page; none at the end.
    pub async fn next(&mut self) -> Option<Vec<Row>> {
        let meant = self.walk.next(&self.queue.0).await?;
        let mut rows = Vec::with_capacity(meant.len());
        for meant in meant {
            rows.push(self.queue.0.row(meant, self.all).await);
        }
        Some(rows)
    }
}

impl Shared {
    async fn row(&self, meant: Meant, all: bool) -> Row {
        let Meant { message, place, recipients } = meant;
        let shown: Vec<u32> = match all {
            true => (0..message.envelope.recipients.len() as u32).collect(),
            false => recipients.iter().copied().take(MOST_LISTED).collect(),
        };
        let now = self.now();
        let asked: Vec<u32> =
            shown.iter().copied().filter(|index| recipients.contains(index)).take(MOST_ROUTED).collect();
        let decided = self.decide(&message, &asked).await;
        let ways: HashMap<u32, String> = decided.iter().map(|(index, way)| (*index, way_of(way))).collect();
        let mut suspended: Vec<SuspensionShown> = Vec::new();
        for (_, suspension) in self.suspended(&message, &decided, now) {
            if !suspended.iter().any(|shown| shown.number == suspension.number) {
                let Suspension { number, until, reason, .. } = Suspension::clone(&suspension);
                suspended.push(SuspensionShown { number, until, reason });
            }
        }
        let state = message.state();
        let age = now.wall.duration_since(message.arrival.wall).unwrap_or_default();
        let of_recipient = |index: &u32| {
            let recipient = message.envelope.recipients.get(*index as usize)?;
            let slot = state.recipients.get(*index as usize)?;
            Some(RecipientShown {
                address: address_of(recipient),
                state: state_of(slot).to_owned(),
                last_reply: last_reply(slot).map(|(status, text)| reply_line(&status, text)),
                next_hop: ways.get(index).cloned(),
                rerouted: state.reroutes.contains_key(index) && !slot.is_final(),
            })
        };
        Row {
            id: message.id.to_string(),
            queue: QueueName::of(place),
            arrival: timestamp(message.arrival.wall),
            age: age.as_secs(),
            size: message.size,
            sender: address_of_sender(&message),
            priority: message.priority().number(),
            client: message.arrival.client.to_string(),
            attempts: state.attempts,
            next_attempt: due(place, now),
            hold: state.hold.as_ref().map(|held| HoldShown {
                by: match held.by {
                    Holder::Hand => "hand".to_owned(),
                    Holder::Map => "map".to_owned(),
                },
                reason: held.reason.to_string(),
            }),
            released: state.released,
            suspended,
            meant: recipients.len(),
            recipients: shown.iter().filter_map(of_recipient).collect(),
        }
    }
}

/// Recipients of one message whose next hop is looked up.
const MOST_ROUTED: usize = 1000;

fn state_of(slot: &RecipientState) -> &'static str {
    match slot {
        RecipientState::Pending => "pending",
        RecipientState::Deferred(_) => "deferred",
        RecipientState::Delivered(_) => "delivered",
        RecipientState::Failed(_) => "failed",
    }
}

/// The status and the reply; the status is not said twice.
fn reply_line(status: &str, text: &str) -> String {
    if text.contains(status) { text.to_owned() } else { format!("{status} {text}") }
}

fn due(place: Place, now: Now) -> Option<Timestamp> {
    let Place::Deferred(until) = place else { return None };
    Some(timestamp(now.wall + until.saturating_duration_since(now.monotonic)))
}

pub(super) fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}
