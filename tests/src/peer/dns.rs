//! dnsmasq with the records that a scenario declares, and no others: every other name does not exist.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use super::process::{Group, Process};
use super::{free_address, require};
use crate::expect;
use crate::network::Host;

const PROGRAM: &str = "/usr/sbin/dnsmasq";

/// A running name server.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    _process: Process,
}

/// The records of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    options: Vec<String>,
}

impl Zone {
    /// `domain MX preference host`.
    #[must_use]
    pub fn mx(mut self, domain: &str, preference: u16, host: &str) -> Self {
        self.options.push(format!("--mx-host={domain},{host},{preference}"));
        self
    }

    /// `domain MX 0 .`: it takes no mail (RFC 7505 §3).
    #[must_use]
    pub fn null_mx(mut self, domain: &str) -> Self {
        // Type 15: two bytes of preference, then the root.
        self.options.push(format!("--dns-rr={domain},15,000000"));
        self
    }

    /// `host A address` or `host AAAA address`.
    #[must_use]
    pub fn host(mut self, name: &str, address: IpAddr) -> Self {
        self.options.push(format!("--host-record={name},{address}"));
        self
    }

    /// `name TXT text`, of one string.
    #[must_use]
    pub fn txt(mut self, name: &str, text: &str) -> Self {
        self.options.push(format!("--txt-record={name},{text}"));
        self
    }

    /// `alias CNAME host`; the host must be declared as well.
    #[must_use]
    pub fn cname(mut self, alias: &str, host: &str) -> Self {
        self.options.push(format!("--cname={alias},{host}"));
        self
    }

    /// A domain whose name server does not answer: SERVFAIL or silence.
    #[must_use]
    pub fn unreachable(mut self, domain: &str) -> Self {
        // Asked on a port where nobody listens.
        self.options.push(format!("--server=/{domain}/127.0.0.1#{}", free_address().port()));
        self
    }
}

impl Dns {
    /// Starts one.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn start(zone: &Zone) -> Self {
        let address = free_address();
        let mut command = Command::new(PROGRAM);
        command.args(["--bind-interfaces", "--listen-address=127.0.0.1"]);
        let mut process = serve(&mut command, address.port(), zone);
        // It answers over TCP as well, on the same port, from the moment it listens at all.
        expect::holds("a name server", || {
            assert!(process.runs(), "dnsmasq ended: are its records well formed? {:?}", zone.options);
            std::net::TcpStream::connect(address).is_ok()
        });
        Self { address, _process: process }
    }

    /// Starts one on a host, at port 53 of all its addresses.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn start_on(host: &Host, zone: &Zone) -> Self {
        let process = serve(&mut host.command(PROGRAM), 53, zone);
        host.await_listener(53);
        Self { address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53)), _process: process }
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(command: &mut Command, port: u16, zone: &Zone) -> Process {
    require(PROGRAM);
    command
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"])
        .args(["--no-hosts", "--no-resolv", "--no-dhcp-interface=lo"])
        .args(["--local=/#/", "--local-ttl=1", "--log-facility=-"])
        .arg(format!("--port={port}"))
        .args(&zone.options);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process::start(command, Group::Ours)
}
