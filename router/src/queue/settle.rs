//! The end of an attempt: what became of each recipient is journaled, who is to hear of it hears (`reports.rs`), and
//! the message is done, deferred or held.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Shared;
use super::log::{self, Delays};
use super::message::{Job, Message};
use super::schedule::Now;
use super::scheduler::{Place, Scheduler};
use super::suspend::LONGEST;
use crate::deliver::Fate;
use crate::spool::Held;

/// What a message is settled after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// An attempt: what is too old is given up, and what still waits backs off.
    Attempt,
    /// An order, and no attempt: what the order leaves alone is due when it was before, and grows no older by it.
    Order {
        /// When.
        due: Instant,
    },
}

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
    pub(super) fn settle_apart(self: &Arc<Self>, message: &Arc<Message>, after: After) {
        let (settling, message) = (self.settling(), Arc::clone(message));
        tokio::spawn(async move { settling.get().settle(&message, after).await });
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
                let now = self.now();
                self.spool.progress(message.id, &state.progress(now.wall, now));
            }
            state.open_jobs == 0
        };
        if is_last {
            self.settle(message, After::Attempt).await;
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

    /// Ends an attempt at a message, or an order about it.
    pub(super) async fn settle(self: &Arc<Self>, message: &Arc<Message>, after: After) {
        loop {
            let now = self.now();
            let by_hand = self.give_up(message, now);
            let due = self.due_reports(message, after, now);
            if !due.is_empty() {
                {
                    // Before reports are out, failures are on the disk as such: a crash between the two makes a
                    // report come twice, never not at all.
                    let state = message.state();
                    self.spool.progress(message.id, &state.progress(now.wall, now));
                }
                self.report(message, due, by_hand).await;
            }
            self.forget_content(message);
            if message.state().is_done() {
                self.spool.done(message.id);
                tracing::debug!(id = %message.id, "removed");
                self.release_active(|scheduler| scheduler.remove(message.id));
                return;
            }
            if self.put_off(message, after, now) {
                return;
            }
        }
    }

    /// Fails the recipients that the operator gave up. True when there were any.
    fn give_up(&self, message: &Arc<Message>, now: Now) -> bool {
        let given_up = message.state().give_up(&message.envelope, now.wall);
        for (index, why) in &given_up {
            if let Some(recipient) = message.envelope.recipients.get(*index as usize) {
                log::given_up(message, recipient, why);
            }
        }
        !given_up.is_empty()
    }

    /// Defers a message, or puts it on hold. False when the operator has just given up some of it.
    fn put_off(&self, message: &Arc<Message>, after: After, now: Now) -> bool {
        let chance = self.chance.lock().unwrap_or_else(std::sync::PoisonError::into_inner).f64();
        let mut is_off = true;
        // In one step with the look at what the operator wants, who asks under the same lock.
        self.release_active(|scheduler| {
            let mut state = message.state();
            if !state.given_up.is_empty() {
                is_off = false;
                return false;
            }
            let (again, left) = (std::mem::take(&mut state.again), state.left.take());
            // One that was ended a moment ago has left the list before its mail is asked for under this lock.
            let in_force = self.suspensions.now(now.wall);
            let wait = match state.suspended_until(message, &in_force) {
                _ if again || left.is_some() || state.is_resumed(&in_force) => Duration::ZERO,
                Some(until) => until.duration_since(now.wall).unwrap_or_default().min(LONGEST),
                None => match after {
                    After::Attempt => self.means.load().options.schedule.backoff(state.attempts, chance),
                    After::Order { due } => due.saturating_duration_since(now.monotonic),
                },
            };
            self.spool.progress(message.id, &state.progress(now.wall + wait, now));
            let place = match &state.hold {
                Some(Held { reason, .. }) => {
                    tracing::info!(id = %message.id, %reason, "message is on hold");
                    Place::Hold
                }
                None => match left.filter(|_| !again) {
                    Some(full) => return scheduler.park(message.id, &full),
                    None => Place::Deferred(now.monotonic + wait),
                },
            };
            scheduler.shift(message.id, place)
        });
        // The keeper of time sleeps until the next one that it knew of.
        self.wake.notify_one();
        is_off
    }

    /// Parks a message of which nothing was tried, for want of room. False when something else is to become of it.
    pub(super) fn park(&self, scheduler: &mut Scheduler, message: &Message) -> bool {
        let full = {
            let mut state = message.state();
            let is_ordered = state.hold.is_some() || !state.given_up.is_empty() || state.again;
            if is_ordered || state.is_resumed(&self.suspensions.now(self.clock.now_wall())) {
                return false;
            }
            state.left.take()
        };
        let is_parked = full.is_some_and(|full| scheduler.park(message.id, &full));
        self.publish(scheduler);
        is_parked
    }

    /// Takes a message out of the active queue, and wakes who waits for the room.
    fn release_active(&self, change: impl FnOnce(&mut Scheduler) -> bool) {
        let backlog = {
            let mut scheduler = self.lock();
            if !change(&mut scheduler) {
                return;
            }
            scheduler.count_ended();
            self.publish(&mut scheduler);
            scheduler.has_backlog()
        };
        if backlog {
            self.wake.notify_one();
        }
    }
}
