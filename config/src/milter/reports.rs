//! `[reports]`: aggregate reports to the domains whose mail was seen (RFC 9990).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use switchyard_smtp::address::Mailbox;

use crate::reader::Section;
use crate::words::Size;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Who is told of what was seen, and how. None of it without the section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reports {
    /// Where what they will tell is kept.
    pub folder: PathBuf,
    /// Octets that it may hold.
    pub store_size: u64,
    /// What one report covers.
    pub interval: Duration,
    /// Who writes them, in words; the host's name without it.
    pub organization: Option<String>,
    /// Their author and sender.
    pub from: Mailbox,
    /// The MTA that takes them.
    pub relay: SocketAddr,
}

pub(super) fn reports(section: &mut Section<'_>) -> Reports {
    let organization: Option<String> = section
        .restart("organization", "Who writes reports, in words; the host's name without it.")
        .optional();
    if organization.as_ref().is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
        section.fault(&["organization"], "a name of one line is needed");
    }
    let interval = section
        .restart(
            "interval",
            "What one report covers: a day, or a part of it that it divides into, from midnight (UTC).",
        )
        .at_least(Duration::from_secs(3600))
        .at_most(DAY)
        .or(DAY);
    if !DAY.as_secs().is_multiple_of(interval.as_secs().max(1)) {
        section.fault(&["interval"], "a day has no whole number of them: 24h, 12h, 8h, 6h, 4h, 3h, 2h or 1h");
    }
    Reports {
        folder: section
            .restart("folder", "Where what reports will tell is kept until they are sent.")
            .or(PathBuf::from("/var/lib/switchyard-milter")),
        store_size: section
            .restart("store_size", "What may be kept there; what finds no room is not told, and counted.")
            .at_least(Size(1 << 20))
            .or(Size(256 << 20))
            .0,
        interval,
        organization,
        from: section
            .restart("from", "Author and sender of reports: an address whose mail is signed.")
            .required(),
        relay: section.restart("relay", "The MTA that takes reports and delivers them.").required(),
    }
}
