//! The settings of the whole daemon, taken apart: each room gets its own options and knows of no others.
//!
//! [`options`] says which setting goes where, [`rooms`] makes of them what a reload replaces, and [`change`] is
//! the reload. Beside `lib.rs` no other file knows of settings.

mod change;
pub(crate) mod options;
pub(crate) mod rooms;
