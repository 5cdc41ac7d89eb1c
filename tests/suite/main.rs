//! The suite's scenarios, in one binary.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // A scenario says its figures: they are what a run is read for.

mod behave;
mod change;
mod crash;
mod filter;
mod load;
mod map;
mod mapsync;
mod message;
mod milter;
mod peers;
mod queue;
mod site;
mod tls;
