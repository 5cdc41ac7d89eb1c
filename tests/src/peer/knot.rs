//! Knot DNS, authoritative for the root: it answers with the records that a scenario declares, and that every
//! other name does not exist.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::net::UdpSocket;

use super::process::{Group, Process};
use super::{free_address, require};
use crate::expect;

const PROGRAM: &str = "/usr/sbin/knotd";
/// Octets of one string of a TXT record (RFC 1035 §3.3.14).
const STRING: usize = 255;

/// A running name server.
#[derive(Debug)]
pub struct Knot {
    address: SocketAddr,
    // In this order: it ends before its folder goes.
    _process: Process,
    _folder: TempDir,
}

/// The records of a scenario, in a zone file's own words.
#[derive(Debug, Clone, Default)]
pub struct Records(String);

impl Records {
    /// One record: `record("example.org", "MX 10 mail.example.org.")`.
    #[must_use]
    pub fn record(mut self, name: &str, data: &str) -> Self {
        self.0.push_str(&format!("{name}. 0 IN {data}\n"));
        self
    }

    /// A text of any length.
    #[must_use]
    pub fn txt(self, name: &str, text: &str) -> Self {
        let strings: Vec<String> = text
            .as_bytes()
            .chunks(STRING)
            .map(|part| format!("\"{}\"", String::from_utf8_lossy(part).replace('"', "\\\"")))
            .collect();
        self.record(name, &format!("TXT {}", strings.join(" ")))
    }
}

impl Knot {
    /// Starts one with these records, and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed, or does not take the records.
    #[must_use]
    pub fn start(records: &Records) -> Self {
        require(PROGRAM);
        let folder = TempDir::with_prefix("switchyard-knot-").expect("a folder for Knot");
        let address = free_address();
        let put = |name: &str, text: &str| {
            let mut file = File::create(folder.path().join(name)).expect("a file for Knot");
            file.write_all(text.as_bytes()).expect("room for Knot's files");
        };
        // SOA first: the zone needs one, and its last number is how long a "no" is remembered.
        let head = ". 0 IN SOA ns.invalid. nobody.invalid. 1 3600 600 86400 0\n. 0 IN NS ns.invalid.\n";
        put("root.zone", &format!("{head}ns.invalid. 0 IN A 127.0.0.1\n{}", records.0));
        put("knot.conf", &conf(folder.path(), address));
        let log = File::create(folder.path().join("log")).expect("a log for Knot");
        let mut command = Command::new(PROGRAM);
        command.arg("-c").arg(folder.path().join("knot.conf"));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("one more descriptor")).stderr(log);
        let mut process = Process::start(&mut command, Group::Ours);
        expect::holds("Knot to answer", || {
            let said = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(process.runs(), "Knot ended:\n{said}");
            answers(address)
        });
        Self { address, _process: process, _folder: folder }
    }

    /// Where it is asked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn conf(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "server:\n    listen: {}@{}\n    rundir: {folder}\n    pidfile: {folder}/pid\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n    storage: {folder}\n\
         zone:\n  - domain: .\n    file: {folder}/root.zone\n    journal-content: none\n    zonefile-sync: -1\n",
        address.ip(),
        address.port()
    )
}

/// Whether it knows the root's SOA record.
fn answers(address: SocketAddr) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a run time");
    let asked = async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
        // RFC 1035 §4.1: one question, for SOA (6) of the root in class IN (1).
        let question = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01";
        socket.send_to(question, address).await.ok()?;
        let mut answer = [0; 512];
        let waiting = tokio::time::timeout(std::time::Duration::from_secs(1), socket.recv(&mut answer));
        let octets = waiting.await.ok()?.ok()?;
        // An answer, without an error, with a record.
        (octets > 12 && answer[2] & 0x80 != 0 && answer[3] & 0x0f == 0 && answer[7] > 0).then_some(())
    };
    runtime.block_on(asked).is_some()
}
