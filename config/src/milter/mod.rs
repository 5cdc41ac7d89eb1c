//! The settings of switchyard-milter.

mod reports;
mod sign;
mod socket;

use std::path::PathBuf;
use std::time::Duration;

use switchyard_daemon::log::LogOptions;
use switchyard_daemon::sockets::ListenOn;
use switchyard_maps::options::MapOptions;
use switchyard_smtp::address::Domain;

use crate::common::{self, Dns, Hold, MapKeys, map_options};
use crate::reader::Section;
use crate::settings::Settings;
use crate::words::{Choice, Size};

pub use self::reports::Reports;
pub use self::sign::{Sign, WithoutKey};
pub use self::socket::FilterSocket;

/// What a filter is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MilterSettings {
    /// The host's name: the name of our verdicts, unless they have one of their own.
    pub host_name: Domain,
    /// Where MTAs connect; at least one.
    pub listen: Vec<FilterSocket>,
    /// Where metrics and health are asked for.
    pub metrics: ListenOn,
    /// Where the operator's tool asks; none for nowhere.
    pub control: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogOptions,
    /// Who is asked for names.
    pub dns: Dns,
    /// The maps: keys of domains, and copies.
    pub maps: MapOptions,
    /// Whose mail is signed, and how.
    pub sign: Sign,
    /// What is verified of other mail, and what comes of it.
    pub verify: Verify,
    /// Who is told of what was seen; none for nobody.
    pub reports: Option<Reports>,
    /// Bounds of sessions and messages.
    pub limits: FilterLimits,
}

/// What is verified, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// Whose verdicts ours are (RFC 8601 §2.5).
    pub authserv_id: Option<Domain>,
    /// What DMARC's policies lead to.
    pub dmarc: DmarcAction,
    /// For all that the DNS is asked about one message.
    pub timeout: Duration,
    /// The domain whose keys seal what was verified (RFC 8617); none seals nothing.
    pub seal: Option<Domain>,
}

/// How much of a domain's DMARC policy is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DmarcAction {
    /// It is told, and nothing else.
    Tell,
    /// What it would have quarantined or rejected is quarantined.
    Quarantine,
    /// What it asks for.
    Obey,
}

/// Bounds of the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterLimits {
    /// Connections of MTAs at once.
    pub sessions: usize,
    /// Octets of a message.
    pub message_size: u64,
    /// Octets of a message's header.
    pub header_size: usize,
    /// Octets of messages in memory at once.
    pub content_memory: u64,
    /// How long an MTA may say nothing.
    pub idle: Duration,
    /// For running messages to end when the daemon stops.
    pub drain_deadline: Duration,
}

impl Settings for MilterSettings {
    const DAEMON: &'static str = "milter";

    fn read(root: &mut Section<'_>) -> Self {
        Self {
            host_name: common::host_name(root),
            listen: root.section("listen", listeners),
            metrics: root.section("metrics", |section| common::metrics(section, 9127)),
            control: root.section("control", common::control),
            log: root.section("log", common::log),
            dns: root.section("dns", common::dns),
            maps: root.section("maps", |section| map_options(section, &MapKeys::Filter)),
            sign: root.section("sign", sign::sign),
            verify: root.section("verify", verify),
            reports: root.section_if("reports", reports::reports),
            limits: root.section("limits", limits),
        }
    }

    fn hold(&self, now: &mut Self) -> Vec<String> {
        let mut hold = Hold::default();
        hold.keep("metrics.socket", &self.metrics, &mut now.metrics);
        hold.keep("log.format", &self.log.format, &mut now.log.format);
        hold.keep("reports", &self.reports, &mut now.reports);
        hold.keep_inherited("listen.milter", &self.listen, &mut now.listen, systemd, Clone::clone);
        hold.names()
    }
}

fn listeners(section: &mut Section<'_>) -> Vec<FilterSocket> {
    let mut taken: Vec<FilterSocket> = Vec::new();
    section.each("milter", |section| {
        let socket: FilterSocket = section
            .live(
                "socket",
                "An address with port, unix:/path, or `systemd:NAME` for a socket that systemd holds.",
            )
            .restart_where(|socket| systemd(socket).is_some())
            .required();
        if taken.contains(&socket) {
            section.fault(&["socket"], format!("`{socket}` is listened on twice"));
        }
        taken.push(socket);
    });
    if !section.has("milter") || section.is_empty_list("milter") {
        section.fault(&["milter"], "no socket to listen on: [[listen.milter]] with `socket` is needed");
    }
    taken
}

/// Systemd's name of a socket, if systemd holds it.
fn systemd(socket: &FilterSocket) -> Option<&str> {
    match socket {
        FilterSocket::Stream(ListenOn::Systemd(name)) => Some(name),
        FilterSocket::Stream(ListenOn::Address(_)) | FilterSocket::Unix(_) => None,
    }
}

fn verify(section: &mut Section<'_>) -> Verify {
    Verify {
        authserv_id: section
            .live(
                "authserv_id",
                "Whose verdicts ours are, in Authentication-Results; the host's name without it.",
            )
            .optional(),
        dmarc: section
            .live(
                "dmarc",
                "What a domain's DMARC policy leads to: told only, quarantine at most, or as it asks.",
            )
            .or(DmarcAction::Tell),
        timeout: section
            .live("timeout", "For all that the DNS is asked about one message.")
            .at_least(Duration::from_millis(100))
            .at_most(Duration::from_secs(240))
            .or(Duration::from_secs(20)),
        seal: section
            .live("seal", "Domain whose keys, by the map `signing_keys`, seal what was verified (ARC).")
            .optional(),
    }
}

fn limits(section: &mut Section<'_>) -> FilterLimits {
    FilterLimits {
        sessions: section
            .live("sessions", "Connections of MTAs at once; the next waits.")
            .at_least(1_usize)
            .at_most(100_000_usize)
            .or(1_000),
        message_size: section
            .live(
                "message_size",
                "Size of a message; a larger one goes on as it is, neither signed nor verified.",
            )
            .at_least(Size(64 << 10))
            .or(Size(50 << 20))
            .0,
        header_size: section
            .live("header_size", "A message's header as a whole; with more, a message counts as too large.")
            .at_least(Size(4096))
            .or(Size(256 << 10))
            .octets(),
        content_memory: section
            .live("content_memory", "Messages in memory at once; over it, clients come again.")
            .at_least(Size(1 << 20))
            .or(Size(256 << 20))
            .0,
        idle: section
            .live("idle", "How long an MTA may say nothing before its connection is closed.")
            .at_least(Duration::from_secs(10))
            .or(Duration::from_secs(2 * 3600)),
        drain_deadline: section
            .live("drain_deadline", "For running messages to end when the daemon stops.")
            .at_most(Duration::from_secs(3600))
            .or(Duration::from_secs(30)),
    }
}

impl Choice for DmarcAction {
    const KIND: &'static str = "way with DMARC policies";
    const NAMES: &'static [(&'static str, Self)] =
        &[("tell", Self::Tell), ("quarantine", Self::Quarantine), ("obey", Self::Obey)];
}
