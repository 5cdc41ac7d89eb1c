//! `[sign]`: whose mail is signed, and how.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::reader::Section;
use crate::words::Choice;

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

pub(super) fn sign(section: &mut Section<'_>) -> Sign {
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
