//! The words and the wire of SMTP: the server's side and the client's side as a pair.
//!
//! Read in this order: [`address`] and [`envelope`] (what travels), [`reply`] (every answer we ever give),
//! [`server`] (bytes in, questions out) and [`client`] (its mirror), then [`io`], the only place with a
//! socket or a clock: [`io::serve`] drives a server session and [`io::dial`] a client's dialogue.
//!
//! Invariants kept here:
//! - End of data is exactly CR LF `.` CR LF (RFC 5321 §4.1.1.4), for every client, with no exemption.
//! - A 250 after the content needs a proof that somebody took the mail: [`server::Took`].
//! - A STARTTLS upgrade needs a [`server::Drained`] proof: no byte is left over from before it (RFC 3207 §4.2).
//! - Content travels in its dot-stuffed wire form, untouched save for fields added on top.

#![forbid(unsafe_code)]

pub mod address;
pub mod client;
pub mod envelope;
pub mod extension;
pub mod io;
pub mod priority;
pub mod reply;
pub mod server;
pub mod status;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod wire;
