//! Real mail software as the other end: every program in a folder of its own, on loopback ports of its own,
//! ended when its handle is dropped. `cargo xtask peers` installs them.
//!
//! | as the client | as the server |
//! |---|---|
//! | [`source::Source`]: Postfix's load generator | [`sink::Sink`]: Postfix's counter of messages |
//! | [`postfix::Postfix`] with a relay host | [`postfix::Postfix`] with a Maildir |
//! | [`python::Smtplib`] | [`python::Aiosmtpd`], SMTP or LMTP, keeps every byte |
//! | [`swaks::swaks`] | [`dns::Dns`]: dnsmasq with the records a scenario declares |
//!
//! [`postmap::Postmap`] asks Postfix's tables, [`rewrite::Rewrite`] asks Postfix where an address goes, and
//! [`lookup::Lookup`] serves a table in the network. [`knot::Knot`] is a DNS of TXT records and all others, and
//! [`mta::Mta`] tells a filter of messages, as [`sendmail::Sendmail`] does in earnest; [`milter`] are the filters that
//! the world runs.
//! [`between::Between`] stands before a hub and spoils what passes.
//! [`tls`] asks a server what it would agree to: sslscan and `openssl s_client`.

pub mod between;
pub mod browser;
pub mod certificates;
pub mod cgroup;
pub mod dns;
pub mod etcd;
pub mod knot;
pub mod lookup;
pub mod milter;
pub mod mta;
pub mod postfix;
pub mod postmap;
pub mod process;
pub mod python;
pub mod report;
pub mod rewrite;
pub mod sendmail;
pub mod sink;
pub mod source;
pub mod swaks;
pub mod tls;

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::expect;

/// A loopback address that nobody listens on at the moment.
///
/// # Panics
/// When the machine has no port left.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on the loopback");
    listener.local_addr().expect("a bound socket has an address")
}

/// Waits until a mail server greets at this address.
pub fn await_greeting(address: SocketAddr) {
    expect::holds(&format!("a greeting at {address}"), || greets(address));
}

/// Whether a mail server is there and says 220.
#[must_use]
pub fn greets(address: SocketAddr) -> bool {
    let limit = Duration::from_secs(10);
    let read = || {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        io::Result::Ok(line)
    };
    read().is_ok_and(|line| line.starts_with("220"))
}

/// Fails early and plainly when a peer is not installed.
pub fn require(program: &str) {
    assert!(Path::new(program).exists(), "{program} is not installed: run `cargo xtask peers`");
}

/// `[127.0.0.1]:2525`, the way Postfix and our own maps write a next hop.
#[must_use]
pub fn nexthop(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}
