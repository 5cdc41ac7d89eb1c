//! The settings of the whole daemon, taken apart: each room gets its own options and knows of no others.
//!
//! [`options`] says which setting goes where, [`rooms`] makes of them what a reload replaces, and [`hold`]
//! names what a running daemon cannot take. Beside `lib.rs` no other file knows of settings.

pub(crate) mod hold;
pub(crate) mod options;
pub(crate) mod rooms;
