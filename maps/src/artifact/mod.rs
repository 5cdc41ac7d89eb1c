//! The compiled map: one immutable file, `swm1`, described in `docs/map-format.md`.
//!
//! The way of a file: a compiler fills a [`container::Writer`] that writes into an [`Install`], which puts the
//! file in place by a rename; a daemon takes it as [`Bytes`] and opens it in constant time as a
//! [`Container`]; the map's kind (`exact`, `cidr`, `pattern`) finds keys in its sections.
//!
//! Invariants kept here:
//! - Same input, same octets: no time, no address, no chance goes into a file.
//! - Opening trusts nothing and reads only the head; [`Container::verify`] and the kinds' own `verify` read all,
//!   once, before a file is put in use.
//! - Whatever the octets are, reading them gives an answer or an error: never a panic, never an endless loop.
//! - An installed file is never written again, so that a mapped one cannot change or shrink (`mapped.rs`).

pub mod bytes;
pub mod container;
pub mod exact;
pub mod fuzz;
pub mod install;
mod mapped;

pub use bytes::Bytes;
pub use container::{BadArtifact, Container, Corrupt, Kind};
pub use exact::{Exact, ExactBuilder, Layered};
pub use install::Install;
