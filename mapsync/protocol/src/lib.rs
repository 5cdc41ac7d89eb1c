//! What admins sign, hubs relay and hosts verify. No socket, no file is opened and no clock is read here.
//!
//! [`keys`] sign, an [`envelope`] carries what is signed: a [`root`] (whose keys count), a [`head`] (every file of
//! a generation, by hash and length) or a [`release`] (which hosts flip to it). [`trust`] is what a host remembers
//! and the one place that says yes or no. [`path`] says what a file may be called.
//!
//! A table travels as [`records`] in one spelling, so that a [`delta`] of what changed can travel instead; both, and
//! every other file, may be [`packed`] on the way. A [`status`] is what a host says back.
//! A [`question`] is put to all hosts at once.
//! [`agent`] is what a host does about it all, and a [`rollout`] is how a hub brings a generation to all hosts, step
//! by step.
//!
//! Invariants kept here:
//! - What [`trust::Trusted`] remembers changes only after every check has passed.
//! - No octet of a payload is parsed before its signatures are counted, save for the first root, which a person put
//!   there.
//! - What is unpacked is never longer than what is signed allows, and no more of it is held than a window and a line.
//! - Every message and every list in it has a longest length, and nothing is kept beyond it.
#![forbid(unsafe_code)]

pub mod agent;
pub mod delta;
pub mod envelope;
pub mod fuzz;
pub mod hash;
pub mod head;
pub mod keys;
mod lines;
pub mod packed;
pub mod path;
mod pieces;
pub mod question;
pub mod records;
pub mod release;
pub mod rollout;
pub mod root;
pub mod status;
pub mod trust;
mod words;

pub use words::{Environment, Timestamp};
