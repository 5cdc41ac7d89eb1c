//! What a server agrees to, asked by others than ourselves: sslscan and `openssl s_client`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::require;

/// Everything sslscan finds, behind STARTTLS.
///
/// # Panics
/// When it is not installed, or cannot complete.
#[must_use]
pub fn sslscan(server: SocketAddr) -> String {
    require("/usr/bin/sslscan");
    let output = Command::new("/usr/bin/sslscan")
        .args(["--starttls-smtp", "--no-colour", "--show-certificate", &server.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("sslscan starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "sslscan: {}\n{text}", output.status);
    text
}

/// The versions a server said yes to, from what sslscan found: `TLSv1.2`, `TLSv1.3`.
#[must_use]
pub fn enabled_versions(scan: &str) -> Vec<&str> {
    let lines = scan.lines().map(str::trim_end);
    lines
        .filter_map(|line| line.strip_suffix("enabled"))
        .map(str::trim)
        .filter(|name| !name.contains(' '))
        .collect()
}

/// One handshake behind STARTTLS, with more of openssl's options (`-tls1_3`, `-CAfile`, `-verify_return_error`).
/// Hands over whether it came about, and what was said.
///
/// # Panics
/// When openssl is not installed.
#[must_use]
pub fn s_client(server: SocketAddr, options: &[&str]) -> (bool, String) {
    require("/usr/bin/openssl");
    let output = Command::new("/usr/bin/openssl")
        .args(["s_client", "-starttls", "smtp", "-brief", "-connect", &server.to_string()])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("openssl starts");
    let said = [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
    (output.status.success(), said.concat())
}

/// What a mail client must not do with TLS, by the names in `starttls.py`; hands over what it found.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn scene(name: &str, servers: &[SocketAddr]) -> Value {
    require("/usr/bin/python3");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-c", include_str!("starttls.py"), name]);
    for server in servers {
        command.arg(server.ip().to_string()).arg(server.port().to_string());
    }
    let output = command.stdin(Stdio::null()).output().expect("python starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    serde_json::from_slice(&output.stdout).expect("what it found, as JSON")
}
