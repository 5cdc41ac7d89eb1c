//! What goes out, and when: the envelope in one write or command by command, and the content after it.

use bytes::{Bytes, BytesMut};

use super::{Asked, Phase, Step, Transaction};
use crate::client::command::{self, MailParameters};
use crate::client::content::{self, Form, Plan};
use crate::client::dialogue::Ready;
use crate::client::options::{Delivery, Protocol};
use crate::client::outcome::{LocalRefusal, RecipientOutcome};
use crate::envelope::Content;
use crate::wire::chunk::last_chunk_command;
use crate::wire::command::Verb;

impl Transaction {
    /// Writes the commands for `delivery`, as far as its peer knows them.
    pub(super) fn write_envelope(&mut self, ready: &Ready, delivery: &Delivery<'_>, plan: Plan) {
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
        if self.sent > 0 && self.all_or_none && form != Form::Whole && self.some_are_refused() {
            self.slots.decide(None, || RecipientOutcome::Local(LocalRefusal::NotAll));
            return Step::Done;
        }
        if self.sent < self.asked.len() && self.is_worth_asking() {
            return self.send_commands(form, content);
        }
        self.send_content(form, &content)
    }

    /// In lock step: does the next command still serve anybody?
    fn is_worth_asking(&self) -> bool {
        let is_data = self.asked[self.sent].verb == Verb::Data;
        self.slots.any_willing() || (!is_data && self.slots.any_open())
    }

    /// RCPT has been answered for all, and not with yes for all.
    fn some_are_refused(&self) -> bool {
        !self.slots.any_open() && !self.slots.all_willing()
    }

    /// How far the next group of commands goes (RFC 2920 §3.1: DATA may end one, and what follows it waits for
    /// its reply). One that must not be answered with 354 in vain stays out of it.
    fn end_of_group(&self) -> usize {
        if !self.pipelining {
            return self.sent + 1;
        }
        let data = self.asked.iter().position(|asked| asked.verb == Verb::Data);
        data.filter(|&data| self.all_or_none && self.sent < data).unwrap_or(self.asked.len())
    }

    fn send_commands(&mut self, form: Form, content: Content) -> Step {
        if form == Form::Whole {
            return self.send_whole(&content);
        }
        let start = self.octets_sent();
        self.sent = self.end_of_group();
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
