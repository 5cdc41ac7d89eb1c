//! The settings of switchyard-milter.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::sockets::ListenOn;
use switchyard_maps::options::MapOptions;
use switchyard_smtp::address::Domain;

use crate::common::{self, Dns, Hold, MapKeys, map_options};
use crate::document::Node;
use crate::reader::Section;
use crate::settings::Settings;
use crate::words::{Choice, Size, Word, quoted, text};

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
    /// Bounds of sessions and messages.
    pub limits: FilterLimits,
}

/// Whose mail is signed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// Clients whose mail is ours, and so signed and not verified.
    pub networks: Vec<IpNet>,
    /// Whether a client that has authenticated is one of them.
    pub authenticated: bool,
    /// The folder in which key files stand.
    pub keys: PathBuf,
    /// Fields that are signed where they are there.
    pub headers: Vec<String>,
    /// Fields that are signed once more than they are there, so that none can be added.
    pub oversign: Vec<String>,
    /// How long a signature is good for; zero for ever.
    pub expires_after: Duration,
    /// How often the DNS is asked again whether it shows the public halves.
    pub recheck: Duration,
    /// What becomes of mail whose domain has keys of which none may sign.
    pub without_key: WithoutKey,
}

/// What becomes of mail that should be signed and cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutKey {
    /// It goes on without a signature.
    Accept,
    /// Its client comes again.
    Tempfail,
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
            sign: root.section("sign", sign),
            verify: root.section("verify", verify),
            limits: root.section("limits", limits),
        }
    }

    fn hold(&self, now: &mut Self) -> Vec<String> {
        let mut hold = Hold::default();
        hold.keep("listen.milter", &self.listen, &mut now.listen);
        hold.keep("metrics.socket", &self.metrics, &mut now.metrics);
        hold.keep("log.format", &self.log.format, &mut now.log.format);
        hold.keep("limits.sessions", &self.limits.sessions, &mut now.limits.sessions);
        hold.names()
    }
}

fn listeners(section: &mut Section<'_>) -> Vec<FilterSocket> {
    let mut taken: Vec<FilterSocket> = Vec::new();
    section.each("milter", |section| {
        let socket: FilterSocket = section
            .restart(
                "socket",
                "An address with port, unix:/path, or `systemd:NAME` for a socket that systemd holds.",
            )
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

fn sign(section: &mut Section<'_>) -> Sign {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let loopback = || ["127.0.0.0/8", "::1/128"].iter().filter_map(|net| net.parse().ok()).collect();
    Sign {
        networks: section
            .live("networks", "Networks whose mail is ours: it is signed, and not verified.")
            .list(loopback()),
        authenticated: section
            .live("authenticated", "Mail of clients that have authenticated is ours, too.")
            .or(true),
        keys: section
            .live("keys", "Folder of the key files; a map may also give whole paths.")
            .or(PathBuf::from("/etc/switchyard/keys")),
        headers: header_names(
            section,
            "headers",
            "Fields that are signed where they are there.",
            names(HEADERS),
        ),
        oversign: header_names(
            section,
            "oversign",
            "Fields that are signed once more than they are there, so that nobody can add one.",
            names(OVERSIGNED),
        ),
        expires_after: section
            .live("expires_after", "How long a signature is good for; 0s is for ever.")
            .at_most(Duration::from_secs(365 * 24 * 3600))
            .or(Duration::ZERO),
        recheck: section
            .live("recheck", "How often the DNS is asked again whether it shows the keys' public halves.")
            .at_least(Duration::from_secs(1))
            .at_most(Duration::from_secs(24 * 3600))
            .or(Duration::from_secs(600)),
        without_key: section
            .live("without_key", "What becomes of mail whose domain has keys of which none may sign now.")
            .or(WithoutKey::Accept),
    }
}

fn header_names(
    section: &mut Section<'_>,
    name: &'static str,
    doc: &'static str,
    usual: Vec<String>,
) -> Vec<String> {
    let names = section.live(name, doc).list(usual);
    // RFC 5322 §3.6.8: printable ASCII without the colon.
    let fits = |name: &String| {
        !name.is_empty()
            && name.len() <= 76
            && name.bytes().all(|octet| octet.is_ascii_graphic() && !b":;".contains(&octet))
    };
    if let Some(bad) = names.iter().find(|name| !fits(name)) {
        section.fault(&[name], format!("`{bad}` is no name of a header field"));
    }
    if names.len() > MAX_NAMES {
        section.fault(&[name], format!("more than {MAX_NAMES} names"));
    }
    names
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
            .restart("sessions", "Connections of MTAs at once; the next waits.")
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

/// Names in one list: each takes two places of those that a signature may name.
const MAX_NAMES: usize = 30;

/// RFC 6376 §5.4.1, and what lists add (RFC 2369, RFC 8058).
const HEADERS: &[&str] = &[
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Date",
    "Resent-Message-ID",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// What must not be added behind our back: who writes, to whom, about what, and how it is shown.
const OVERSIGNED: &[&str] = &[
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

impl Choice for WithoutKey {
    const KIND: &'static str = "way with unsigned mail";
    const NAMES: &'static [(&'static str, Self)] = &[("accept", Self::Accept), ("tempfail", Self::Tempfail)];
}

impl Choice for DmarcAction {
    const KIND: &'static str = "way with DMARC policies";
    const NAMES: &'static [(&'static str, Self)] =
        &[("tell", Self::Tell), ("quarantine", Self::Quarantine), ("obey", Self::Obey)];
}

// ---------------------------------------------------------------------------------------------------------

/// Where MTAs find the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterSocket {
    /// `unix:/run/switchyard-milter/milter.sock`, bound by the daemon.
    Unix(PathBuf),
    /// An address, or a socket that systemd holds, be it TCP or unix.
    Stream(ListenOn),
}

impl fmt::Display for FilterSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Stream(on) => on.fmt(formatter),
        }
    }
}

impl Word for FilterSocket {
    const KIND: &'static str = "socket";

    fn read(node: &Node) -> Result<Self, String> {
        match text(node)?.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => {
                Err("a unix socket's path begins with /: unix:/run/switchyard-milter/milter.sock".into())
            }
            None => ListenOn::read(node).map(Self::Stream),
        }
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::Stream(ListenOn::blank())
    }
}
