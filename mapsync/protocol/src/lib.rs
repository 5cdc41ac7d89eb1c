//! What admins sign, hubs relay and hosts verify. No socket, no file is opened and no clock is read here.
//!
//! [`keys`] sign, an [`envelope`] carries what is signed: a [`root`] (whose keys count), a [`head`] (every file of
//! a generation, by hash and length) or a [`release`] (which hosts flip to it). [`trust`] is what a host remembers
//! and the one place that says yes or no. [`path`] says what a file may be called.
//!
//! Invariants kept here:
//! - What [`trust::Trusted`] remembers changes only after every check has passed.
//! - No octet of a payload is parsed before its signatures are counted, save for the first root, which a person put there.
//! - Every message and every list in it has a longest length, and nothing is kept beyond it.
#![forbid(unsafe_code)]

pub mod envelope;
pub mod hash;
pub mod head;
pub mod keys;
pub mod path;
pub mod release;
pub mod root;
pub mod trust;
mod words;

pub use words::{Environment, Timestamp};
