//! One session with a client: which command is legal when, and what is asked about it.
//!
//! The driver's loop is: [`Session::step`] with what has been read; a [`Step`] that asks is answered through
//! the method of the same name; [`Session::take_output`] is written whenever a step says [`Step::Read`], so
//! replies to pipelined commands go out together (RFC 2920 §3.2).

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use super::limits::Limits;
use super::state::{Chunking, Discarding, ReceivingChunk, ReceivingData, State};
use super::transaction::Transaction;
use super::{Drained, Took};
use crate::envelope::{Body, Content, Recipient, Sender};
use crate::extension::Offer;
use crate::reply::{Reply, ReplyCode, table};
use crate::trace::count_received;
use crate::wire::chunk::ChunkReceiver;
use crate::wire::command::{Attributes, Command, Greeting, Verb, is_another_protocol};
use crate::wire::data::{DataReceiver, Received, inspect, stuff};
use crate::wire::line::{Line, take_line};

/// What a session knows of its client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it connects from; XCLIENT and the PROXY protocol change it.
    pub address: SocketAddr,
    /// What it called itself, and how.
    pub hello: Option<(Greeting, Box<str>)>,
    /// TLS version and cipher, once TLS is on.
    pub tls: Option<Box<str>>,
    /// It showed a certificate that our authorities vouch for.
    pub verified: bool,
    /// XFORWARD: where the mail it hands over came from.
    pub forwarded: Option<Box<Attributes>>,
}

impl Client {
    /// The word for a Received field's `with` (RFC 3848, RFC 6531 §3.7.3).
    #[must_use]
    pub fn protocol(&self, smtputf8: bool) -> &'static str {
        match (self.hello.as_ref().map(|(greeting, _)| *greeting), self.tls.is_some(), smtputf8) {
            (Some(Greeting::Lhlo), false, false) => "LMTP",
            (Some(Greeting::Lhlo), true, false) => "LMTPS",
            (Some(Greeting::Lhlo), false, true) => "UTF8LMTP",
            (Some(Greeting::Lhlo), true, true) => "UTF8LMTPS",
            (Some(Greeting::Ehlo), false, false) => "ESMTP",
            (Some(Greeting::Ehlo), true, false) => "ESMTPS",
            (Some(Greeting::Ehlo), false, true) => "UTF8SMTP",
            (Some(Greeting::Ehlo), true, true) => "UTF8SMTPS",
            _ => "SMTP",
        }
    }

    /// Its name for itself, or `unknown`.
    #[must_use]
    pub fn helo_name(&self) -> &str {
        self.hello.as_ref().map_or("unknown", |(_, name)| name)
    }
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

/// One client's session; `T` is what the service keeps for a transaction.
#[derive(Debug)]
pub struct Session<T> {
    state: State<T>,
    client: Box<Client>,
    offer: Offer,
    host_name: std::sync::Arc<str>,
    limits: std::sync::Arc<Limits>,
    lmtp: bool,
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
    /// A session with a client that has just connected. `lmtp` speaks LMTP and nothing else (RFC 2033).
    #[must_use]
    pub fn new(
        host_name: std::sync::Arc<str>,
        limits: std::sync::Arc<Limits>,
        offer: Offer,
        lmtp: bool,
        client: Client,
    ) -> Self {
        Self {
            state: State::Connected,
            client: Box::new(client),
            offer,
            host_name,
            limits,
            lmtp,
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
                let word = if self.lmtp { "LMTP" } else { "ESMTP" };
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
        match &mut self.state {
            State::Mail(transaction) => Some(transaction),
            State::Data(data) => Some(&mut data.transaction),
            State::Chunking(chunking) => Some(&mut chunking.transaction),
            State::Chunk(chunk) => Some(&mut chunk.chunking.transaction),
            _ => None,
        }
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

    /// Replies to be written now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// True when there is something to write.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
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
                    self.state = State::Ready;
                    self.say(Verb::Bdat, &discarding.reply);
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

    fn next_line(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        loop {
            match take_line(input, self.limits.command_line) {
                Line::Partial => return None,
                Line::TooLong => {
                    if !std::mem::replace(&mut self.in_long_line, true) {
                        self.say(Verb::Unknown, &table::LINE_TOO_LONG);
                    }
                    self.discarded += self.limits.command_line as u64;
                    if self.discarded > self.limits.discarded_line as u64 {
                        self.close_with(Verb::Unknown, &table::TOO_MUCH_JUNK);
                        return None;
                    }
                }
                Line::Whole(_) | Line::Stray if std::mem::take(&mut self.in_long_line) => {}
                Line::Stray => {
                    self.stray_lines += 1;
                    if self.stray_lines >= self.limits.stray_lines {
                        self.close_with(Verb::Unknown, &table::TOO_MUCH_JUNK);
                        return None;
                    }
                    self.say(Verb::Unknown, &table::BAD_LINE);
                }
                Line::Whole(line) => return Some(line),
            }
            if matches!(self.state, State::Closed) {
                return None;
            }
        }
    }

    /// One command: is it legal here? What needs a decision is asked, the rest is done and told.
    fn command(&mut self, line: &Bytes, input: &mut BytesMut) -> Option<Step<T>> {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(refused) => {
                if let (Verb::Bdat, State::Mail(_) | State::Chunking(_)) = (refused.verb, &self.state) {
                    // Its size is not known, so what follows can't be told from commands (RFC 3030 §4.2).
                    self.close_with(Verb::Bdat, &refused.reply);
                    return Some(Step::Close);
                }
                if is_another_protocol(line) {
                    self.close_with(Verb::Unknown, &table::NOT_SMTP);
                    return Some(Step::Close);
                }
                self.say(refused.verb, &refused.reply);
                return None;
            }
        };
        let verb = command.verb();
        match command {
            Command::Hello(greeting, name) => return self.check_hello(greeting, name, input),
            Command::Quit => {
                self.close_with(Verb::Quit, &table::BYE);
                return Some(Step::Close);
            }
            Command::Noop => self.say_junk(verb, &table::OK),
            Command::Help => self.say_junk(verb, &table::HELP),
            Command::Vrfy => self.say_junk(verb, &table::VRFY_NOTHING),
            Command::Rset => {
                if !matches!(self.state, State::Connected) {
                    self.state = State::Ready;
                }
                self.say_junk(verb, &table::OK);
            }
            Command::StartTls => return self.check_starttls(input),
            Command::Xclient(attributes) => return self.check_xclient(*attributes),
            Command::Xforward(attributes) if self.offer.xforward && matches!(self.state, State::Ready) => {
                self.client.forwarded = Some(attributes);
                self.say(verb, &table::OK);
            }
            Command::Mail(sender) => return self.check_sender(sender),
            Command::Rcpt(recipient) => return self.check_recipient(recipient, line.is_ascii()),
            Command::Data => return self.check_data(input),
            Command::Bdat { size, last } => return self.check_chunk(size, last),
            Command::Xforward(_) => self.say(verb, &table::BAD_SEQUENCE),
        }
        None
    }

    // ----- hello, TLS, XCLIENT ---------------------------------------------------------------------------

    fn check_hello(&mut self, greeting: Greeting, name: Box<str>, input: &BytesMut) -> Option<Step<T>> {
        let verb = Command::Hello(greeting, Box::default()).verb();
        if self.lmtp != (greeting == Greeting::Lhlo) {
            // RFC 2033 §4.1: LHLO here and only here.
            self.say(verb, &table::UNKNOWN_COMMAND);
            return None;
        }
        // RFC 2920 §3.1: EHLO ends a group, since what comes after depends on its reply.
        if !input.is_empty() {
            self.close_with(verb, &table::OUT_OF_STEP);
            return Some(Step::Close);
        }
        if self.junk_is_over(verb) {
            return Some(Step::Close);
        }
        self.state = State::Connected;
        self.client.hello = Some((greeting, name));
        Some(Step::Hello)
    }

    /// Answers [`Step::Hello`].
    pub fn hello(&mut self, verdict: Result<(), Reply>) {
        let greeting = self.client.hello.as_ref().map_or(Greeting::Helo, |(greeting, _)| *greeting);
        let verb = Command::Hello(greeting, Box::default()).verb();
        match verdict {
            Err(reply) => {
                self.client.hello = None;
                self.say(verb, &reply);
            }
            Ok(()) => {
                self.state = State::Ready;
                let name = self.client.helo_name();
                let text = if greeting == Greeting::Helo {
                    self.host_name.to_string()
                } else {
                    self.offer.ehlo_text(&self.host_name, name)
                };
                self.say(verb, &table::HELLO.with_text(text));
            }
        }
    }

    /// RFC 3207 §4, §4.2.
    fn check_starttls(&mut self, input: &BytesMut) -> Option<Step<T>> {
        if !matches!(self.state, State::Ready) || self.client.tls.is_some() {
            self.say(Verb::StartTls, &table::BAD_SEQUENCE);
            return None;
        }
        if !self.offer.starttls {
            self.say(Verb::StartTls, &table::NOT_IMPLEMENTED);
            return None;
        }
        let Some(drained) = Drained::check(input) else {
            self.close_with(Verb::StartTls, &table::OUT_OF_STEP);
            return Some(Step::Close);
        };
        self.say(Verb::StartTls, &table::READY_FOR_TLS);
        Some(Step::StartTls(drained))
    }

    /// TLS is on: all that the client said before is forgotten (RFC 3207 §4.2).
    pub fn tls_started(&mut self, description: Box<str>, verified: bool) {
        self.state = State::Connected;
        self.client.hello = None;
        self.client.forwarded = None;
        self.client.tls = Some(description);
        self.client.verified = verified;
        self.offer.starttls = false;
    }

    fn check_xclient(&mut self, attributes: Attributes) -> Option<Step<T>> {
        if !self.offer.xclient || !self.is_idle() {
            self.say(Verb::Xclient, &table::BAD_SEQUENCE);
            return None;
        }
        let port = attributes.port.unwrap_or_else(|| self.client.address.port());
        let address = attributes.address.unwrap_or_else(|| self.client.address.ip());
        self.client.address = SocketAddr::new(address, port);
        self.client.hello = attributes.helo.map(|name| (Greeting::Ehlo, name));
        Some(Step::Xclient)
    }

    /// Answers [`Step::Xclient`]: with what is offered to the client it stands for, or a refusal. The session
    /// starts over with a greeting, as Postfix's does.
    pub fn xclient(&mut self, verdict: Result<Offer, Reply>) {
        self.state = State::Connected;
        match verdict {
            Ok(offer) => {
                self.offer = Offer { starttls: offer.starttls && self.client.tls.is_none(), ..offer };
                self.greet(Ok(()), &[]);
            }
            Err(reply) => self.close_with(Verb::Xclient, &reply),
        }
    }

    // ----- MAIL and RCPT ---------------------------------------------------------------------------------

    fn check_sender(&mut self, sender: Box<Sender>) -> Option<Step<T>> {
        let refusal = match self.state {
            _ if self.offer.require_tls && self.client.tls.is_none() => Some(table::TLS_REQUIRED),
            State::Ready if sender.transaction.is_some() && !self.offer.xtxn => Some(table::BAD_PARAMETER),
            State::Ready if sender.size.is_some_and(|size| size > self.limits.message_size) => {
                Some(table::TOO_BIG)
            }
            State::Ready => None,
            _ => Some(table::BAD_SEQUENCE),
        };
        match refusal {
            Some(reply) => {
                self.say(Verb::Mail, &reply);
                None
            }
            None => Some(Step::Sender(sender)),
        }
    }

    /// Answers [`Step::Sender`]: with what the service keeps for the transaction, or a refusal.
    pub fn sender(&mut self, sender: Sender, verdict: Result<T, Reply>) {
        match verdict {
            Ok(kept) => {
                self.state = State::Mail(Box::new(Transaction::begin(sender, kept)));
                self.say(Verb::Mail, &table::SENDER_OK);
            }
            Err(reply) => self.say(Verb::Mail, &reply),
        }
    }

    fn check_recipient(&mut self, recipient: Box<Recipient>, ascii: bool) -> Option<Step<T>> {
        let State::Mail(transaction) = &mut self.state else {
            self.say(Verb::Rcpt, &table::BAD_SEQUENCE);
            return None;
        };
        if !ascii && !transaction.envelope.sender.smtputf8 {
            transaction.refused += 1;
            self.say(Verb::Rcpt, &table::NEEDS_SMTPUTF8);
            return None;
        }
        if transaction.envelope.recipients.len() >= self.limits.recipients {
            transaction.refused += 1;
            self.recipient_overshoot += 1;
            if self.recipient_overshoot > self.limits.recipient_overshoot {
                self.close_with(Verb::Rcpt, &table::TOO_MUCH_JUNK);
                return Some(Step::Close);
            }
            self.say(Verb::Rcpt, &table::TOO_MANY_RECIPIENTS);
            return None;
        }
        Some(Step::Recipient(recipient))
    }

    /// Answers [`Step::Recipient`].
    pub fn recipient(&mut self, recipient: Recipient, verdict: Result<(), Reply>) {
        let State::Mail(transaction) = &mut self.state else { return };
        match verdict {
            Ok(()) => {
                transaction.accept(recipient);
                self.say(Verb::Rcpt, &table::RECIPIENT_OK);
            }
            Err(reply) => {
                transaction.refused += 1;
                self.say(Verb::Rcpt, &reply);
            }
        }
    }

    // ----- DATA ------------------------------------------------------------------------------------------

    fn check_data(&mut self, input: &BytesMut) -> Option<Step<T>> {
        let checked = match &self.state {
            State::Mail(transaction) => match self.refuse_content(transaction, Verb::Data) {
                None => Ok(transaction.envelope.sender.size),
                Some(reply) => Err(reply),
            },
            _ => Err(table::BAD_SEQUENCE),
        };
        let octets = match checked {
            Ok(octets) => octets,
            Err(reply) => {
                self.say(Verb::Data, &reply);
                return None;
            }
        };
        // RFC 2920 §3.1: DATA ends a group; content before 354 is a client out of step.
        if !input.is_empty() {
            self.close_with(Verb::Data, &table::OUT_OF_STEP);
            return Some(Step::Close);
        }
        Some(Step::Data { octets })
    }

    /// Why content can't come now, if it can't.
    fn refuse_content(&self, transaction: &Transaction<T>, verb: Verb) -> Option<Reply> {
        let envelope = &transaction.envelope;
        if envelope.recipients.is_empty() {
            return Some(if transaction.refused > 0 {
                table::NO_VALID_RECIPIENTS
            } else {
                table::BAD_SEQUENCE
            });
        }
        if envelope.sender.transaction.is_some() && transaction.refused > 0 {
            return Some(table::NOT_ALL_RECIPIENTS);
        }
        // RFC 3030 §3: what is binary comes in chunks.
        (verb == Verb::Data && envelope.sender.body == Body::BinaryMime).then_some(table::BAD_SEQUENCE)
    }

    /// Answers [`Step::Data`].
    pub fn data(&mut self, verdict: Result<(), Reply>) {
        let pending = self.pending_chunk.take();
        match (std::mem::replace(&mut self.state, State::Ready), verdict, pending) {
            (State::Mail(transaction), Ok(()), None) => {
                self.say(Verb::Data, &table::START_MAIL_INPUT);
                let receiver = DataReceiver::default();
                self.state = State::Data(Box::new(ReceivingData { transaction, receiver, refusal: None }));
            }
            (State::Mail(transaction), Ok(()), Some((size, last))) => {
                let chunking = Chunking { transaction, content: BytesMut::new() };
                self.state = State::Chunk(Box::new(ReceivingChunk {
                    chunking,
                    receiver: ChunkReceiver::new(size),
                    last,
                }));
            }
            (State::Chunking(chunking), Ok(()), Some((size, last))) => {
                let receiver = ChunkReceiver::new(size);
                self.state = State::Chunk(Box::new(ReceivingChunk { chunking: *chunking, receiver, last }));
            }
            (State::Mail(_) | State::Chunking(_), Err(reply), Some((size, _))) => {
                self.discard_chunk(size, reply);
            }
            (State::Mail(transaction), Err(reply), None) => {
                self.state = State::Mail(transaction);
                self.say(Verb::Data, &reply);
            }
            (state, ..) => self.state = state,
        }
    }

    /// There is no more room for the content that is coming in: it is read to its end, and `reply` said then.
    pub fn refuse_rest(&mut self, reply: Reply) {
        if let State::Data(data) = &mut self.state {
            data.refusal.get_or_insert(reply);
        }
    }

    fn receive_data(&mut self, mut data: Box<ReceivingData<T>>, input: &mut BytesMut) -> Option<Step<T>> {
        let limit = if data.refusal.is_some() { 0 } else { self.limits.message_size };
        match data.receiver.receive(input, limit) {
            Some(Received::Whole(wire)) => self.judge(data.transaction, wire),
            Some(Received::TooBig) => {
                self.state = State::Ready;
                self.say_content(&data.transaction, &data.refusal.unwrap_or(table::TOO_BIG));
                None
            }
            None if data.receiver.discarded() > self.limits.discarded_message => {
                self.close_with(Verb::EndOfData, &table::TOO_BIG);
                Some(Step::Close)
            }
            None => {
                self.state = State::Data(data);
                Some(Step::Read)
            }
        }
    }

    // ----- BDAT ------------------------------------------------------------------------------------------

    /// RFC 3030 §2, §4.2: whatever is wrong, the chunk's octets are read past before the reply.
    fn check_chunk(&mut self, size: u64, last: bool) -> Option<Step<T>> {
        if size == 0 && !last && self.junk_is_over(Verb::Bdat) {
            return Some(Step::Close);
        }
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Mail(transaction) => {
                if let Some(reply) = self.refuse_content(&transaction, Verb::Bdat) {
                    self.discard_chunk(size, reply);
                    return None;
                }
                if size > self.limits.message_size {
                    self.discard_chunk(size, table::TOO_BIG);
                    return None;
                }
                self.pending_chunk = Some((size, last));
                self.state = State::Mail(transaction);
                Some(Step::Data { octets: Some(size) })
            }
            State::Chunking(chunking) => {
                let total = size.saturating_add(chunking.content.len() as u64);
                if total > self.limits.message_size {
                    self.discard_chunk(size, table::TOO_BIG);
                    return None;
                }
                self.pending_chunk = Some((size, last));
                self.state = State::Chunking(chunking);
                Some(Step::Data { octets: Some(total) })
            }
            state => {
                let greeted = !matches!(state, State::Connected);
                self.discard_chunk(size, table::BAD_SEQUENCE);
                if !greeted {
                    // A chunk before any hello: nothing here is worth staying in step for.
                    self.close_with(Verb::Bdat, &table::BAD_SEQUENCE);
                    return Some(Step::Close);
                }
                None
            }
        }
    }

    /// Reads past a chunk; the transaction is gone (RFC 3030 §2: a failed BDAT fails the transaction).
    fn discard_chunk(&mut self, size: u64, reply: Reply) {
        if size > self.limits.discarded_message {
            self.close_with(Verb::Bdat, &reply);
        } else {
            self.state =
                State::Discarding(Box::new(Discarding { receiver: ChunkReceiver::new(size), reply }));
        }
    }

    fn receive_chunk(&mut self, mut chunk: Box<ReceivingChunk<T>>, input: &mut BytesMut) -> Option<Step<T>> {
        if !chunk.receiver.receive(input, &mut chunk.chunking.content) {
            self.state = State::Chunk(chunk);
            return Some(Step::Read);
        }
        let ReceivingChunk { chunking, last, .. } = *chunk;
        if !last {
            self.state = State::Chunking(Box::new(chunking));
            self.say(Verb::Bdat, &table::CHUNK_OK);
            return None;
        }
        // From here on one form: dot-stuffed, as DATA would have brought it.
        let wire = stuff(&chunking.content.freeze());
        self.judge(chunking.transaction, wire)
    }

    // ----- end of data -----------------------------------------------------------------------------------

    /// The content is here whole: refuse what no relay should pass on, ask about the rest.
    fn judge(&mut self, transaction: Box<Transaction<T>>, wire: Bytes) -> Option<Step<T>> {
        let seen = inspect(&wire);
        let binary = transaction.envelope.sender.body == Body::BinaryMime;
        let refusal = if seen.stray_line_end && !binary {
            Some(table::STRAY_LINE_END)
        } else if seen.nul && !binary {
            Some(table::STRAY_NUL)
        } else if seen.header_octets > self.limits.header_size
            || seen.header_fields > self.limits.header_fields
        {
            Some(table::HEADER_TOO_BIG)
        } else if seen.longest_line > self.limits.text_line && !binary {
            Some(table::STRAY_NUL.with_text("Message holds a line that is too long"))
        } else if count_received(&wire) > self.limits.hops {
            Some(table::TOO_MANY_HOPS)
        } else {
            None
        };
        if let Some(reply) = refusal {
            self.state = State::Ready;
            self.say_content(&transaction, &reply);
            return None;
        }
        self.state = State::Deciding;
        Some(Step::Content(transaction, Content::from_wire(wire)))
    }

    /// Answers [`Step::Content`]: 250 only with the proof that somebody took it.
    pub fn content(&mut self, recipients: usize, verdict: Result<impl Took, Reply>) {
        self.state = State::Ready;
        self.client.forwarded = None;
        let reply = match verdict {
            Ok(took) => {
                self.junk = 0;
                took.reply()
            }
            Err(reply) => reply,
        };
        self.say_for_each(recipients, &reply);
    }

    fn say_content(&mut self, transaction: &Transaction<T>, reply: &Reply) {
        self.client.forwarded = None;
        self.say_for_each(transaction.envelope.recipients.len(), reply);
    }

    /// RFC 2033 §4.2: LMTP answers for each recipient, SMTP for all of them at once.
    fn say_for_each(&mut self, recipients: usize, reply: &Reply) {
        for _ in 0..if self.lmtp { recipients } else { 1 } {
            self.say(Verb::EndOfData, reply);
        }
    }

    // ----- replies ---------------------------------------------------------------------------------------

    fn say(&mut self, verb: Verb, reply: &Reply) {
        if reply.closes() {
            return self.close_with(verb, reply);
        }
        self.put(verb, reply);
        if reply.is_permanent() {
            self.errors += 1;
            if self.errors >= self.limits.errors {
                self.close_with(verb, &table::TOO_MUCH_JUNK);
            }
        }
    }

    /// A reply to a command that does nothing.
    fn say_junk(&mut self, verb: Verb, reply: &Reply) {
        if !self.junk_is_over(verb) {
            self.say(verb, reply);
        }
    }

    fn junk_is_over(&mut self, verb: Verb) -> bool {
        self.junk += 1;
        let over = self.junk > self.limits.junk_commands;
        if over {
            self.close_with(verb, &table::TOO_MUCH_JUNK);
        }
        over
    }

    fn close_with(&mut self, verb: Verb, reply: &Reply) {
        self.put(verb, reply);
        self.state = State::Closed;
    }

    fn put(&mut self, verb: Verb, reply: &Reply) {
        reply.write_to(&mut self.output);
        self.events.push(Event { verb, code: reply.code });
    }
}
