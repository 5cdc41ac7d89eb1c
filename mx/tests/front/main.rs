//! The front as a whole, on loopback: a client in front of it, routers of our own making behind it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod access;
mod caps;
mod client;
mod handing_over;
mod life;
mod router;
mod site;
mod tls;
mod who;
