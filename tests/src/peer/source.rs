//! smtp-source: many messages over many sessions.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::cgroup::Cgroup;
use super::process::{Group, Process, command};
use super::require;

const PROGRAM: &str = "/usr/sbin/smtp-source";

/// What to send.
#[derive(Debug, Clone)]
pub struct Source {
    /// How many messages in all.
    pub messages: u32,
    /// How many sessions at once.
    pub sessions: u32,
    /// Bytes of each message's body.
    pub length: u32,
    /// Whether a session is kept for the next message.
    pub connections: Connections,
    /// Envelope sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// More of its own options.
    pub options: Vec<String>,
}

/// How messages share connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// A new one for each message.
    New,
    /// Each session keeps its own.
    Kept,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            messages: 100,
            sessions: 20,
            length: 4096,
            connections: Connections::New,
            from: "source@client.example".into(),
            to: "alice@example.org".into(),
            options: Vec::new(),
        }
    }
}

impl Source {
    /// Sends everything to a server and waits until all is taken.
    ///
    /// # Panics
    /// When one message is not: smtp-source ends at the first answer it did not expect.
    pub fn send(&self, server: SocketAddr) {
        let output = self.command(server, None).output().expect("smtp-source starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "smtp-source: {}: {said}", output.status);
    }

    /// Starts sending, and leaves it to the caller to wait.
    #[must_use]
    pub fn start(&self, server: SocketAddr, cgroup: Option<&Cgroup>) -> Process {
        Process::start(&mut self.command(server, cgroup), Group::Ours)
    }

    fn command(&self, server: SocketAddr, cgroup: Option<&Cgroup>) -> Command {
        require(PROGRAM);
        let mut command = command(PROGRAM, cgroup);
        for (flag, number) in [("-m", self.messages), ("-s", self.sessions), ("-l", self.length)] {
            command.arg(flag).arg(number.to_string());
        }
        if self.connections == Connections::Kept {
            command.arg("-d");
        }
        command.args(["-f", &self.from, "-t", &self.to]).args(&self.options).arg(server.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}
