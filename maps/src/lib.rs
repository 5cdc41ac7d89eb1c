//! Routing maps: from a text to an answer, swapped as a set.
//!
//! The way of a map: a person edits a file; [`watch`] notices; `source` reads its lines, `key` and [`entry`]
//! type them, `compile` makes a table or says all that is wrong; [`set`] takes all maps of a role together;
//! [`swap`] puts them in use by one pointer. The way of a question: a transaction takes a [`Snapshot`], and
//! `lookup` asks its tables in Postfix's key order.
//!
//! Invariants kept here:
//! - A lookup has three answers ([`Answer`]); a map that cannot be read never says "not found".
//! - [`MapHandle::swap`] takes only [`Verified`] sets; a reload that fails keeps the old set.
//! - A [`Snapshot`] is one generation of all maps; a swap never shows half of another.
//! - `lookup` does no I/O and reads no clock.

pub mod access;
pub mod alias;
pub mod answer;
pub mod artifact;
mod chain;
pub mod cidr;
mod compile;
pub mod control;
pub mod entry;
pub mod explain;
pub mod fault;
pub mod field_edits;
pub mod foreign;
mod grammar;
pub mod guard;
pub mod installed;
mod key;
pub mod listing;
mod lookup;
mod loops;
pub mod metrics;
pub mod name;
pub mod nexthop;
pub mod options;
pub mod pattern;
pub mod query;
mod random;
mod read;
pub mod relocated;
pub mod remote;
pub mod resolve;
pub mod rules;
pub mod set;
pub mod shadow;
pub mod signing;
mod snapshot;
mod source;
pub mod spec;
pub mod swap;
mod text;
pub mod trace;
mod typed;
pub mod watch;

pub use access::{Access, Refusal};
pub use alias::ExpandError;
pub use answer::{Answer, Found, Place, Unavailable};
pub use entry::{BadRoute, Notice, Route, Transport};
pub use fault::{Fault, Faults};
pub use guard::Budget;
pub use metrics::MapMetrics;
pub use name::MapName;
pub use nexthop::{Hop, Nexthop};
pub use options::MapOptions;
pub use query::{RawAnswer, RawTable};
pub use resolve::{Destination, Resolved};
pub use set::{MapSet, Verified};
pub use signing::{SigningKey, SigningKeys};
pub use snapshot::{Side, Snapshot};
pub use spec::TableSpec;
pub use swap::MapHandle;
pub use trace::Trace;
pub use watch::Reloader;
