//! Who hears of what at the end of an attempt: what is too old is given up, and the reports that are due are spooled.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use switchyard_smtp::status::EnhancedStatus;

use super::Shared;
use super::means::Means;
use super::message::{Message, MessageState};
use super::schedule::{Deadlines, Now};
use super::settle::After;
use crate::bounce::{Action, Event, is_wanted};
use crate::spool::{Outcome, RecipientState, SpoolError};

/// A recipient of which a report is due.
pub(super) type Due = (u32, Action, Outcome);

impl Shared {
    /// Expires what an attempt has found too old, and gathers of whom a report is due.
    pub(super) fn due_reports(&self, message: &Message, after: After, now: Now) -> Vec<Due> {
        let mut guard = message.state();
        let state = &mut *guard;
        let expires = self.expires(message, state);
        let deadlines = self.deadlines(message);
        // Mail that was not tried just now has not failed just now: neither is it returned, nor its delay told.
        let is_tried = after == After::Attempt;
        // What a filter has just put on hold waits for a hand, however old it is.
        let is_expired = is_tried && state.hold.is_none() && now.monotonic >= expires;
        let warns = is_tried && deadlines.warns.is_some_and(|warns| now.monotonic >= warns);
        let is_null = message.envelope.sender.reverse_path.is_null();
        let in_mailbox = std::mem::take(&mut state.in_mailbox);
        let mut due = Vec::new();
        for (index, slot) in state.recipients.iter_mut().enumerate() {
            let Some(recipient) = message.envelope.recipients.get(index) else { continue };
            if state.suspended.iter().any(|(suspended, _)| *suspended as usize == index) {
                // It has had no chance: it neither grows too old nor is its delay the peer's.
                continue;
            }
            if let RecipientState::Deferred(outcome) = slot
                && is_expired
            {
                tracing::info!(
                    id = %message.id, to = %recipient.forward_path, status = "expired",
                    "returned to sender: {}", outcome.diagnostic
                );
                // RFC 3463 §3.5: X.4.7, delivery time expired.
                let mut outcome = Outcome { status: EnhancedStatus::new(5, 4, 7), ..outcome.clone() };
                outcome.reported = !is_wanted(recipient, Action::Failed);
                *slot = RecipientState::Failed(outcome);
            }
            match slot {
                RecipientState::Failed(outcome) if !outcome.reported => {
                    due.push((index as u32, Action::Failed, outcome.clone()));
                }
                RecipientState::Delivered(outcome) if !outcome.reported => {
                    let is_there = in_mailbox.contains(&(index as u32));
                    let action = if is_there { Action::Delivered } else { Action::Relayed };
                    due.push((index as u32, action, outcome.clone()));
                }
                RecipientState::Deferred(outcome)
                    if warns && !outcome.reported && is_wanted(recipient, Action::Delayed) && !is_null =>
                {
                    due.push((index as u32, Action::Delayed, outcome.clone()));
                }
                _ => {}
            }
        }
        state.in_mailbox = in_mailbox;
        due
    }

    /// Spools the reports that are due: one for failures, one for delays, one for successes. What is durable, or
    /// must not be reported, is marked as reported. `by_hand` says that the operator wants the failures told.
    pub(super) async fn report(self: &Arc<Self>, message: &Arc<Message>, due: Vec<Due>, by_hand: bool) {
        let kind = |action: Action| match action {
            Action::Failed => 0,
            Action::Delayed => 1,
            Action::Delivered | Action::Relayed => 2,
        };
        for wanted in 0..3 {
            let these: Vec<(u32, Action, &Outcome)> = due
                .iter()
                .filter(|(_, action, _)| kind(*action) == wanted)
                .map(|(index, action, outcome)| (*index, *action, outcome))
                .collect();
            if these.is_empty() {
                continue;
            }
            match self.report_event(message, &these, by_hand).await {
                Ok(()) => mark_reported(message, &these),
                // The message stays until its report can be kept.
                Err(error) => tracing::error!(id = %message.id, "a report cannot be spooled: {error}"),
            }
        }
    }

    async fn report_event(
        self: &Arc<Self>,
        message: &Arc<Message>,
        recipients: &[(u32, Action, &Outcome)],
        by_hand: bool,
    ) -> Result<(), SpoolError> {
        let queue_id = message.id.to_string();
        let event = Event {
            queue_id: &queue_id,
            envelope: &message.envelope,
            arrival: message.arrival.wall,
            retry_until: self.retry_until(message),
            recipients,
            by_hand,
        };
        let Means { bouncer, .. } = &*self.means();
        let Some(to) = bouncer.addressee(&event) else { return Ok(()) };
        let original = self.content(message).await?;
        let report = bouncer.report(&event, to, &original);
        let id = self.spool.next_id();
        let receipt = self.spool.accept(id, &report).await?;
        let action = recipients.first().map_or("failed", |(_, action, _)| action.as_str());
        tracing::info!(id = %message.id, report = %receipt.queue_id(), action, "sender is told");
        self.admit_new(receipt.queue_id(), report);
        Ok(())
    }

    /// By the lifetimes that hold now, for mail that has waited since before they did as well.
    fn deadlines(&self, message: &Message) -> Deadlines {
        let schedule = &self.means.load().options.schedule;
        schedule.deadlines(message.arrival.wall, message.is_report, message.admitted)
    }

    fn retry_until(&self, message: &Message) -> SystemTime {
        let now = self.now();
        now.wall + self.expires(message, &message.state()).saturating_duration_since(now.monotonic)
    }

    /// From when on an attempt that fails is the last. Its age counts from its arrival, but what a suspension kept is
    /// tried for a while after it.
    fn expires(&self, message: &Message, state: &MessageState) -> Instant {
        let expires = self.deadlines(message).expires;
        state.spared_until.map_or(expires, |spared| spared.max(expires))
    }
}

fn mark_reported(message: &Message, recipients: &[(u32, Action, &Outcome)]) {
    let mut state = message.state();
    for (index, _, _) in recipients {
        match state.recipients.get_mut(*index as usize) {
            Some(
                RecipientState::Failed(outcome)
                | RecipientState::Delivered(outcome)
                | RecipientState::Deferred(outcome),
            ) => outcome.reported = true,
            Some(RecipientState::Pending) | None => {}
        }
    }
}
