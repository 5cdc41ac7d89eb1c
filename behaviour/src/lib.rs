//! Behaviours: what a site's mail does, written down by its postmaster, and asked of the site's maps or of any
//! mail server.
//!
//! The way of a behaviour: files in the site's folder `behaviours/` are read by [`language`], each fault with its
//! file and line; what is said (client, HELO, sender, recipients, message) is put to the maps and settings of the
//! site's hosts ([`offline`]) or to servers by real dialogue ([`live`]); what came of it is a [`Seen`](seen::Seen),
//! the same for both; and [`judge`] holds it against what is wanted. [`report`] is the outcome for programs.
//!
//! Invariants kept here:
//! - What a run can't see is said so ([`judge::Holds::NotAsked`]) and counted; it never counts as fine.
//! - A behaviour ends: each has a deadline, and missing it is a failure.
//! - Offline, the hosts' own rooms decide, on the same code that `switchyard explain` shows.

#![forbid(unsafe_code)]

pub mod judge;
pub mod language;
pub mod live;
pub mod offline;
pub mod pattern;
pub mod report;
pub mod seen;
pub mod texts;
pub mod way;

pub use judge::{Finding, Holds, State, Verdict};
pub use language::{Behaviour, load};
