//! The milter protocol, versions 2 to 6: the MTA's side and the filter's side as a pair.
//!
//! The words first: a [`frame`] carries a [`command`] (what the MTA says: an [`event`], or [`macros`] for the next
//! one) or a [`response`] (what the filter says: an [`edit`], or the [`response::Action`] that ends its answer).
//! Both sides begin with [`negotiate`], which settles what is sent at all.
//!
//! Then the two sides, without a socket or a clock: [`mta`] says which event is sent, when an answer is due and
//! what it may be; [`filter`] is its mirror. [`edits`] changes a message as a filter asked for. [`io`] drives both over sockets.
//!
//! Invariants kept here:
//! - A frame's length is held against a cap before anything is kept for it.
//! - Edits are values. The MTA's side hands them out with the final action of a complete answer, never before.
//! - An action or an edit that was not negotiated, or that is not legal at its stage, ends the conversation.
//! - A reply text that a filter sends is one legal SMTP reply when it comes out of here.

#![forbid(unsafe_code)]

pub mod command;
pub mod decode;
pub mod edit;
pub mod edits;
pub mod event;
pub mod filter;
pub mod frame;
pub mod fuzz;
pub mod io;
pub mod macros;
pub mod mta;
pub mod negotiate;
pub mod reply;
pub mod response;
pub mod stage;
pub mod turn;
