//! Those who do the work: one task for each connection, and one that keeps the time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use switchyard_maps::{Destination, Transport};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::Attributes;
use tokio::sync::oneshot;

use super::Shared;
use super::leave::{Left, Rest};
use super::log::Delays;
use super::message::{Job, Message};
use super::scheduler::{Next, Start, Turn};
use super::window::Feedback;
use crate::deliver::{Attempt, Fate, Kept, Verdict};

/// How often the oldest message's age is shown, and what is not needed is forgotten.
const ROUND: Duration = Duration::from_secs(10);

/// Delivers jobs to one destination, on one connection after another, until there is nothing to do.
pub(super) async fn work(shared: Arc<Shared>, start: Start) {
    let Start { destination, mut job } = start;
    let mut kept = None;
    let mut seat = Seat { shared: Arc::clone(&shared), destination: destination.clone(), job: None };
    loop {
        seat.job = Some((Arc::clone(&job.message), job.recipients.clone()));
        let feedback;
        (feedback, kept) = shared.run(&destination, job, kept).await;
        seat.job = None;
        let now = shared.clock.now_monotonic();
        let turn = {
            let mut scheduler = shared.lock();
            let turn = scheduler.next(&destination, feedback, kept.is_some(), now);
            shared.publish(&mut scheduler);
            turn
        };
        let Turn { next, starts, orphans } = turn;
        if !orphans.is_empty() {
            tracing::warn!(%destination, jobs = orphans.len(), "destination is left alone for a while");
        }
        shared.start(starts);
        shared.orphan(orphans);
        job = match next {
            Next::Job(job) => job,
            Next::Leave => break,
            Next::Idle(slot, receiver) => match shared.wait(&destination, slot, receiver).await {
                Some(job) => job,
                None => break,
            },
        };
    }
    if let Some(kept) = kept {
        kept.close();
    }
}

/// A worker's place at its destination. A fault in the program ends the worker and not the queue: the place is
/// given back, and the mail is tried again later.
pub(super) struct Seat {
    pub(super) shared: Arc<Shared>,
    pub(super) destination: Destination,
    /// What is being done: a message, and which of its recipients.
    pub(super) job: Option<(Arc<Message>, Vec<u32>)>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        // A worker that is dropped with its run time ends with all the others.
        if !std::thread::panicking() {
            return;
        }
        tracing::error!(destination = %self.destination, "a worker ended by a fault in the program");
        let turn = {
            let mut scheduler = self.shared.lock();
            let turn = scheduler.leave(&self.destination, Vec::new());
            self.shared.publish(&mut scheduler);
            turn
        };
        self.shared.start(turn.starts);
        if let Some((message, recipients)) = self.job.take() {
            let queued = self.shared.clock.now_monotonic();
            self.shared.put_aside(Job { message, recipients, sender: None, queued });
        }
    }
}

impl Shared {
    /// Makes one attempt.
    async fn run(
        self: &Arc<Self>,
        destination: &Destination,
        job: Job,
        kept: Option<Kept>,
    ) -> (Feedback, Option<Kept>) {
        let queue = self.clock.now_monotonic().saturating_duration_since(job.queued);
        let content = match self.content(&job.message).await {
            Ok(content) => content,
            Err(error) => {
                tracing::error!(id = %job.message.id, "the content cannot be read back: {error}");
                let status = EnhancedStatus::new(4, 3, 0);
                let fate =
                    Fate::local(Verdict::Deferred, status, "the message cannot be read from the spool");
                let fates = job.recipients.iter().map(|index| (*index, fate.clone())).collect();
                self.end_job(&job, fates, None).await;
                return (Feedback::Untried, kept);
            }
        };
        let means = self.means();
        let Left { fates, rest } = Box::pin(self.leave(&means.outgoing, destination, &job, &content)).await;
        let going = match rest {
            Rest::Unasked => None,
            Rest::Going(going) => Some(going),
            Rest::Nothing => {
                self.end_job(&job, fates, None).await;
                return (Feedback::Untried, kept);
            }
        };
        let as_it_came = job.sender.as_deref().unwrap_or(&job.message.envelope.sender);
        let attempt = Attempt {
            destination,
            sender: going.as_ref().map_or(as_it_came, |going| &going.sender),
            envelope: &job.message.envelope,
            recipients: going.as_ref().map_or(&*job.recipients, |going| &*going.recipients),
            content: going.as_ref().map_or(&*content, |going| &going.content),
            forwarded: whose(&job.message),
        };
        let mut attempted = means.deliverer.attempt(&attempt, kept).await;
        if destination.transport == Transport::Lmtp {
            let sent = attempted.fates.iter().filter(|(_, fate)| fate.verdict == Verdict::Sent);
            job.message.state().in_mailbox.extend(sent.map(|(index, _)| *index));
        }
        // What filters say is nobody's word but theirs: a mailbox has none of it.
        attempted.fates.extend(fates);
        let delays = Delays { queue, set_up: attempted.set_up, transmission: attempted.transmission };
        self.end_job(&job, attempted.fates, Some(delays)).await;
        (attempted.feedback, attempted.kept)
    }

    /// Waits for a job with an open connection; `None` when it is time to go.
    async fn wait(
        self: &Arc<Self>,
        destination: &Destination,
        slot: u64,
        mut receiver: oneshot::Receiver<Job>,
    ) -> Option<Job> {
        let idle = self.means.load().deliverer.reuse().idle;
        let job = tokio::select! {
            handed = &mut receiver => handed.ok(),
            () = self.clock.sleep(idle) => {
                let gone = self.lock().leave_idle(destination, slot);
                // Handed over at this very moment: the job is in the channel.
                if gone { None } else { receiver.await.ok() }
            }
        };
        if job.is_none() {
            let turn = {
                let mut scheduler = self.lock();
                let turn = scheduler.leave(destination, Vec::new());
                self.publish(&mut scheduler);
                turn
            };
            self.start(turn.starts);
        }
        job
    }
}

/// Makes messages active when their time has come, until the queue is gone.
pub(super) async fn keep_time(queue: Weak<Shared>) {
    let mut next_round = None;
    while let Some(shared) = queue.upgrade() {
        let now = shared.clock.now_monotonic();
        loop {
            let promoted = {
                let mut scheduler = shared.lock();
                let promoted = scheduler.promote(now);
                if promoted.is_some() {
                    shared.publish(&mut scheduler);
                }
                promoted
            };
            match promoted {
                Some(message) => shared.begin(&message),
                None => break,
            }
        }
        // Not at every wake: this looks at each destination.
        let is_round = next_round.is_none_or(|round| round <= now);
        if is_round {
            shared.resume_lapsed().await;
            shared.show_oldest();
            shared.show_suspensions();
            next_round = Some(now + ROUND);
        }
        let next = {
            let mut scheduler = shared.lock();
            if is_round {
                scheduler.forget(now);
            }
            if scheduler.is_draining() {
                return;
            }
            scheduler.next_due().map_or(now + ROUND, |due| due.min(now + ROUND))
        };
        // A due message that found no room in the active queue waits for a wake, not for a time that has passed.
        let next = if next <= now { now + ROUND } else { next };
        // The queue is not held while nothing happens, so that it can end.
        let (wake, clock) = (Arc::clone(&shared.wake), shared.clock.clone());
        drop(shared);
        tokio::select! {
            () = wake.notified() => {}
            () = clock.sleep_until(next) => {}
        }
    }
}

/// Whose mail the next hop is told it is. Of mail that an earlier version took that is not known: it is somebody's, and
/// never ours, as whose it would be signed.
fn whose(message: &Message) -> Option<&Attributes> {
    static SOMEBODY: Attributes = Attributes {
        name: None,
        address: Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        port: None,
        helo: None,
        protocol: None,
        ident: None,
    };
    message.arrival.from.as_deref().or((!message.is_report).then_some(&SOMEBODY))
}
