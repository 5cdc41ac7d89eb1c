//! `[milters.NAME]`: the mail filters that a daemon asks, and which of them it asks about mail that comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use switchyard_milter_mta::Asked;
use switchyard_milter_mta::options::{MilterOptions, Place, Times, WhenDown};

use crate::check::hint;
use crate::common::Common;
use crate::document::Node;
use crate::reader::Section;
use crate::words::{Choice, Size, Word, quoted, text};

/// Reads the filters, and `accept.milters`, which names some of them.
pub(crate) fn asked(root: &mut Section<'_>, common: &Common) -> Asked {
    let mut filters = root.named("milters", milter);
    for (name, filter) in &mut filters {
        filter.name.clone_from(name);
    }
    let order = root.section("accept", |section| usual(section, &filters));
    Asked { host: common.host_name.to_string(), filters: filters.into_values().collect(), order }
}

/// The names that an access table may choose among.
pub(crate) fn names(asked: &Asked) -> BTreeSet<String> {
    asked.filters.iter().map(|filter| filter.name.clone()).collect()
}

fn usual(section: &mut Section<'_>, filters: &BTreeMap<String, MilterOptions>) -> Vec<String> {
    let names: Vec<String> = section
        .live(
            "milters",
            "Mail filters asked about mail that comes in, in this order: names of [milters.NAME]. For a client, `maps.client_access` may choose others.",
        )
        .list(Vec::new());
    let mut chosen: Vec<String> = Vec::new();
    for name in names {
        match filters.get(&name) {
            Some(_) if chosen.contains(&name) => {
                section.fault(&["milters"], format!("the filter `{name}` is asked twice"));
            }
            Some(_) => chosen.push(name),
            None => {
                let hint = hint(&name, filters.keys().map(String::as_str));
                section.fault(&["milters"], format!("unknown filter `{name}`{hint}"));
            }
        }
    }
    chosen
}

/// One filter; its name is the table's.
fn milter(section: &mut Section<'_>) -> MilterOptions {
    let places: Vec<Place> = section
        .live(
            "places",
            "Where it is; the next one is tried when one fails, with all that the first was told.",
        )
        .some();
    let authorities =
        section.live("ca", "PEM file: authorities to trust at `tls:` places, which need it.").optional();
    if authorities.is_none()
        && places.iter().any(|place| matches!(place, Place::Tls(_)))
        && !section.has("ca")
    {
        section.fault(&["places"], "a `tls:` place needs `ca`: a PEM file with the authorities to trust");
    }
    let certificate =
        section.live("certificate", "PEM file: our certificate at `tls:` places, for mutual TLS.").optional();
    let key = section.live("key", "PEM file: that certificate's key.").optional();
    crate::common::pair(section, certificate.is_some(), key.is_some());
    MilterOptions {
        name: String::new(),
        places,
        authorities,
        identity: certificate.zip(key),
        times: times(section),
        when_down: section
            .live("when_down", "What becomes of mail while the filter is nowhere to be had.")
            .or(WhenDown::Tempfail),
        kept: section
            .live(
                "connections_kept",
                "Connections kept for the next client; 0 for filters that do not bear it.",
            )
            .at_most(1000_usize)
            .or(20),
        connections: section
            .live(
                "connections",
                "Connections at once, over all places. One between two messages gives way to a client that waits.",
            )
            .at_least(1_usize)
            .at_most(100_000_usize)
            .or(1000),
        waiting: section
            .live(
                "connections_waiting",
                "Clients that wait for a connection, each for `connect_timeout`; one more has what `when_down` says.",
            )
            .at_most(100_000_usize)
            .or(1000),
        edited_octets: section
            .live("edits_size", "All that it may change in one message, a new body among it.")
            .at_least(Size(64 << 10))
            .at_most(Size(1 << 30))
            .or(Size(64 << 20))
            .octets(),
        shadow: section
            .live(
                "shadow",
                "It only watches: it is shown each message, and what it says is compared and counted, never done.",
            )
            .or(false),
    }
}

fn times(section: &mut Section<'_>) -> Times {
    let usual = Times::default();
    let least = Duration::from_millis(100);
    let mut time = |name, doc, usual| section.live(name, doc).at_least(least).or(usual);
    Times {
        connect: time(
            "connect_timeout",
            "For a connection to stand and its options to be settled.",
            usual.connect,
        ),
        envelope: time("envelope_timeout", "For an answer to a command.", usual.envelope),
        content: time("content_timeout", "For an answer to a field or to a part of the body.", usual.content),
        end: time("end_timeout", "For an answer to the end of a message, or a sign of life.", usual.end),
        total: time("total_timeout", "For all answers to one message together.", usual.total),
        shun: time("retry_dead_after", "How long a place that failed is asked last.", usual.shun),
        idle: time("connection_idle", "How long a connection without work is kept.", usual.idle),
    }
}

impl Word for Place {
    const KIND: &'static str = "place of a filter";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        text.parse().map_err(|error| format!("\"{text}\" is no place of a filter: {error}"))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::Unix("/".into())
    }
}

impl Choice for WhenDown {
    const KIND: &'static str = "way without a filter";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("tempfail", Self::Tempfail),
        ("accept", Self::Accept),
        ("reject", Self::Reject),
        ("quarantine", Self::Quarantine),
    ];
}
