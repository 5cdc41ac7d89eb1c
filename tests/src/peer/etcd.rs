//! etcd: three members on loopback that choose a leader among them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::certificates::Certificates;
use super::process::{Group, Process};
use super::{free_address, require};
use crate::expect;

const PROGRAM: &str = "/usr/bin/etcd";
const MEMBERS: usize = 3;

/// A running etcd.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Member>,
    // The members end before their folder goes.
    folder: TempDir,
    /// Words for TLS that asks for a certificate; none for plain TCP.
    tls: Vec<OsString>,
}

#[derive(Debug)]
struct Member {
    clients: SocketAddr,
    /// Where we ask: without TLS in any case.
    own: SocketAddr,
    peers: SocketAddr,
    process: Option<Process>,
}

impl Etcd {
    /// Starts three members, and waits until they agree.
    ///
    /// # Panics
    /// When it is not installed, or does not come up.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Vec::new())
    }

    /// The same, for clients with a certificate by the authority only; `etcd` is that of the members.
    ///
    /// # Panics
    /// When it is not installed, or does not come up.
    #[must_use]
    pub fn start_secured(by: &Certificates) -> Self {
        by.add("etcd", "IP:127.0.0.1");
        let mut words: Vec<OsString> = vec!["--client-cert-auth".into()];
        let files = [
            ("--cert-file", by.certificate("etcd")),
            ("--key-file", by.key("etcd")),
            ("--trusted-ca-file", by.certificate("authority")),
        ];
        for (word, file) in files {
            words.extend([word.into(), file.into()]);
        }
        Self::start_with(words)
    }

    fn start_with(tls: Vec<OsString>) -> Self {
        require(PROGRAM);
        let member =
            |_| Member { clients: free_address(), own: free_address(), peers: free_address(), process: None };
        let members = (0..MEMBERS).map(member).collect();
        let mut etcd = Self { members, folder: TempDir::new().expect("a folder"), tls };
        (0..MEMBERS).for_each(|place| etcd.start_member(place));
        expect::holds("the members of etcd to agree", || etcd.leader().is_some());
        etcd
    }

    /// Where each member is asked.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.clients).collect()
    }

    /// Kills the member that leads, without a word.
    ///
    /// # Panics
    /// When nobody leads.
    pub fn kill_leader(&mut self) {
        let leader = expect::until("a leader", || self.leader());
        let process = self.members.get_mut(leader).and_then(|member| member.process.take());
        process.expect("it runs").kill();
    }

    /// Which member leads, if one says that it does.
    fn leader(&self) -> Option<usize> {
        self.members.iter().position(|member| member.process.is_some() && member.leads() == Some(true))
    }

    fn start_member(&mut self, place: usize) {
        let url = |address: SocketAddr| format!("http://{address}");
        let cluster: Vec<String> = self
            .members
            .iter()
            .enumerate()
            .map(|(n, member)| format!("m{n}={}", url(member.peers)))
            .collect();
        let scheme = if self.tls.is_empty() { "http" } else { "https" };
        let member = &mut self.members[place];
        let clients = format!("{scheme}://{}", member.clients);
        let log = File::create(self.folder.path().join(format!("m{place}.log"))).expect("a log");
        let mut command = Command::new(PROGRAM);
        command.args(["--name", &format!("m{place}")]);
        command.arg("--data-dir").arg(self.folder.path().join(format!("m{place}")));
        command.args(["--listen-client-urls", &format!("{clients},{}", url(member.own))]);
        command.args(["--advertise-client-urls", &clients]).args(&self.tls);
        command.args(["--listen-peer-urls", &url(member.peers)]);
        command.args(["--initial-advertise-peer-urls", &url(member.peers)]);
        command.args(["--initial-cluster", &cluster.join(",")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        member.process = Some(Process::start(&mut command, Group::Ours));
    }
}

impl Member {
    /// Whether it says that it is the leader; nothing when it does not know one, or does not answer.
    fn leads(&self) -> Option<bool> {
        let mut stream = TcpStream::connect(self.own).ok()?;
        stream.set_read_timeout(Some(expect::PATIENCE)).ok()?;
        let request = "POST /v3/maintenance/status HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let number = |name: &str| {
            let text = answer.split(&format!("\"{name}\":\"")).nth(1)?;
            text.split('"').next()?.parse::<u64>().ok()
        };
        Some(number("leader")? == number("member_id")?)
    }
}
