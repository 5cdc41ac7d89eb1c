//! swaks: the postmaster's own client, called as a postmaster calls it.

use std::net::SocketAddr;
use std::process::Command;

use super::require;

const PROGRAM: &str = "/usr/bin/swaks";

/// A finished call.
#[derive(Debug)]
pub struct Outcome {
    /// Whether swaks found all well.
    pub well: bool,
    /// The whole dialogue, and behind it why there was none.
    pub transcript: String,
}

/// Sends one message, with more of its options (`--tls`, `--body`, `--from`).
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn swaks(server: SocketAddr, to: &str, options: &[&str]) -> Outcome {
    require(PROGRAM);
    let output = Command::new(PROGRAM)
        .args(["--server", &server.to_string(), "--to", to, "--timeout", "60"])
        .args(options)
        .output()
        .expect("swaks starts");
    let transcript = [output.stdout, output.stderr].concat();
    let transcript = String::from_utf8_lossy(&transcript).into_owned();
    Outcome { well: output.status.success(), transcript }
}
