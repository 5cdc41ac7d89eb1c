//! What every Switchyard process needs and no stage should know.
//!
//! The life of a process, in the order a daemon's `lib.rs` walks it:
//! 1. [`log::start`], then [`sockets::Listeners::from_environment`]: both before the run time has threads.
//! 2. A [`metrics::Registry`], a [`clock::Clock`] and a [`drain::Drain`] are made and handed down by value;
//!    there is no global but the log.
//! 3. [`readiness::Readiness`] gathers what must be true before traffic may come; [`http`] shows it
//!    and [`service`] tells systemd; [`control`] answers the operator's tool.
//! 4. [`doors::Doors`] listens where the settings say; [`accept::accept`] takes connections, bounded by
//!    [`accept::Sessions`]; [`supervise::Supervisor`] owns every long-lived task and makes an early end an event.
//! 5. [`process::Process`] holds these together: it turns [`signal`]s into reloads and the drain, and says how
//!    the process ended; [`reload`] tells what came of new settings.
//!
//! Beside that life, [`dns`] makes the resolver of who needs one.
//!
//! Invariants kept here:
//! - A full house is answered, never queued without bound: over the cap a newcomer gets its refusal at once.
//! - Running out of descriptors costs a delay, never a spinning loop.
//! - A drain stops accepting first, lets sessions end, and cuts what is left at its deadline.
//! - An essential task that dies takes the process with it, with a name in the log and a non-zero exit.

#![forbid(unsafe_code)]

pub mod accept;
pub mod arguments;
pub mod clock;
pub mod control;
pub mod dns;
pub mod doors;
pub mod drain;
pub mod http;
pub mod log;
pub mod metrics;
pub mod process;
pub mod program;
pub mod progress;
pub mod readiness;
pub mod reload;
pub mod service;
pub mod session;
pub mod signal;
pub mod sockets;
pub mod supervise;
