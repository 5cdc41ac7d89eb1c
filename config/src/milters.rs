//! `[milters.NAME]`: the mail filters that a daemon asks, and which of them it asks about mail that comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use switchyard_daemon::sockets::ListenOn;
use switchyard_milter_mta::Asked;
use switchyard_milter_mta::options::{MilterOptions, Place, Times, WhenDown};

use crate::check::hint;
use crate::common::{Common, Listener};
use crate::document::Node;
use crate::reader::Section;
use crate::words::{Choice, Size, Word, quoted, text};

/// Reads the filters, with what else is said of each, and who asks which of them about mail that comes in: `accept.milters`
/// everywhere, and `milters` of a listener there.
pub(crate) fn asked<T>(
    root: &mut Section<'_>,
    common: &Common,
    mut more: impl FnMut(&mut Section<'_>) -> T,
) -> (Asked, BTreeMap<String, T>) {
    let (mut filters, mut rest) = (Vec::new(), BTreeMap::new());
    for (name, (filter, more)) in root.named("milters", |section| (milter(section), more(section))) {
        filters.push(MilterOptions { name: name.clone(), ..filter });
        rest.insert(name, more);
    }
    let order = root.section("accept", |section| {
        let doc = "Mail filters asked about mail that comes in, in this order: names of [milters.NAME]. For a listener, its own `milters` count, and for a client what `maps.client_access` chooses.";
        chosen(section, doc, &rest)
    });
    let mut seen = BTreeSet::new();
    for (listener, name) in common.listen.iter().flat_map(of_listener) {
        if !seen.insert((listener.to_string(), name)) {
            root.fault(&["listen"], format!("the listener {listener} asks the filter `{name}` twice"));
        }
        if !rest.contains_key(name) {
            let hint = hint(name, rest.keys().map(String::as_str));
            root.fault(&["listen"], format!("the listener {listener} asks an unknown filter `{name}`{hint}"));
        }
    }
    (Asked { host: common.host_name.to_string(), filters, order }, rest)
}

fn of_listener(listener: &Listener) -> impl Iterator<Item = (&ListenOn, &str)> {
    listener.milters.iter().flat_map(|names| &**names).map(|name| (&listener.socket, &**name))
}

/// The names that an access table may choose among.
pub(crate) fn names(asked: &Asked) -> BTreeSet<String> {
    asked.filters.iter().map(|filter| filter.name.clone()).collect()
}

/// `milters`: some of these, in an order.
pub(crate) fn chosen<T>(
    section: &mut Section<'_>,
    doc: &'static str,
    known: &BTreeMap<String, T>,
) -> Vec<String> {
    let names: Vec<String> = section.live("milters", doc).list(Vec::new());
    let mut chosen: Vec<String> = Vec::new();
    for name in names {
        if chosen.contains(&name) {
            section.fault(&["milters"], format!("the filter `{name}` is asked twice"));
        } else if known.contains_key(&name) {
            chosen.push(name);
        } else {
            let hint = hint(&name, known.keys().map(String::as_str));
            section.fault(&["milters"], format!("unknown filter `{name}`{hint}"));
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
