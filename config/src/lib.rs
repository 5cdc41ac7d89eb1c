//! Settings, role templates and their checks.
//!
//! The way of a setting: a file becomes a [`document`] (a tree that knows where each value stands); the
//! layers of a host's role are laid over one another and their `${…}` holes filled with facts of the site
//! ([`template`], [`site`]); the [`reader`] makes typed settings of it ([`mx`], [`router`], with what both
//! share in [`common`]) and collects every fault on the way ([`check`]).
//!
//! Invariants kept here:
//! - A setting is declared once, where it is read: name, kind, default, bounds, one line of meaning, and
//!   whether a running daemon takes a new value. The [`mod@reference`] is made of these declarations.
//!   So is the [`schema`] that editors check a file with while it is typed.
//! - Nothing is guessed: an unknown key, an unknown fact, a number without its unit are faults, with file
//!   and line and what would be right. All faults come at once, and with any there are no settings.
//! - The words here are our own or lower crates' option structs; no library's option name leaks out.

#![forbid(unsafe_code)]

pub mod admin;
pub mod agent;
pub mod change;
pub mod check;
pub mod common;
pub mod document;
pub mod example;
pub mod hub;
pub mod milter;
mod milters;
pub mod mx;
pub mod reader;
pub mod reference;
pub mod render;
pub mod router;
pub mod schema;
pub mod settings;
pub mod site;
pub mod template;
mod unknown;
pub mod words;

pub use admin::AdminSettings;
pub use agent::{AgentSettings, Services};
pub use check::{Fault, Faults, Place};
pub use hub::{HubSettings, RolloutGates};
pub use milter::MilterSettings;
pub use mx::MxSettings;
pub use router::RouterSettings;
pub use settings::Settings;
pub use site::Site;
