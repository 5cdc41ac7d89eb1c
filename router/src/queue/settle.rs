//! The end of an attempt: what became of each recipient is journaled, who is to hear of it hears, and the
//! message is done, deferred or held.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use switchyard_smtp::status::EnhancedStatus;

use super::Shared;
use super::log::{self, Delays};
use super::message::{Job, Message};
use super::schedule::Now;
use super::scheduler::{Place, Scheduler};
use crate::bounce::{Action, Event, is_wanted};
use crate::deliver::Fate;
use crate::spool::{Held, Outcome, RecipientState, SpoolError};

/// A recipient of which a report is due.
type Due = (u32, Action, Outcome);

/// The queue, counted as at work while this is held.
pub(super) struct Settling(Arc<Shared>);

impl Settling {
    pub(super) fn get(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.0.settling.fetch_sub(1, Ordering::Release);
        self.0.show();
    }
}

impl Shared {
    pub(super) fn settling(self: &Arc<Self>) -> Settling {
        self.settling.fetch_add(1, Ordering::Acquire);
        Settling(Arc::clone(self))
    }

    /// Settles a message of which no job is open, in a task of its own.
    pub(super) fn settle_apart(self: &Arc<Self>, message: &Arc<Message>) {
        let (settling, message) = (self.settling(), Arc::clone(message));
        tokio::spawn(async move { settling.get().settle(&message).await });
    }

    /// Writes down what a job came to; with the message's last job, settles it.
    pub(super) async fn end_job(
        self: &Arc<Self>,
        job: &Job,
        fates: Vec<(u32, Fate)>,
        delays: Option<Delays>,
    ) {
        let message = &job.message;
        self.record(message, &fates, delays);
        let is_last = {
            let mut state = message.state();
            state.open_jobs = state.open_jobs.saturating_sub(1);
            if state.open_jobs > 0 {
                // Other jobs go on, perhaps for long: what is known now must outlive a crash. Under the message's
                // lock, so that no older state comes after it.
                self.spool.progress(message.id, &state.progress(self.clock.now_wall()));
            }
            state.open_jobs == 0
        };
        if is_last {
            self.settle(message).await;
        }
    }

    /// Applies and logs fates.
    pub(super) fn record(&self, message: &Message, fates: &[(u32, Fate)], delays: Option<Delays>) {
        let now = self.now();
        {
            let mut state = message.state();
            for (index, fate) in fates {
                state.apply(&message.envelope, *index, fate, now.wall);
            }
        }
        for (index, fate) in fates {
            if let Some(recipient) = message.envelope.recipients.get(*index as usize) {
                log::delivery(message, recipient, fate, delays, now);
            }
        }
    }

    /// Ends an attempt at a message.
    pub(super) async fn settle(self: &Arc<Self>, message: &Arc<Message>) {
        loop {
            let now = self.now();
            self.give_up(message, now);
            let due = self.due_reports(message, now);
            if !due.is_empty() {
                {
                    // Before reports are out, failures are on the disk as such: a crash between the two makes a
                    // report come twice, never not at all.
                    let state = message.state();
                    self.spool.progress(message.id, &state.progress(now.wall));
                }
                self.report(message, due).await;
            }
            self.forget_content(message);
            if message.state().is_done() {
                self.spool.done(message.id);
                tracing::debug!(id = %message.id, "removed");
                self.release_active(|scheduler| scheduler.remove(message.id));
                return;
            }
            if self.put_off(message, now) {
                return;
            }
        }
    }

    /// Fails the recipients that the operator gave up.
    fn give_up(&self, message: &Arc<Message>, now: Now) {
        let given_up = message.state().give_up(&message.envelope, now.wall);
        for (index, why) in given_up {
            if let Some(recipient) = message.envelope.recipients.get(index as usize) {
                log::given_up(message, recipient, &why);
            }
        }
    }

    /// Defers a message, or puts it on hold. False when the operator has just given up some of it.
    fn put_off(&self, message: &Arc<Message>, now: Now) -> bool {
        let chance = self.chance.lock().unwrap_or_else(std::sync::PoisonError::into_inner).f64();
        let mut is_off = true;
        // In one step with the look at what the operator wants, who asks under the same lock.
        self.release_active(|scheduler| {
            let mut state = message.state();
            if !state.given_up.is_empty() {
                is_off = false;
                return false;
            }
            let wait = match std::mem::take(&mut state.again) {
                true => Duration::ZERO,
                false => self.options.schedule.backoff(state.attempts, chance),
            };
            self.spool.progress(message.id, &state.progress(now.wall + wait));
            let place = match &state.hold {
                Some(Held { reason, .. }) => {
                    tracing::info!(id = %message.id, %reason, "message is on hold");
                    Place::Hold
                }
                None => Place::Deferred(now.monotonic + wait),
            };
            scheduler.shift(message.id, place)
        });
        // The keeper of time sleeps until the next one that it knew of.
        self.wake.notify_one();
        is_off
    }

    /// Takes a message out of the active queue, and wakes who waits for the room.
    fn release_active(&self, change: impl FnOnce(&mut Scheduler) -> bool) {
        let backlog = {
            let mut scheduler = self.lock();
            if !change(&mut scheduler) {
                return;
            }
            scheduler.count_ended();
            self.publish(&scheduler);
            scheduler.has_backlog()
        };
        if backlog {
            self.wake.notify_one();
        }
    }

    // -- reports ----------------------------------------------------------------------------------------

    /// Expires what is too old, and gathers of whom a report is due.
    fn due_reports(&self, message: &Message, now: Now) -> Vec<Due> {
        let mut state = message.state();
        let is_expired = now.monotonic >= message.deadlines.expires;
        let warns = message.deadlines.warns.is_some_and(|warns| now.monotonic >= warns);
        let is_null = message.envelope.sender.reverse_path.is_null();
        let in_mailbox = std::mem::take(&mut state.in_mailbox);
        let mut due = Vec::new();
        for (index, slot) in state.recipients.iter_mut().enumerate() {
            let Some(recipient) = message.envelope.recipients.get(index) else { continue };
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
    /// must not be reported, is marked as reported.
    async fn report(self: &Arc<Self>, message: &Arc<Message>, due: Vec<Due>) {
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
            match self.report_event(message, &these).await {
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
    ) -> Result<(), SpoolError> {
        let queue_id = message.id.to_string();
        let event = Event {
            queue_id: &queue_id,
            envelope: &message.envelope,
            arrival: message.arrival.wall,
            retry_until: self.retry_until(message),
            recipients,
        };
        let Some(to) = self.bouncer.addressee(&event) else { return Ok(()) };
        let original = self.content(message).await?;
        let report = self.bouncer.report(&event, to, &original);
        let id = self.spool.next_id();
        let receipt = self.spool.accept(id, &report).await?;
        let action = recipients.first().map_or("failed", |(_, action, _)| action.as_str());
        tracing::info!(id = %message.id, report = %receipt.queue_id(), action, "sender is told");
        self.admit_new(receipt.queue_id(), report);
        Ok(())
    }

    fn retry_until(&self, message: &Message) -> SystemTime {
        let now = self.now();
        now.wall + message.deadlines.expires.saturating_duration_since(now.monotonic)
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
