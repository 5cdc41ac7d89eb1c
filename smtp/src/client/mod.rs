//! The client's side of SMTP and LMTP, without a socket or a clock: replies in, octets to write out.
//!
//! The way of a message: [`dialogue`] opens a session (greeting, EHLO, perhaps STARTTLS and EHLO again) until it
//! is [`dialogue::Ready`]; that begins a [`transaction::Transaction`] from a [`Delivery`], which tells its driver
//! ([`crate::io::dial`], or a test) when to write and when to read; what comes of it is an [`Outcome`], with one
//! answer for each recipient.
//!
//! Invariants kept here:
//! - Each reply belongs to one command. One that comes before its command was sent, or that belongs to none,
//!   means that the two sides are out of step: nothing that such a peer said counts as success.
//! - An outcome says whether the last octet of the content may have left us. Only then can a peer have taken
//!   a message without our knowing.
//! - What a peer can't carry is refused here, before anything is sent, and never mangled.
//! - No octets that a message holds can end it early or become a command.

mod command;
mod content;
pub mod dialogue;
pub mod options;
pub mod outcome;
mod slots;
pub mod transaction;

pub use command::{mail_parameters, rcpt_parameters};
pub use options::{Delivery, Protocol, Timeouts, Transfer};
pub use outcome::{LocalRefusal, Loss, Outcome, RecipientOutcome};
