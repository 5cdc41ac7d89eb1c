//! DATA and BDAT: the content comes in, is judged, and is asked about.

use bytes::{Bytes, BytesMut};

use super::super::Took;
use super::super::state::{Chunking, Discarding, ReceivingChunk, ReceivingData, State};
use super::super::transaction::Transaction;
use super::{Session, Step};
use crate::envelope::{Body, Content};
use crate::reply::{Reply, table};
use crate::trace::count_received;
use crate::wire::chunk::ChunkReceiver;
use crate::wire::command::{Greeting, Verb};
use crate::wire::data::{DataReceiver, Received, inspect, stuff};

impl<T> Session<T> {
    // ----- DATA

    pub(super) fn check_data(&mut self, input: &BytesMut) -> Option<Step<T>> {
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
            (State::Mail(transaction), Err(reply), Some((size, last))) => {
                self.discard_chunk(size, reply, replies_to_chunk(last, &transaction));
            }
            (State::Chunking(chunking), Err(reply), Some((size, last))) => {
                self.discard_chunk(size, reply, replies_to_chunk(last, &chunking.transaction));
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
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Data(mut data) => {
                data.refusal.get_or_insert(reply);
                self.state = State::Data(data);
            }
            State::Chunk(chunk) => {
                let ReceivingChunk { chunking, receiver, last } = *chunk;
                let recipients = replies_to_chunk(last, &chunking.transaction);
                self.state =
                    State::Discarding(Box::new(Discarding { receiver, reply, recipients, greeted: true }));
            }
            state => self.state = state,
        }
    }

    /// Octets of content that are held here, beside what is still in the input.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.state {
            State::Chunking(chunking) => chunking.content.len(),
            State::Chunk(chunk) => chunk.chunking.content.len(),
            _ => 0,
        }
    }

    pub(super) fn receive_data(
        &mut self,
        mut data: Box<ReceivingData<T>>,
        input: &mut BytesMut,
    ) -> Option<Step<T>> {
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

    // ----- BDAT

    /// RFC 3030 §2, §4.2: whatever is wrong, the chunk's octets are read past before the reply.
    pub(super) fn check_chunk(&mut self, size: u64, last: bool) -> Option<Step<T>> {
        if size == 0 && !last && self.junk_is_over(Verb::Bdat) {
            return Some(Step::Close);
        }
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Mail(transaction) => {
                let recipients = replies_to_chunk(last, &transaction);
                if let Some(reply) = self.refuse_content(&transaction, Verb::Bdat) {
                    self.discard_chunk(size, reply, recipients);
                    return None;
                }
                if size > self.limits.message_size {
                    self.discard_chunk(size, table::TOO_BIG, recipients);
                    return None;
                }
                self.pending_chunk = Some((size, last));
                self.state = State::Mail(transaction);
                Some(Step::Data { octets: Some(size) })
            }
            State::Chunking(chunking) => {
                let total = size.saturating_add(chunking.content.len() as u64);
                if total > self.limits.message_size {
                    let recipients = replies_to_chunk(last, &chunking.transaction);
                    self.discard_chunk(size, table::TOO_BIG, recipients);
                    return None;
                }
                self.pending_chunk = Some((size, last));
                self.state = State::Chunking(chunking);
                Some(Step::Data { octets: Some(total) })
            }
            state => {
                // Legal nowhere else, but its octets are no commands.
                let greeted = !matches!(state, State::Connected);
                self.discard_chunk(size, table::BAD_SEQUENCE, 1);
                if let State::Discarding(discarding) = &mut self.state {
                    discarding.greeted = greeted;
                }
                None
            }
        }
    }

    /// Reads past a chunk; the transaction is gone (RFC 3030 §2: a failed BDAT fails the transaction).
    fn discard_chunk(&mut self, size: u64, reply: Reply, recipients: usize) {
        if size > self.limits.discarded_message {
            self.close_with(Verb::Bdat, &reply);
        } else {
            self.state = State::Discarding(Box::new(Discarding {
                receiver: ChunkReceiver::new(size),
                reply,
                recipients,
                greeted: true,
            }));
        }
    }

    pub(super) fn receive_chunk(
        &mut self,
        mut chunk: Box<ReceivingChunk<T>>,
        input: &mut BytesMut,
    ) -> Option<Step<T>> {
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

    // ----- end of data

    /// The content is here whole: refuse what no relay should pass on, ask about the rest.
    fn judge(&mut self, transaction: Box<Transaction<T>>, wire: Bytes) -> Option<Step<T>> {
        let seen = inspect(&wire);
        let binary = transaction.envelope.sender.body == Body::BinaryMime;
        let refusal = if seen.stray_line_end && !binary {
            Some(table::STRAY_LINE_END)
        } else if seen.nul && !binary {
            Some(table::STRAY_NUL)
        } else if wire.starts_with(b" ") || wire.starts_with(b"\t") {
            Some(table::BAD_HEADER)
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
                // Who brings mail that is taken may go on doing so: hosts keep connections for long.
                self.junk = 0;
                self.errors = 0;
                took.reply()
            }
            Err(reply) => reply,
        };
        self.say_for_each(Verb::EndOfData, recipients, &reply);
    }

    fn say_content(&mut self, transaction: &Transaction<T>, reply: &Reply) {
        self.client.forwarded = None;
        self.say_for_each(Verb::EndOfData, transaction.envelope.recipients.len(), reply);
    }

    /// RFC 2033 §4.2: LMTP answers for each recipient, SMTP for all of them at once.
    pub(super) fn say_for_each(&mut self, verb: Verb, recipients: usize, reply: &Reply) {
        if matches!(self.client.hello, Some((Greeting::Lhlo, _))) {
            for _ in 1..recipients {
                self.put(verb, reply);
            }
        }
        // It counts once, and nothing comes after it if it closes.
        self.say(verb, reply);
    }
}

/// Recipients that a refused chunk is answered for: all of them when it is the last, whose answer is the
/// content's.
fn replies_to_chunk<T>(last: bool, transaction: &Transaction<T>) -> usize {
    if last { transaction.envelope.recipients.len() } else { 1 }
}
