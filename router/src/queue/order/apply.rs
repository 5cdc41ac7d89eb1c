//! What an order does to one message. Under the locks of the queue and of the message, so that it meets every
//! message either before, in, or after an attempt, and in no other state.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt as _, stream};

use super::{Prepared, Tally};
use crate::queue::Shared;
use crate::queue::message::{Message, MessageState};
use crate::queue::schedule::Now;
use crate::queue::scheduler::{Place, Scheduler};
use crate::queue::settle::After;
use crate::queue::walk::Meant;
use crate::spool::{Holder, QueueId};

/// Messages settled at once: a report has its message's whole content in memory.
const SETTLED_AT_ONCE: usize = 4;

/// What an order comes to for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is as ordered.
    Changed,
    /// It will be, when its attempt has ended.
    UnderWay,
    /// It was before, or is gone.
    Unchanged,
    /// It is as ordered when it was settled, which nobody else does; what is left of it is due then.
    ToSettle(Instant),
}

impl Prepared {
    /// Whether an order has anything to say of mail there: only what is on hold can be released, or will be when
    /// its attempt has ended.
    pub(super) fn is_about(&self, place: Place, state: &MessageState) -> bool {
        match self {
            Self::Release => place == Place::Hold || (place == Place::Active && state.hold.is_some()),
            Self::Retry => place != Place::Hold,
            Self::Hold(_) | Self::Reroute(_) | Self::GiveUp(_) | Self::Suspend(_) => true,
        }
    }

    /// What it would come to; changes nothing.
    fn foresee(&self, meant: &Meant, place: Place, state: &MessageState, now: Now) -> Effect {
        let is_active = place == Place::Active;
        let changes = match self {
            Self::Hold(_) => state.hold.as_ref().is_none_or(|held| held.by != Holder::Hand),
            Self::Release => true,
            Self::Retry => matches!(place, Place::Deferred(_) | Place::Active),
            Self::Reroute(route) => {
                meant.recipients.iter().any(|index| state.reroutes.get(index) != route.as_ref())
            }
            Self::GiveUp(_) | Self::Suspend(_) => !meant.recipients.is_empty(),
        };
        match (changes, self) {
            (false, _) => Effect::Unchanged,
            // It is not stopped when its attempt has ended: there is nothing to wait for.
            (true, Self::Release) => Effect::Changed,
            (true, _) if is_active => Effect::UnderWay,
            (true, Self::GiveUp(_)) => Effect::ToSettle(match place {
                Place::Deferred(until) => until,
                _ => now.monotonic,
            }),
            (true, _) => Effect::Changed,
        }
    }

    /// Writes it down at the message.
    fn mark(&self, meant: &Meant, state: &mut MessageState, now: Now) {
        if matches!(self, Self::Retry | Self::Reroute(_)) {
            // A destination that is left alone would defer it again, unasked.
            state.asked = Some(now.monotonic);
        }
        match self {
            Self::Hold(held) => {
                state.hold = Some(held.clone());
                state.released = false;
            }
            Self::Release => {
                state.hold = None;
                state.released = true;
            }
            Self::Retry => {}
            Self::Reroute(Some(route)) => {
                state.reroutes.extend(meant.recipients.iter().map(|index| (*index, Arc::clone(route))));
            }
            Self::Reroute(None) => state.reroutes.retain(|index, _| !meant.recipients.contains(index)),
            Self::Suspend(suspension) => {
                state.suspended.extend(meant.recipients.iter().map(|index| (*index, suspension.number)));
            }
            Self::GiveUp(given_up) => {
                state.given_up.extend(meant.recipients.iter().map(|index| (*index, Arc::clone(given_up))));
            }
        }
    }

    /// Where the order puts a message that is not being delivered.
    fn place(&self, place: Place, now: Now) -> Place {
        match (self, place) {
            (Self::Hold(_), _) => Place::Hold,
            // By way of the incoming queue, so that the limit of active messages holds.
            (Self::Release, _) => Place::Incoming,
            (Self::Retry | Self::Reroute(_), Place::Deferred(_)) => Place::Deferred(now.monotonic),
            // Settled by us, so that nobody else begins with it.
            (Self::GiveUp(_), _) => Place::Active,
            (_, place) => place,
        }
    }
}

impl Shared {
    /// Carries an order out at a page of messages.
    pub(super) async fn apply(
        self: &Arc<Self>,
        order: &Prepared,
        page: Vec<Meant>,
        dry_run: bool,
        tally: &mut Tally,
    ) {
        let now = self.now();
        let mut to_settle = Vec::new();
        {
            let mut scheduler = self.lock();
            let mut under_way = HashSet::new();
            for meant in page {
                let effect = self.apply_to(&mut scheduler, order, &meant, dry_run, now);
                match effect {
                    Effect::Changed => tally.changed += 1,
                    Effect::Unchanged => tally.unchanged += 1,
                    Effect::UnderWay => {
                        tally.under_way += 1;
                        under_way.insert(meant.message.id);
                    }
                    Effect::ToSettle(due) => {
                        tally.changed += 1;
                        to_settle.push((meant.message, due));
                    }
                }
            }
            if !under_way.is_empty() && !matches!(order, Prepared::Retry) {
                let idle = if dry_run {
                    count_idle(&scheduler, &under_way)
                } else {
                    let idle = withdraw(&mut scheduler, &under_way);
                    to_settle.extend(idle.iter().map(|message| (Arc::clone(message), now.monotonic)));
                    idle.len() as u64
                };
                tally.under_way = tally.under_way.saturating_sub(idle);
                tally.changed += idle;
            }
            self.publish(&mut scheduler);
        }
        if dry_run {
            return;
        }
        let settling = self.settling();
        let settled = to_settle.into_iter().map(|(message, due)| {
            let shared = Arc::clone(settling.get());
            async move { shared.settle(&message, After::Order { due }).await }
        });
        stream::iter(settled).buffer_unordered(SETTLED_AT_ONCE).collect::<()>().await;
    }

    fn apply_to(
        &self,
        scheduler: &mut Scheduler,
        order: &Prepared,
        meant: &Meant,
        dry_run: bool,
        now: Now,
    ) -> Effect {
        let message = &meant.message;
        let Some((_, place)) = scheduler.message(message.id) else { return Effect::Unchanged };
        let mut state = message.state();
        if !order.is_about(place, &state) {
            return Effect::Unchanged;
        }
        let effect = order.foresee(meant, place, &state, now);
        if dry_run || effect == Effect::Unchanged {
            return effect;
        }
        order.mark(meant, &mut state, now);
        state.again |= effect == Effect::UnderWay && matches!(order, Prepared::Reroute(_));
        if !matches!(effect, Effect::ToSettle(_)) {
            // Under both locks, so that no older state comes after it.
            self.spool.progress(message.id, &state.progress(now.wall, now));
        }
        if place != Place::Active {
            scheduler.shift(message.id, order.place(place, now));
        }
        effect
    }
}

/// How many of these messages [`withdraw`] would return.
fn count_idle(scheduler: &Scheduler, messages: &HashSet<QueueId>) -> u64 {
    let mut in_line: HashMap<QueueId, (&Arc<Message>, u32)> = HashMap::new();
    for job in scheduler.in_line().filter(|job| messages.contains(&job.message.id)) {
        in_line.entry(job.message.id).or_insert((&job.message, 0)).1 += 1;
    }
    in_line.values().filter(|(message, jobs)| message.state().open_jobs <= *jobs).count() as u64
}

/// Takes messages out of the lines for a connection; returns those of which nothing is under way any more.
fn withdraw(scheduler: &mut Scheduler, messages: &HashSet<QueueId>) -> Vec<Arc<Message>> {
    let mut idle = Vec::new();
    for job in scheduler.withdraw(messages) {
        let mut state = job.message.state();
        state.open_jobs = state.open_jobs.saturating_sub(1);
        if state.open_jobs == 0 {
            drop(state);
            idle.push(job.message);
        }
    }
    idle
}
