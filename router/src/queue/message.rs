//! A queued message: its envelope, and how far its delivery has come. Content is here only until the first
//! attempt has ended, and only while there is room for it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use switchyard_maps::{Destination, Route};
use switchyard_smtp::address::{Host, Mailbox};
use switchyard_smtp::envelope::{Content, Envelope, Sender};
use switchyard_smtp::priority::Priority;
use switchyard_smtp::status::EnhancedStatus;

use super::content::ReadBack;
use super::schedule::Now;
use super::suspend::Suspension;
use super::turns::Lane;
use crate::bounce::{Action, is_wanted};
use crate::deliver::{Fate, Verdict};
use crate::spool::{
    Arrival, GivenUp, Held, Origin, Outcome, Progress, QueueId, RecipientState, Rest, StoredMessage,
};

/// A message in the queue.
#[derive(Debug)]
pub(super) struct Message {
    pub id: QueueId,
    pub envelope: Arc<Envelope>,
    pub arrival: Arrival,
    /// Octets of its content.
    pub size: u64,
    /// When the queue got it.
    pub admitted: Now,
    /// A report of ours.
    pub is_report: bool,
    pub read_back: ReadBack,
    state: Mutex<MessageState>,
}

/// What changes of a message.
#[derive(Debug)]
pub(super) struct MessageState {
    pub recipients: Vec<RecipientState>,
    pub attempts: u32,
    /// Jobs of this attempt that have not ended.
    pub open_jobs: u32,
    /// Who wants it on hold: now, or when this attempt has ended.
    pub hold: Option<Held>,
    /// Recipients that go where the operator said, whatever the maps say.
    pub reroutes: BTreeMap<u32, Arc<Route>>,
    /// Recipients that the operator gave up: at once, or when this attempt has ended.
    pub given_up: BTreeMap<u32, Arc<GivenUp>>,
    /// Recipients that were set aside at the last look, each with the number of its suspension. They are kept here
    /// when it has ended, until the next look.
    pub suspended: Vec<(u32, u32)>,
    /// It is not given up before, whatever its age: a suspension of it ended lately.
    pub spared_until: Option<Instant>,
    /// A hand released it: no line of a map holds it again.
    pub released: bool,
    /// Some of its recipients found no room in the line of this destination, and were left out of the attempt.
    pub left: Option<Destination>,
    /// When somebody asked for an attempt: destinations that were dead then are none for it.
    pub asked: Option<Instant>,
    /// It is due again as soon as this attempt has ended.
    pub again: bool,
    pub content: Option<Content>,
    /// Recipients whose mailbox has it, told by LMTP; what others took, they took to pass it on.
    pub in_mailbox: Vec<u32>,
}

/// Some recipients of a message on their way to one destination.
#[derive(Debug)]
pub(super) struct Job {
    pub message: Arc<Message>,
    pub recipients: Vec<u32>,
    /// From whom, where that is not who the message came from: it is forwarded.
    pub sender: Option<Arc<Sender>>,
    pub queued: Instant,
}

impl Message {
    pub(super) fn new(
        stored: StoredMessage,
        admitted: Now,
        content: Option<Content>,
        reroutes: BTreeMap<u32, Arc<Route>>,
    ) -> Self {
        let mut recipients = stored.progress.recipients;
        let given_up = stored.progress.given_up.into_iter();
        // One state for each recipient, whatever was read.
        recipients.resize(stored.envelope.recipients.len(), RecipientState::Pending);
        Self {
            id: stored.id,
            arrival: stored.arrival,
            size: stored.content_len,
            envelope: stored.envelope,
            admitted,
            is_report: stored.origin == Origin::Report,
            read_back: ReadBack::default(),
            state: Mutex::new(MessageState {
                recipients,
                attempts: stored.progress.attempts,
                open_jobs: 0,
                hold: stored.progress.hold,
                reroutes,
                given_up: given_up.map(|(index, why)| (index, Arc::new(why))).collect(),
                suspended: stored.progress.rest.suspended,
                spared_until: stored.progress.rest.until.map(|until| admitted.spared(until)),
                released: stored.progress.released,
                left: None,
                asked: None,
                again: false,
                content,
                in_mailbox: Vec::new(),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, MessageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In whose line it waits.
    pub(super) fn lane(&self) -> Lane<'_> {
        let sender = &self.envelope.sender;
        let (local, domain) = match sender.reverse_path.mailbox() {
            Some(Mailbox { local, host: Host::Domain(domain) }) => (local.as_str(), domain.as_str().into()),
            Some(Mailbox { local, host }) => (local.as_str(), host.to_string().into()),
            None => ("", Cow::Borrowed("")),
        };
        Lane { priority: self.priority(), domain, local }
    }

    /// How urgent it is.
    pub(super) fn priority(&self) -> Priority {
        self.envelope.sender.priority.unwrap_or_default()
    }

    /// The recipients that still want an attempt.
    pub(super) fn pending(&self) -> Vec<u32> {
        let state = self.state();
        let pending = state.recipients.iter().enumerate().filter(|(_, recipient)| !recipient.is_final());
        pending.map(|(index, _)| index as u32).collect()
    }
}

impl MessageState {
    /// When the first suspension ends, where every recipient that waits is suspended.
    pub(super) fn suspended_until(
        &self,
        message: &Message,
        in_force: &[Arc<Suspension>],
    ) -> Option<SystemTime> {
        let is_suspended = |index: u32| self.suspended.iter().any(|(suspended, _)| *suspended == index);
        if !self.waiting(message).all(|(index, ..)| is_suspended(index)) {
            return None;
        }
        let is_meant = |number: u32| self.suspended.iter().any(|(_, meant)| *meant == number);
        let met = in_force.iter().filter(|suspension| is_meant(suspension.number));
        met.map(|suspension| suspension.until.into()).min()
    }

    /// Whether a suspension of it has ended since the last look.
    pub(super) fn is_resumed(&self, in_force: &[Arc<Suspension>]) -> bool {
        let stands = |number: u32| in_force.iter().any(|suspension| suspension.number == number);
        self.suspended.iter().any(|(_, number)| !stands(*number))
    }

    /// Writes down what an attempt came to for one recipient.
    pub(super) fn apply(&mut self, envelope: &Envelope, index: u32, fate: &Fate, at: SystemTime) {
        let (Some(slot), Some(recipient)) =
            (self.recipients.get_mut(index as usize), envelope.recipients.get(index as usize))
        else {
            return;
        };
        let mut outcome = Outcome::new(at, fate.status, &fate.host, &fate.text);
        *slot = match fate.verdict {
            Verdict::Sent => {
                // RFC 3461 §5.2.2, §6: a next hop that has the sender's wishes sends the report; else we do.
                outcome.reported = fate.passes_reports || !is_wanted(recipient, Action::Relayed);
                RecipientState::Delivered(outcome)
            }
            Verdict::Bounced => {
                outcome.reported = !is_wanted(recipient, Action::Failed);
                RecipientState::Failed(outcome)
            }
            Verdict::Deferred => {
                // A delay is told once.
                outcome.reported = matches!(slot, RecipientState::Deferred(before) if before.reported);
                RecipientState::Deferred(outcome)
            }
        };
    }

    /// The whole of it, for the spool.
    pub(super) fn progress(&self, next_attempt: SystemTime, now: Now) -> Progress {
        let reroutes = self.reroutes.iter().map(|(index, route)| (*index, route.to_string().into()));
        let given_up = self.given_up.iter().map(|(index, why)| (*index, GivenUp::clone(why)));
        Progress {
            recipients: self.recipients.clone(),
            next_attempt,
            attempts: self.attempts,
            hold: self.hold.clone(),
            reroutes: reroutes.collect(),
            given_up: given_up.collect(),
            released: self.released,
            rest: Rest {
                suspended: self.suspended.clone(),
                until: self.spared_until.and_then(|until| now.wall_at(until)),
            },
        }
    }

    /// The operator gave recipients up: those that have no end yet have failed now, and are returned.
    pub(super) fn give_up(&mut self, envelope: &Envelope, at: SystemTime) -> Vec<(u32, Arc<GivenUp>)> {
        // RFC 3463 §3.1: X.0.0, there is nothing to say of the cause but the words.
        const BY_HAND: EnhancedStatus = EnhancedStatus::new(5, 0, 0);
        let mut failed = Vec::new();
        for (index, given_up) in std::mem::take(&mut self.given_up) {
            let slot = self.recipients.get_mut(index as usize).filter(|slot| !slot.is_final());
            let (Some(slot), Some(recipient)) = (slot, envelope.recipients.get(index as usize)) else {
                continue;
            };
            let mut outcome = Outcome::new(at, BY_HAND, "", &given_up.reason);
            outcome.reported = !given_up.told || !is_wanted(recipient, Action::Failed);
            *slot = RecipientState::Failed(outcome);
            failed.push((index, given_up));
        }
        failed
    }

    /// True when nobody waits for anything: no attempt, no report.
    pub(super) fn is_done(&self) -> bool {
        self.recipients.iter().all(|recipient| match recipient {
            RecipientState::Delivered(outcome) | RecipientState::Failed(outcome) => outcome.reported,
            RecipientState::Pending | RecipientState::Deferred(_) => false,
        })
    }
}
