//! The server's side, without a socket or a clock: bytes in, [`Step`]s out.
//!
//! [`session::Session`] reads what a client sends and asks one question at a time; whoever drives it
//! ([`crate::io::serve`], or a test) answers and feeds on. A [`state`] is a struct: what it does not hold
//! can't be used by mistake. A [`transaction::Transaction`] is dropped by RSET, and with it all that belongs
//! to it. [`limits::Limits`] bounds every line, count and octet.
//!
//! Two proofs are asked for here and made elsewhere: [`Took`] before a 250 after the content, [`Drained`]
//! before TLS.

pub mod limits;
pub mod session;
pub mod state;
pub mod transaction;

use crate::reply::Reply;

pub use limits::Limits;
pub use session::{Client, Dialect, Event, Session, Step};
pub use transaction::Transaction;

/// Proof that somebody took responsibility for a message (RFC 5321 §4.2.5). A 250 after the content is said
/// with one of these and in no other way.
///
/// There are two in the tree to review: the router's receipt, made when a message is durable, and the front's,
/// made when a router has answered 250, or when a mail filter wants the message taken and dropped.
pub trait Took {
    /// The positive reply that tells the client so.
    fn reply(&self) -> Reply;
}

/// Proof that no octet is left over from before a TLS handshake (RFC 3207 §4.2, CVE-2011-0411): made only
/// from an empty buffer.
#[derive(Debug)]
pub struct Drained(());

impl Drained {
    /// The proof, when nothing is left in `input`.
    #[must_use]
    pub fn check(input: &[u8]) -> Option<Self> {
        input.is_empty().then_some(Self(()))
    }
}
