//! One session with a client: which command is legal when, and what is asked about it.
//!
//! The driver's loop is: [`Session::step`] with what has been read; a [`Step`] that asks is answered through
//! the method of the same name; [`Session::output`] is written whenever a step says [`Step::Read`], so
//! replies to pipelined commands go out together (RFC 2920 §3.2).

mod client;
mod command;
mod content;
mod envelope;
mod hello;
mod replies;

use bytes::BytesMut;

pub use self::client::Client;
use super::Drained;
use super::limits::Limits;
use super::state::State;
use super::transaction::Transaction;
use crate::envelope::{Content, Recipient, Sender};
use crate::extension::Offer;
use crate::reply::{Reply, ReplyCode, table};
use crate::wire::command::{Verb, is_another_protocol};

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// HELO and EHLO.
    Smtp,
    /// LHLO (RFC 2033).
    Lmtp,
    /// Whichever the client begins with.
    Either,
}

/// What the session wants next.
#[derive(Debug)]
pub enum Step<T> {
    /// More octets: write the output, then read.
    Read,
    /// May this client go on after HELO, EHLO or LHLO? Answer by [`Session::hello`].
    Hello,
    /// MAIL: answer by [`Session::sender`].
    Sender(Box<Sender>),
    /// RCPT: answer by [`Session::recipient`].
    Recipient(Box<Recipient>),
    /// DATA, or a chunk: is there room for so many octets of content, as far as that is known? Answer by
    /// [`Session::data`].
    Data {
        /// All that this message will hold, or what it declared, or nothing known.
        octets: Option<u64>,
    },
    /// The whole message: answer by [`Session::content`].
    Content(Box<Transaction<T>>, Content),
    /// The client's facts changed by XCLIENT: ask again whether it is welcome; answer by [`Session::xclient`].
    Xclient,
    /// Write the output, do the handshake, then call [`Session::tls_started`].
    StartTls(Drained),
    /// Write the output and close.
    Close,
}

/// Something worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What was answered.
    pub verb: Verb,
    /// With what.
    pub code: ReplyCode,
}

/// Octets of room for replies that a session keeps between two of them.
const OUTPUT_KEPT: usize = 256;

/// One client's session; `T` is what the service keeps for a transaction.
#[derive(Debug)]
pub struct Session<T> {
    state: State<T>,
    client: Box<Client>,
    offer: Offer,
    host_name: std::sync::Arc<str>,
    limits: std::sync::Arc<Limits>,
    dialect: Dialect,
    output: Vec<u8>,
    events: Vec<Event>,
    /// A BDAT that waits for the answer to [`Step::Data`].
    pending_chunk: Option<(u64, bool)>,
    /// The rest of a line that was too long is being read past.
    in_long_line: bool,
    discarded: u64,
    junk: usize,
    errors: usize,
    stray_lines: usize,
    recipient_overshoot: usize,
    draining: bool,
}

impl<T> Session<T> {
    /// A session with a client that has just connected.
    #[must_use]
    pub fn new(
        host_name: std::sync::Arc<str>,
        limits: std::sync::Arc<Limits>,
        offer: Offer,
        dialect: Dialect,
        client: Client,
    ) -> Self {
        Self {
            state: State::Connected,
            client: Box::new(client),
            offer,
            host_name,
            limits,
            dialect,
            output: Vec::new(),
            events: Vec::new(),
            pending_chunk: None,
            in_long_line: false,
            discarded: 0,
            junk: 0,
            errors: 0,
            stray_lines: 0,
            recipient_overshoot: 0,
            draining: false,
        }
    }

    /// Says the greeting, or a refusal. `input` is what came before it: a client that talks first is no
    /// client (RFC 5321 §3.1: wait for the greeting).
    pub fn greet(&mut self, verdict: Result<(), Reply>, input: &[u8]) {
        match verdict {
            Err(reply) => self.close_with(Verb::Connect, &reply),
            Ok(()) if is_another_protocol(input) => self.close_with(Verb::Connect, &table::NOT_SMTP),
            Ok(()) if !input.is_empty() => self.close_with(Verb::Connect, &table::OUT_OF_STEP),
            Ok(()) => {
                let word = if self.dialect == Dialect::Lmtp { "LMTP" } else { "ESMTP" };
                let text = format!("{} {word} Switchyard", self.host_name);
                self.say(Verb::Connect, &table::GREETING.with_text(text));
            }
        }
    }

    /// What is known of the client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What is offered to it.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// The open transaction.
    pub fn transaction(&mut self) -> Option<&mut Transaction<T>> {
        self.client_and_transaction().1
    }

    /// The client and its open transaction, to be looked at side by side.
    pub fn client_and_transaction(&mut self) -> (&Client, Option<&mut Transaction<T>>) {
        let transaction = match &mut self.state {
            State::Mail(transaction) => Some(&mut **transaction),
            State::Data(data) => Some(&mut *data.transaction),
            State::Chunking(chunking) => Some(&mut *chunking.transaction),
            State::Chunk(chunk) => Some(&mut *chunk.chunking.transaction),
            _ => None,
        };
        (&self.client, transaction)
    }

    /// True while content comes in, which has its own time limit.
    #[must_use]
    pub fn receives_content(&self) -> bool {
        matches!(self.state, State::Data(_) | State::Chunk(_) | State::Discarding(_))
    }

    /// True when nothing is under way, so that the session can end without harm.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Connected | State::Ready)
    }

    /// From here on the session ends as soon as no transaction is open.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Ends the session with a 421: it timed out, or the daemon stops.
    pub fn end(&mut self, reply: &Reply) {
        self.close_with(Verb::Connect, reply);
    }

    /// Replies to be written now; [`Self::written`] says that they were.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The output is out; an idle session keeps no room for the next.
    pub fn written(&mut self) {
        if self.output.capacity() > OUTPUT_KEPT {
            self.output = Vec::new();
        }
        self.output.clear();
    }

    /// What happened since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = Event> {
        self.events.drain(..)
    }

    /// Goes on with what has been read, up to the next question.
    pub fn step(&mut self, input: &mut BytesMut) -> Step<T> {
        loop {
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Closed => return Step::Close,
                State::Deciding => {
                    self.state = State::Deciding;
                    return Step::Read;
                }
                State::Data(data) => match self.receive_data(data, input) {
                    Some(step) => return step,
                    None => continue,
                },
                State::Chunk(chunk) => match self.receive_chunk(chunk, input) {
                    Some(step) => return step,
                    None => continue,
                },
                State::Discarding(mut discarding) => {
                    if !discarding.receiver.discard(input) {
                        self.state = State::Discarding(discarding);
                        return Step::Read;
                    }
                    self.state = if discarding.greeted { State::Ready } else { State::Connected };
                    self.say_for_each(Verb::Bdat, discarding.recipients, &discarding.reply);
                    continue;
                }
                state => self.state = state,
            }
            if self.draining && self.is_idle() {
                self.close_with(Verb::Connect, &table::SHUTTING_DOWN);
                return Step::Close;
            }
            if matches!(self.state, State::Connected) && is_another_protocol(input) {
                self.close_with(Verb::Unknown, &table::NOT_SMTP);
                return Step::Close;
            }
            let line = match self.next_line(input) {
                Some(line) => line,
                None if matches!(self.state, State::Closed) => return Step::Close,
                None => return Step::Read,
            };
            if let Some(step) = self.command(&line, input) {
                return step;
            }
        }
    }
}

#[cfg(test)]
mod tests;
