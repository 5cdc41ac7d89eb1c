//! A delivery status notification as somebody else's software reads it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::require;

/// Reads one with Python's email package; what it finds is in `report.py`.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn read(content: &[u8]) -> Value {
    require("/usr/bin/python3");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-c", include_str!("report.py")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    input.write_all(content).expect("python reads the report");
    drop(input);
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "no report: {}", String::from_utf8_lossy(content));
    serde_json::from_slice(&output.stdout).expect("what it found, as JSON")
}
