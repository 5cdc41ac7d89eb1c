//! One attempt at one destination, over all addresses that it has: from here the mail is sent, deferred or
//! bounced, for each recipient.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchyard_maps::Destination;
use switchyard_smtp::client::{Delivery, Transfer};
use switchyard_smtp::envelope::{Content, Envelope, Recipient, Sender};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::Attributes;

use super::Deliverer;
use super::outcome::{Fate, Verdict};
use super::reuse::Kept;
use crate::queue::window::Feedback;

/// What is to be handed over.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Where.
    pub destination: &'a Destination,
    /// From whom: not always whom the envelope names.
    pub sender: &'a Sender,
    /// To whom.
    pub envelope: &'a Envelope,
    /// Which of the envelope's recipients.
    pub recipients: &'a [u32],
    /// What.
    pub content: &'a Content,
    /// Whose mail it is; hosts of ours are told.
    pub forwarded: Option<&'a Attributes>,
}

/// What came of it.
#[derive(Debug)]
pub struct Attempted {
    /// One for each recipient.
    pub fates: Vec<(u32, Fate)>,
    /// What it says of the destination.
    pub feedback: Feedback,
    /// How long it took to be able to speak.
    pub set_up: Duration,
    /// How long the rest took.
    pub transmission: Duration,
    /// The connection, if it is good for another message.
    pub kept: Option<Kept>,
}

/// An attempt on its way.
struct Course<'a> {
    attempt: &'a Attempt<'a>,
    /// Recipients that another address may still take, and what the last one that was asked said.
    open: Vec<(u32, Option<Fate>)>,
    fates: Vec<(u32, Fate)>,
    /// Why the last address could not be spoken to.
    unreached: Option<Fate>,
    reached: bool,
    set_up: Duration,
}

impl Course<'_> {
    /// No other address is tried: the last word counts.
    fn settle(&mut self) {
        let nobody = || Fate::local(Verdict::Deferred, EnhancedStatus::new(4, 4, 1), "no host answers");
        for (index, said) in std::mem::take(&mut self.open) {
            let fate = said.or_else(|| self.unreached.clone()).unwrap_or_else(nobody);
            self.fates.push((index, fate));
        }
    }
}

impl Deliverer {
    /// Hands a message over to a destination: on a kept connection if there is one that still works, else to the
    /// first of the destination's addresses that takes it.
    pub async fn attempt(&self, attempt: &Attempt<'_>, kept: Option<Kept>) -> Attempted {
        let started = self.clock.now_monotonic();
        let mut course = Course {
            attempt,
            open: attempt.recipients.iter().map(|index| (*index, None)).collect(),
            fates: Vec::with_capacity(attempt.recipients.len()),
            unreached: None,
            reached: false,
            set_up: Duration::ZERO,
        };
        let kept = match self.on_kept(&mut course, kept).await {
            Some(kept) => Some(kept),
            None if course.open.is_empty() => None,
            None => self.on_new(&mut course, started).await,
        };
        self.finish(course, started, kept)
    }

    /// `Some` when the kept connection has answered for everybody.
    async fn on_kept(&self, course: &mut Course<'_>, kept: Option<Kept>) -> Option<Kept> {
        let mut kept = kept?;
        // Other settings may ask for another host, or for TLS where there was none.
        if !Arc::ptr_eq(&kept.rules, &self.rules) {
            kept.close();
            return None;
        }
        if !kept.still_waits() {
            return None;
        }
        self.metrics.connections.with_label_values(&["kept"]).inc();
        let verdict = hand_over(course, &mut kept).await;
        // A peer that hung up just now, before it had anything: that is what new connections are for. All else
        // is its answer.
        match verdict {
            Handed::Untaken if !kept.connection.is_reusable() => None,
            Handed::Untaken | Handed::Done => {
                course.settle();
                Some(kept)
            }
        }
    }

    /// Goes through the addresses.
    async fn on_new(&self, course: &mut Course<'_>, started: Instant) -> Option<Kept> {
        let destination = course.attempt.destination;
        let candidates = match self.candidates(destination).await {
            Ok(candidates) => candidates,
            Err(nowhere) => {
                course.unreached = Some(Fate::nowhere(&nowhere));
                course.settle();
                return None;
            }
        };
        let mut last = None;
        for candidate in &candidates {
            let mut kept = match self.connect(destination, candidate).await {
                Ok(kept) => kept,
                Err(failure) => {
                    course.unreached = Some(failure);
                    continue;
                }
            };
            self.metrics.connections.with_label_values(&["new"]).inc();
            course.reached = true;
            course.set_up = self.clock.now_monotonic().saturating_duration_since(started);
            let handed = hand_over(course, &mut kept).await;
            if let Some(before) = last.replace(kept) {
                before.close();
            }
            if matches!(handed, Handed::Done) {
                break;
            }
        }
        course.settle();
        last
    }

    /// A connection that may carry no more is left as RFC 5321 §4.1.1.10 asks.
    fn keep(&self, kept: Option<Kept>) -> Option<Kept> {
        let kept = kept?;
        if kept.has_room(&self.reuse) {
            return Some(kept);
        }
        kept.close();
        None
    }

    fn finish(&self, course: Course<'_>, started: Instant, kept: Option<Kept>) -> Attempted {
        let took = self.clock.now_monotonic().saturating_duration_since(started);
        let mut verdicts = course.fates.iter().map(|(_, fate)| fate.verdict);
        let outcome = match verdicts.next() {
            Some(first) if verdicts.all(|verdict| verdict == first) => first.as_str(),
            _ => "mixed",
        };
        let transport = course.attempt.destination.transport.as_str();
        self.metrics.attempts.with_label_values(&[transport, outcome]).observe(took.as_secs_f64());
        let all_final = course.fates.iter().all(|(_, fate)| fate.verdict != Verdict::Deferred);
        let feedback = match course.reached {
            true => Feedback::Reached,
            false if all_final => Feedback::Untried,
            false => Feedback::Unreached,
        };
        Attempted {
            feedback,
            set_up: course.set_up,
            transmission: took.saturating_sub(course.set_up),
            fates: course.fates,
            kept: self.keep(kept),
        }
    }
}

/// Whether another address may be tried for those without a last word.
enum Handed {
    /// Yes: nobody there has taken any of it.
    Untaken,
    /// No.
    Done,
}

/// Speaks with one peer, in as many transactions as it takes.
async fn hand_over(course: &mut Course<'_>, kept: &mut Kept) -> Handed {
    course.reached = true;
    let most = kept.connection.max_recipients().max(1);
    let passes_reports = kept.connection.extensions().dsn;
    let asked = std::mem::take(&mut course.open);
    let mut taken = false;
    for chunk in asked.chunks(most) {
        if !kept.connection.is_reusable() {
            course.open.extend_from_slice(chunk);
            continue;
        }
        let envelope = course.attempt.envelope;
        let recipients: Vec<&Recipient> =
            chunk.iter().filter_map(|(index, _)| envelope.recipients.get(*index as usize)).collect();
        let delivery = Delivery {
            sender: course.attempt.sender,
            recipients: &recipients,
            content: course.attempt.content,
            forwarded: course.attempt.forwarded.filter(|_| kept.is_own),
            transfer: Transfer::Data,
        };
        let outcome = Box::pin(kept.connection.deliver(&delivery)).await;
        // Whoever may have it already is not asked for at another address (RFC 1047).
        taken |= outcome.is_ambiguous();
        for ((index, _), said) in chunk.iter().zip(&outcome.recipients) {
            taken |= said.is_accepted();
            let mut fate = Fate::of(said, &kept.host, &kept.relay);
            fate.passes_reports = passes_reports && said.is_accepted();
            if said.is_transient() {
                course.open.push((*index, Some(fate)));
            } else {
                course.fates.push((*index, fate));
            }
        }
    }
    if taken || course.open.is_empty() {
        return Handed::Done;
    }
    Handed::Untaken
}
