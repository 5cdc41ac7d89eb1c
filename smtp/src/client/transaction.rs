//! One transaction: MAIL, RCPT, content, and what the peer says to each (RFC 5321 §3.3, RFC 2920, RFC 3030).
//!
//! The driver's loop is: whatever replies have come are given to [`Transaction::reply`]; [`Transaction::step`]
//! says what to do; what the stream takes of a write is told by [`Transaction::wrote`]. A connection that ends
//! is told by [`Transaction::lose`]. The rules:
//!
//! - To a peer with PIPELINING the whole envelope goes out in one write, DATA with it; to others, command by
//!   command. Content follows when everything before it is answered, except with [`Transfer::Whole`], where it
//!   follows at once.
//! - A refusal of MAIL, or of DATA, is a refusal for every recipient. 421 is one for all that are undecided.
//! - If a peer wants content though it refused every recipient, it gets a lone dot, and whatever it says to that
//!   is delivered to nobody (RFC 2920 §3.1).
//!
//! [`Transfer::Whole`]: super::Transfer::Whole

use bytes::{Bytes, BytesMut};

use super::command::{self, MailParameters};
use super::content::{self, Form, Plan};
use super::dialogue::Ready;
use super::options::{Delivery, Protocol};
use super::outcome::{LocalRefusal, Loss, Outcome, RecipientOutcome};
use super::slots::Slots;
use crate::envelope::Content;
use crate::reply::{Reply, ReplyKind};
use crate::wire::chunk::last_chunk_command;
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

// ----- building ------------------------------------------------------------------------------------------

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
            wants_content: false,
            is_open: ready.needs_rset(),
            lost: None,
        };
        match content::plan(delivery, ready.extensions()) {
            Ok(plan) if !delivery.recipients.is_empty() => transaction.write_envelope(ready, delivery, plan),
            Ok(_) => {}
            Err(refusal) => transaction.slots.decide(None, || RecipientOutcome::Local(refusal)),
        }
        transaction
    }

    fn write_envelope(&mut self, ready: &Ready, delivery: &Delivery<'_>, plan: Plan) {
        let (peer, content) = (ready.extensions(), delivery.content);
        let most = peer.recipients.map_or(usize::MAX, |most| most as usize);
        let mut output = BytesMut::with_capacity(128 + 64 * delivery.recipients.len());
        if ready.needs_rset() {
            output.extend_from_slice(b"RSET\r\n");
            self.ask(Verb::Rset, None, output.len());
        }
        if let Some(from) = delivery.forwarded.filter(|_| peer.xforward) {
            command::xforward(&mut output, from);
            self.ask(Verb::Xforward, None, output.len());
        }
        let parameters = MailParameters {
            size: content.len() as u64,
            body: plan.body,
            smtputf8: plan.smtputf8,
            with_transaction: plan.form == Form::Whole,
        };
        command::mail(&mut output, delivery.sender, parameters, peer);
        self.ask(Verb::Mail, None, output.len());
        for (index, recipient) in delivery.recipients.iter().enumerate() {
            if index >= most {
                self.slots.decide(Some(index), || RecipientOutcome::Local(LocalRefusal::TooManyRecipients));
                continue;
            }
            command::rcpt(&mut output, recipient, plan.smtputf8, peer);
            self.ask(Verb::Rcpt, Some(index), output.len());
        }
        if plan.form == Form::Dotted {
            output.extend_from_slice(b"DATA\r\n");
            self.ask(Verb::Data, None, output.len());
        }
        self.commands = output.freeze();
        self.phase = Phase::Envelope(plan.form, content.clone());
    }

    fn ask(&mut self, verb: Verb, recipient: Option<usize>, end: usize) {
        self.asked.push(Asked { verb, recipient, end });
    }
}

// ----- going on ------------------------------------------------------------------------------------------

impl Transaction {
    /// What to do next. A [`Step::Write`] is handed out once.
    pub fn step(&mut self) -> Step {
        if self.lost.is_some() {
            return Step::Done;
        }
        if self.answered < self.sent {
            return Step::Read(self.asked[self.answered].verb);
        }
        let Phase::Envelope(form, content) = std::mem::replace(&mut self.phase, Phase::Sent) else {
            return Step::Done;
        };
        if self.sent < self.asked.len() && self.is_worth_asking() {
            return self.send_commands(form, content);
        }
        self.send_content(form, &content)
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

    /// In lock step: does the next command still serve anybody?
    fn is_worth_asking(&self) -> bool {
        let is_data = self.asked[self.sent].verb == Verb::Data;
        self.slots.any_willing() || (!is_data && self.slots.any_open())
    }

    fn send_commands(&mut self, form: Form, content: Content) -> Step {
        if form == Form::Whole {
            return self.send_whole(&content);
        }
        let start = self.octets_sent();
        // RFC 2920 §3.1: DATA may end a group of commands, and what follows it waits for its reply.
        self.sent = if self.pipelining { self.asked.len() } else { self.sent + 1 };
        self.phase = Phase::Envelope(form, content);
        Step::Write(vec![self.commands.slice(start..self.octets_sent())])
    }

    fn send_whole(&mut self, content: &Content) -> Step {
        let parts = content::counted(content);
        let mut output = Vec::with_capacity(parts.len() + 2);
        output.extend([std::mem::take(&mut self.commands), last_chunk_command(&parts).into()]);
        output.extend(parts);
        let end = output.iter().map(Bytes::len).sum();
        self.ask(Verb::Bdat, None, end);
        self.content_end = Some(end);
        self.sent = self.asked.len();
        Step::Write(output)
    }

    fn send_content(&mut self, form: Form, content: &Content) -> Step {
        let is_wanted = self.slots.any_willing();
        let (verb, output) = match form {
            Form::Dotted if self.wants_content && is_wanted => (Verb::EndOfData, content::dotted(content)),
            // RFC 2920 §3.1: "the client cannot assume that the DATA command will be rejected just because none of
            // the RCPT TO commands worked".
            Form::Dotted if self.wants_content => (Verb::EndOfData, vec![Bytes::from_static(b".\r\n")]),
            Form::Chunk if is_wanted => {
                let mut output = content::counted(content);
                output.insert(0, last_chunk_command(&output).into());
                (Verb::Bdat, output)
            }
            _ => return Step::Done,
        };
        let end = self.octets_sent() + output.iter().map(Bytes::len).sum::<usize>();
        if is_wanted {
            self.content_end = Some(end);
        }
        match self.protocol {
            Protocol::Lmtp if is_wanted => {
                // RFC 2033 §4.2: one reply for each recipient that was accepted, in the order of RCPT.
                self.asked.extend(self.slots.willing().map(|index| Asked {
                    verb,
                    recipient: Some(index),
                    end,
                }));
            }
            _ => self.ask(verb, None, end),
        }
        self.sent = self.asked.len();
        Step::Write(output)
    }

    fn octets_sent(&self) -> usize {
        self.asked[..self.sent].last().map_or(0, |asked| asked.end)
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
