//! A message becomes active: routes for its recipients, jobs for its destinations.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use switchyard_maps::{Destination, Resolved, Snapshot, Unavailable};
use switchyard_smtp::address::ReversePath;
use switchyard_smtp::envelope::{Envelope, Recipient, Sender};
use switchyard_smtp::status::EnhancedStatus;

use super::Shared;
use super::means::Means;
use super::message::{Job, Message};
use super::scheduler::{Offered, Start};
use super::settle::After;
use super::worker;
use crate::deliver::{Fate, Verdict};
use crate::route::forward::is_forwarded;
use crate::route::resolve::{resolve, resolve_by, resolve_released};
use crate::spool::{Held, Holder};

/// What a destination that is left alone for now means for a recipient.
const DEAD: (EnhancedStatus, &str) =
    (EnhancedStatus::new(4, 4, 1), "no host of the destination answered a moment ago");

/// What a fault of ours in the middle of an attempt means for one.
const FAULT: (EnhancedStatus, &str) = (EnhancedStatus::new(4, 3, 0), "temporary local problem");

/// Recipients that leave together.
type Groups = BTreeMap<Way, Vec<u32>>;

/// Where recipients go, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    destination: Destination,
    /// With a reverse-path of ours.
    forwarded: bool,
}

/// What the maps make of a recipient, or why they cannot say.
pub(super) type Decision = Result<(Resolved, bool), Unavailable>;

impl Shared {
    /// Starts an attempt at a message that is active now.
    pub(super) fn begin(self: &Arc<Self>, message: &Arc<Message>) {
        let (shared, asked) = (Arc::clone(self), Arc::clone(message));
        let mut routing = Box::pin(async move { shared.decide(&asked, &asked.pending()).await });
        // Only a table that a server answers has to be waited for.
        match (&mut routing).now_or_never() {
            Some(decisions) => self.send_off(message, decisions),
            None => {
                let (settling, message) = (self.settling(), Arc::clone(message));
                tokio::spawn(async move { settling.get().send_off(&message, routing.await) });
            }
        }
    }

    /// Asks the maps about these recipients, on one snapshot.
    pub(super) async fn decide(&self, message: &Message, asked: &[u32]) -> Vec<(u32, Decision)> {
        let (reroutes, released) = {
            let state = message.state();
            (state.reroutes.clone(), state.released)
        };
        let Envelope { sender, recipients } = &*message.envelope;
        let sender = &sender.reverse_path;
        let Means { routes, .. } = &*self.means();
        let decide = |maps: &Snapshot, index: u32, recipient: &Recipient| -> Decision {
            let path = &recipient.forward_path;
            let resolved = match reroutes.get(&index) {
                Some(route) => resolve_by(routes, route, path),
                None if released => resolve_released(maps, routes, sender, path)?,
                None => resolve(maps, routes, sender, path)?,
            };
            Ok((resolved, is_forwarded(maps, routes, sender, recipient)?))
        };
        let all = |maps: &Snapshot| {
            let of = |index: &u32| Some((*index, decide(maps, *index, recipients.get(*index as usize)?)));
            asked.iter().filter_map(of).collect()
        };
        self.maps.snapshot().settled(all).await
    }

    /// Offers the jobs that come of it to their destinations.
    fn send_off(self: &Arc<Self>, message: &Arc<Message>, decisions: Vec<(u32, Decision)>) {
        let is_stopped = {
            let state = message.state();
            state.hold.is_some() || !state.given_up.is_empty()
        };
        if is_stopped {
            // By the operator, while servers of tables were asked.
            self.settle_apart(message, After::Order { due: self.clock.now_monotonic() });
            return;
        }
        let asked = decisions.len();
        let decisions = self.set_aside(message, decisions);
        let decided = decisions.len();
        let groups = self.group(message, decisions);
        let jobs = self.jobs(message, groups);
        let now = self.clock.now_monotonic();
        let (mut starts, mut dead) = (Vec::new(), Vec::new());
        let mut scheduler = self.lock();
        let (full, jobs): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|(destination, _)| scheduler.is_full(destination, message));
        let left_out: usize = full.iter().map(|(_, job)| job.recipients.len()).sum();
        let asked_for = {
            let mut state = message.state();
            state.left = full.into_iter().next().map(|(destination, _)| destination);
            let is_attempt = asked == 0 || decided > left_out;
            state.attempts = state.attempts.saturating_add(u32::from(is_attempt));
            state.open_jobs = jobs.len() as u32;
            if jobs.is_empty() { None } else { state.asked.take() }
        };
        if jobs.is_empty() {
            // All recipients were decided by the maps, or a report is all that is missing; or there is no room.
            let is_untried = left_out > 0 && decided == left_out;
            let is_parked = is_untried && self.park(&mut scheduler, message);
            drop(scheduler);
            if is_parked {
                self.forget_content(message);
                self.wake.notify_one();
            } else {
                let after = if is_untried { After::Order { due: now } } else { After::Attempt };
                self.settle_apart(message, after);
            }
            return;
        }
        let mut is_waiting = true;
        for (destination, job) in jobs {
            if let Some(asked) = asked_for {
                scheduler.revive_for(&destination, asked);
            }
            match scheduler.offer(&destination, job, now) {
                Offered::Waits => {}
                Offered::Handed => is_waiting = false,
                Offered::Start(start) => {
                    is_waiting = false;
                    starts.push(start);
                }
                Offered::Dead(job) => dead.push(job),
            }
        }
        scheduler.give_back(message.id);
        self.publish(&mut scheduler);
        drop(scheduler);
        self.start(starts);
        self.orphan(dead);
        if is_waiting && self.is_memory_short() {
            // Others may be tried at once.
            self.forget_content(message);
        }
    }

    /// Jobs for the recipients of each way, as large as they may be.
    fn jobs(&self, message: &Arc<Message>, groups: Groups) -> Vec<(Destination, Job)> {
        let size = self.means.load().options.recipients_per_job.max(1);
        let rewritten = self.rewritten_sender(message, &groups);
        let queued = self.clock.now_monotonic();
        let mut jobs = Vec::new();
        for (way, recipients) in groups {
            let sender = rewritten.clone().filter(|_| way.forwarded);
            for recipients in recipients.chunks(size) {
                let (message, recipients) = (Arc::clone(message), recipients.to_vec());
                jobs.push((
                    way.destination.clone(),
                    Job { message, recipients, sender: sender.clone(), queued },
                ));
            }
        }
        jobs
    }

    /// Starts workers.
    pub(super) fn start(self: &Arc<Self>, starts: Vec<Start>) {
        for start in starts {
            tokio::spawn(worker::work(Arc::clone(self), start));
        }
    }

    /// Defers jobs of a destination that is dead, without an attempt.
    pub(super) fn orphan(self: &Arc<Self>, jobs: Vec<Job>) {
        self.defer(jobs, DEAD);
    }

    /// Defers the job of a worker that is gone.
    pub(super) fn put_aside(self: &Arc<Self>, job: Job) {
        self.defer(vec![job], FAULT);
    }

    fn defer(self: &Arc<Self>, jobs: Vec<Job>, why: (EnhancedStatus, &'static str)) {
        if jobs.is_empty() {
            return;
        }
        let shared = self.settling();
        tokio::spawn(async move {
            for job in jobs {
                let (status, text) = why;
                let fate = Fate::local(Verdict::Deferred, status, text);
                let fates = job.recipients.iter().map(|index| (*index, fate.clone())).collect();
                shared.get().end_job(&job, fates, None).await;
            }
        });
    }

    /// The sender of what is forwarded, if any of it is and the sender's address has room for it.
    fn rewritten_sender(&self, message: &Message, groups: &Groups) -> Option<Arc<Sender>> {
        let means = self.means();
        let srs = means.routes.srs.as_ref().filter(|_| groups.keys().any(|way| way.forwarded))?;
        let sender = &message.envelope.sender;
        let rewritten = srs.rewrite(sender.reverse_path.mailbox()?, self.clock.now_wall())?;
        Some(Arc::new(Sender { reverse_path: ReversePath::Mailbox(rewritten), ..sender.clone() }))
    }

    /// Groups recipients by their way; what the maps decide by themselves is written down.
    fn group(&self, message: &Message, decisions: Vec<(u32, Decision)>) -> Groups {
        let mut groups = Groups::new();
        for (index, decision) in decisions {
            let fate = match decision {
                Ok((Resolved::Deliver(destination), forwarded)) => {
                    groups.entry(Way { destination, forwarded }).or_default().push(index);
                    continue;
                }
                Ok((Resolved::Refuse(notice), _)) => {
                    Fate::local(Verdict::Bounced, notice.status, &*notice.text)
                }
                Ok((Resolved::Defer(notice), _)) => {
                    Fate::local(Verdict::Deferred, notice.status, &*notice.text)
                }
                Ok((Resolved::Discard(reason), _)) => {
                    Fate::local(Verdict::Sent, EnhancedStatus::new(2, 0, 0), format!("discarded: {reason}"))
                }
                Ok((Resolved::Hold(reason), _)) => {
                    // A hand that came first stays the one that holds it.
                    message.state().hold.get_or_insert_with(|| Held::new(Holder::Map, &reason));
                    continue;
                }
                Err(unavailable) => {
                    tracing::warn!(id = %message.id, "recipient deferred: {unavailable}");
                    let text = format!("the {} map is unavailable", unavailable.map);
                    Fate::local(Verdict::Deferred, EnhancedStatus::new(4, 3, 0), text)
                }
            };
            self.record(message, &[(index, fate)], None);
        }
        groups
    }
}
