//! The states of a session, each a struct that holds what can be used in it and nothing else. A transition
//! consumes the old one.

use bytes::BytesMut;

use crate::reply::Reply;
use crate::server::transaction::Transaction;
use crate::wire::chunk::ChunkReceiver;
use crate::wire::data::DataReceiver;

/// Where a session stands.
#[derive(Debug)]
pub(super) enum State<T> {
    /// No hello yet, or it was forgotten (RFC 3207 §4.2).
    Connected,
    /// Greeted; no transaction.
    Ready,
    /// MAIL was accepted.
    Mail(Box<Transaction<T>>),
    /// DATA was answered with 354.
    Data(Box<ReceivingData<T>>),
    /// Chunks have come and the last has not.
    Chunking(Box<Chunking<T>>),
    /// Inside a chunk.
    Chunk(Box<ReceivingChunk<T>>),
    /// Inside a chunk that is read past; then `reply` is said.
    Discarding(Box<Discarding>),
    /// A question about the content is open.
    Deciding,
    /// The last reply is out.
    Closed,
}

#[derive(Debug)]
pub(super) struct ReceivingData<T> {
    pub(super) transaction: Box<Transaction<T>>,
    pub(super) receiver: DataReceiver,
    /// Memory ran out on the way: the rest is read past, and this is said.
    pub(super) refusal: Option<Reply>,
}

#[derive(Debug)]
pub(super) struct Chunking<T> {
    pub(super) transaction: Box<Transaction<T>>,
    pub(super) content: BytesMut,
}

#[derive(Debug)]
pub(super) struct ReceivingChunk<T> {
    pub(super) chunking: Chunking<T>,
    pub(super) receiver: ChunkReceiver,
    pub(super) last: bool,
}

#[derive(Debug)]
pub(super) struct Discarding {
    pub(super) receiver: ChunkReceiver,
    pub(super) reply: Reply,
    /// For how many recipients, where each has its own.
    pub(super) recipients: usize,
    /// Whether to be ready for MAIL after it.
    pub(super) greeted: bool,
}
