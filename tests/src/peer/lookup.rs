//! A table that is asked over the network, served by Python: Postfix and we ask the same one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use super::process::{Group, Process};
use super::require;

const PYTHON: &str = "/usr/bin/python3";
const SERVER: &str = include_str!("lookup.py");

/// A running server. A key that begins with `away` has no answer for now.
#[derive(Debug)]
pub struct Lookup {
    address: SocketAddr,
    protocol: Protocol,
    _process: Process,
}

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// socketmap_table(5): netstrings.
    Socketmap,
    /// tcp_table(5): lines.
    Tcp,
}

impl Lookup {
    /// Serves a table.
    ///
    /// # Panics
    /// When Python is not installed.
    #[must_use]
    pub fn start(protocol: Protocol, table: &BTreeMap<String, String>) -> Self {
        require(PYTHON);
        let name = match protocol {
            Protocol::Socketmap => "socketmap",
            Protocol::Tcp => "tcp",
        };
        let mut command = Command::new(PYTHON);
        command.args(["-I", "-c", SERVER, name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, Group::Ours);
        let mut stdin = process.child().stdin.take().expect("its input is a pipe");
        stdin.write_all(&serde_json::to_vec(table).expect("a table as JSON")).expect("a server that reads");
        drop(stdin);
        let mut line = String::new();
        let stdout = process.child().stdout.take().expect("its output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a port");
        let port = line.trim().parse().expect("the server says its port");
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), protocol, _process: process }
    }

    /// The table's name: `socketmap:inet:127.0.0.1:4000:table`.
    #[must_use]
    pub fn word(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        match self.protocol {
            Protocol::Socketmap => format!("socketmap:inet:{ip}:{port}:table"),
            Protocol::Tcp => format!("tcp:{ip}:{port}"),
        }
    }
}
