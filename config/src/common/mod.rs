//! What mx and router set alike: who this host is, where it listens and logs, its certificates, its maps,
//! and the bounds of its sessions.

mod control;
mod hold;
mod limits;
mod listen;
mod maps;
mod table_servers;
mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use switchyard_daemon::log::{LogFormat, LogOptions};
use switchyard_daemon::sockets::ListenOn;
use switchyard_smtp::address::Domain;

pub use limits::Limits;
pub use listen::Listener;
pub use tls::{Certificate, ClientTls, TlsLevel};

pub(crate) use control::control;
pub(crate) use hold::Hold;
pub(crate) use listen::listeners;
pub(crate) use maps::{MapKeys, map_options};
pub(crate) use tls::{client_tls, pair};

use crate::reader::Section;
use crate::words::Choice;

/// What every daemon of the suite sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// The host's name: in the greeting, in HELO, in Received.
    pub host_name: Domain,
    /// Where SMTP is listened for; at least one.
    pub listen: Vec<Listener>,
    /// Where metrics and health are asked for.
    pub metrics: ListenOn,
    /// Where the operator's tool asks; none for nowhere.
    pub control: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogOptions,
    /// Who is asked for names.
    pub dns: Dns,
    /// Our certificate; without it no STARTTLS is offered.
    pub tls: Option<Certificate>,
    /// Bounds of sessions and messages.
    pub limits: Limits,
}

/// Who is asked for names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// These resolvers; none stands for the system's.
    pub servers: Vec<SocketAddr>,
    /// For one question to one of them.
    pub timeout: Duration,
}

/// What differs between the daemons.
pub(crate) struct Defaults {
    /// The port of the metrics.
    pub(crate) metrics_port: u16,
    /// Octets of content in memory at once.
    pub(crate) content_memory: u64,
    /// Whether it meets the world: bounds by network, shorter patience under stress, balancers in between.
    pub(crate) edge: bool,
}

pub(crate) fn read(root: &mut Section<'_>, defaults: &Defaults) -> Common {
    Common {
        host_name: host_name(root),
        listen: root.section("listen", |section| listeners(section, "smtp", defaults.edge)),
        metrics: root.section("metrics", |section| metrics(section, defaults.metrics_port)),
        control: root.section("control", control),
        log: root.section("log", log),
        dns: root.section("dns", dns),
        tls: root.section("tls", tls::server_tls),
        limits: root.section("limits", |section| limits::limits(section, defaults)),
    }
}

// ---- what a daemon sets that is no SMTP server, too ----

pub(crate) fn host_name(root: &mut Section<'_>) -> Domain {
    root.live("host_name", "The host's full name: in the greeting, in HELO and in Received fields.")
        .required()
}

pub(crate) fn metrics(section: &mut Section<'_>, port: u16) -> ListenOn {
    section
        .restart("socket", "Where /metrics, /healthz and /readyz are served: an address or `systemd:NAME`.")
        .or(ListenOn::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
}

pub(crate) fn log(section: &mut Section<'_>) -> LogOptions {
    LogOptions {
        format: section
            .restart("format", "Form of a log line; auto is text on a terminal, else the journal, else JSON.")
            .or(LogFormat::Auto),
        filter: section
            .live("level", "Least level that is logged, by part if need be: info,switchyard_router=debug.")
            .or("info".to_owned()),
    }
}

pub(crate) fn dns(section: &mut Section<'_>) -> Dns {
    Dns {
        servers: section
            .live("servers", "Resolvers to ask; an empty list stands for the system's own.")
            .list(Vec::new()),
        timeout: section
            .live("timeout", "For one question to one resolver.")
            .at_least(Duration::from_millis(100))
            .at_most(Duration::from_secs(60))
            .or(Duration::from_secs(5)),
    }
}

impl Choice for LogFormat {
    const KIND: &'static str = "log format";
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("text", Self::Text), ("json", Self::Json), ("journald", Self::Journald)];
}
