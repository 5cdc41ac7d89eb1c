//! One transaction: MAIL, RCPT, content, and what the peer says to each (RFC 5321 §3.3, RFC 2920, RFC 3030).
//!
//! The driver's loop is: whatever replies have come are given to [`Transaction::reply`]; [`Transaction::step`]
//! says what to do; what the stream takes of a write is told by [`Transaction::wrote`]. A connection that ends
//! is told by [`Transaction::lose`]. The rules:
//!
//! - To a peer with PIPELINING the whole envelope goes out in one write, DATA with it; to others, command by
//!   command. Content follows when everything before it is answered, except with [`Transfer::Whole`], where it
//!   follows at once.
//! - What a peer can't be asked to take whole or not at all, though it should, is held back until every recipient
//!   is accepted: DATA is not asked for before.
//! - A refusal of MAIL, or of DATA, is a refusal for every recipient. 421 is one for all that are undecided.
//! - If a peer wants content though it refused every recipient, it gets a lone dot, and whatever it says to that
//!   is delivered to nobody (RFC 2920 §3.1).
//!
//! [`Transfer::Whole`]: super::Transfer::Whole

mod send;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::content::{self, Form};
use super::dialogue::Ready;
use super::options::{Delivery, Protocol, Transfer};
use super::outcome::{Loss, Outcome, RecipientOutcome};
use super::slots::Slots;
use crate::envelope::Content;
use crate::reply::{Reply, ReplyKind};
use crate::wire::command::Verb;

/// What the driver does next.
#[derive(Debug)]
pub enum Step {
    /// Write these, in this order.
    Write(Vec<Bytes>),
    /// Read: the next reply answers this.
    Read(Verb),
    /// It is over: [`Transaction::finish`].
    Done,
}

/// A transaction under way.
#[derive(Debug)]
pub struct Transaction {
    protocol: Protocol,
    pipelining: bool,
    phase: Phase,
    /// The envelope's commands, one after another.
    commands: Bytes,
    /// Every command there is to send, and for LMTP each answer after the content.
    asked: Vec<Asked>,
    /// How many of `asked` have been handed to the driver.
    sent: usize,
    /// How many of `asked` have been answered.
    answered: usize,
    /// Octets that the stream has taken.
    written: usize,
    /// Octets after which the whole content is out; `None` while it is not to be sent.
    content_end: Option<usize>,
    slots: Slots,
    /// No content goes out unless every recipient was accepted.
    all_or_none: bool,
    /// The peer said 354.
    wants_content: bool,
    /// The peer has accepted MAIL, and nothing has ended the transaction since.
    is_open: bool,
    lost: Option<Loss>,
}

#[derive(Debug)]
enum Phase {
    /// Commands go out; the content waits.
    Envelope(Form, Content),
    /// The content is out, or there is none to send.
    Sent,
}

/// A command, and where in the octets of this transaction it ends.
#[derive(Debug, Clone, Copy)]
struct Asked {
    verb: Verb,
    recipient: Option<usize>,
    end: usize,
}

impl Transaction {
    /// Decides how `delivery` goes to the peer of `ready`, and writes the commands for it.
    pub(super) fn begin(ready: &Ready, delivery: &Delivery<'_>) -> Self {
        let mut transaction = Self {
            protocol: ready.protocol(),
            pipelining: ready.extensions().pipelining,
            phase: Phase::Sent,
            commands: Bytes::new(),
            asked: Vec::with_capacity(delivery.recipients.len() + 4),
            sent: 0,
            answered: 0,
            written: 0,
            content_end: None,
            slots: Slots::new(delivery.recipients.len()),
            all_or_none: delivery.transfer == Transfer::Whole,
            wants_content: false,
            is_open: ready.needs_rset(),
            lost: None,
        };
        match content::plan(delivery, ready.protocol(), ready.extensions()) {
            Ok(plan) if !delivery.recipients.is_empty() => transaction.write_envelope(ready, delivery, plan),
            Ok(_) => {}
            Err(refusal) => transaction.slots.decide(None, || RecipientOutcome::Local(refusal)),
        }
        transaction
    }

    /// True when nothing is asked and something is still to be sent: no reply can rightly come now.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.lost.is_none() && self.is_answered() && matches!(self.phase, Phase::Envelope(..))
    }

    /// True when every reply that was asked for has come.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answered == self.sent
    }

    /// How many replies have been taken.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// True once the connection is of no more use.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// The stream has taken so many more octets of what was handed out.
    pub fn wrote(&mut self, octets: usize) {
        self.written = self.written.saturating_add(octets);
    }
}

// ----- what the peer says --------------------------------------------------------------------------------

impl Transaction {
    /// Takes the next reply.
    pub fn reply(&mut self, reply: &Reply) {
        use ReplyKind::{PermanentNegative, PositiveCompletion, PositiveIntermediate, TransientNegative};
        if self.lost.is_some() {
            return;
        }
        if reply.closes() {
            return self.close(reply);
        }
        let asked = match self.asked[..self.sent].get(self.answered) {
            Some(&asked) if asked.end <= self.written => asked,
            // To nothing that was asked, or before the question was out: the 250 that some peer says before our
            // final dot is no answer to it.
            _ => return self.lose(Loss::OutOfStep),
        };
        match (asked.verb, reply.code.kind()) {
            (Verb::Data, PositiveIntermediate) => self.wants_content = true,
            (Verb::Data, PositiveCompletion) | (_, PositiveIntermediate) => {
                return self.lose(Loss::OutOfStep);
            }
            (Verb::Mail, PositiveCompletion) => self.is_open = true,
            (Verb::Rcpt, PositiveCompletion) => self.slots.set_willing(asked.recipient),
            (Verb::Rset, PositiveCompletion) => self.is_open = false,
            (Verb::EndOfData | Verb::Bdat, PositiveCompletion) => {
                self.is_open = false;
                self.slots.accept(asked.recipient, reply);
            }
            (_, PositiveCompletion) => {}
            (Verb::Rset | Verb::Xforward, TransientNegative | PermanentNegative) => {
                // Mail can go without; what the peer then doesn't know is only for its logs.
                tracing::warn!(verb = asked.verb.as_str(), %reply, "peer refused a command");
            }
            (stage, TransientNegative | PermanentNegative) => {
                // RFC 5321 §4.1.1.4: after the end of data the buffers are clear, whatever the answer is. After a
                // failed BDAT they are not (RFC 3030 §2).
                self.is_open &= stage != Verb::EndOfData;
                self.slots
                    .decide(asked.recipient, || RecipientOutcome::Refused { stage, reply: reply.clone() });
            }
        }
        self.answered += 1;
    }

    /// The connection is of no more use.
    pub fn lose(&mut self, why: Loss) {
        if self.lost.is_none() {
            let after_final_dot = self.content_end.is_some_and(|end| self.written >= end);
            self.slots.lose(self.stage(), &why, after_final_dot);
            self.lost = Some(why);
        }
    }

    /// RFC 5321 §3.8: 421 may answer any command, and the peer hangs up after it.
    fn close(&mut self, reply: &Reply) {
        let stage = self.stage();
        self.slots.decide(None, || RecipientOutcome::Refused { stage, reply: reply.clone() });
        self.lost = Some(Loss::Closing);
    }

    /// What is being answered now.
    fn stage(&self) -> Verb {
        let current = self.asked.get(self.answered).or(self.asked.last());
        current.map_or(Verb::Mail, |asked| asked.verb)
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self, ready: &mut Ready) -> Outcome {
        ready.set_needs_rset(self.is_open);
        let stage = self.stage();
        Outcome { recipients: self.slots.into_outcomes(stage), lost: self.lost }
    }
}
