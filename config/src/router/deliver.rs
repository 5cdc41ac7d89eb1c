//! How mail is delivered, and what senders are told when it is not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use switchyard_smtp::address::Domain;

use crate::common::{ClientTls, TlsLevel, client_tls};
use crate::reader::Section;
use crate::words::Size;

/// How mail is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliver {
    /// Our name in HELO.
    pub helo_name: Domain,
    /// For a connection to stand.
    pub connect_timeout: Duration,
    /// How long a connection without work is kept.
    pub connection_idle: Duration,
    /// Messages over one connection.
    pub connection_messages: u32,
    /// TLS to next hops.
    pub tls: ClientTls,
    /// The level for single next hops, written as in the transport map.
    pub tls_policy: BTreeMap<String, TlsLevel>,
    /// Addresses tried in one attempt.
    pub addresses_tried: usize,
    /// How long an address that did not answer is tried last.
    pub dead_host_wait: Duration,
    /// The port of mail exchangers.
    pub port: u16,
    /// Connections start here.
    pub bind_address: Option<IpAddr>,
    /// Private networks that a mail exchanger may stand in all the same.
    pub address_filter_allow: Vec<IpNet>,
    /// Names that are this host: in a list of mail exchangers, mail goes no further than these.
    pub own_names: Vec<Domain>,
    /// Addresses that are this host, likewise.
    pub own_addresses: Vec<IpAddr>,
    /// Hosts of ours, which are told whose mail it is.
    pub xforward_networks: Vec<IpNet>,
}

/// What senders are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// Octets of the returned message at most.
    pub size_limit: usize,
    /// Reports to one domain within [`Self::per_domain_window`].
    pub per_domain_limit: u32,
    /// See there.
    pub per_domain_window: Duration,
}

pub(super) fn deliver(section: &mut Section<'_>, host_name: &Domain) -> Deliver {
    Deliver {
        helo_name: section
            .live("helo_name", "Our name in HELO; the host's own name without it.")
            .optional()
            .unwrap_or_else(|| host_name.clone()),
        connect_timeout: section
            .live("connect_timeout", "For a connection to a next hop to stand.")
            .at_least(Duration::from_millis(100))
            .or(Duration::from_secs(30)),
        connection_idle: section
            .live("connection_idle", "How long a connection without work is kept.")
            .or(Duration::from_secs(5)),
        connection_messages: section
            .live("connection_messages", "Messages over one connection.")
            .at_least(1_u32)
            .or(100),
        tls: client_tls(section, TlsLevel::May),
        tls_policy: tls_policy(section),
        addresses_tried: section
            .live("addresses_tried", "Addresses of a next hop tried in one attempt.")
            .at_least(1_usize)
            .at_most(100_usize)
            .or(5),
        dead_host_wait: section
            .live("dead_host_wait", "How long an address that did not answer is tried last.")
            .or(Duration::from_secs(60)),
        port: section.live("port", "The port of mail exchangers.").at_least(1_u16).or(25),
        bind_address: section.live("bind_address", "Address that connections start from.").optional(),
        address_filter_allow: section
            .live(
                "address_filter_allow",
                "Loopback or private networks that a mail exchanger found by DNS may stand in all the same.",
            )
            .list(Vec::new()),
        own_names: section
            .live("own_names", "Names that are this host, besides `host_name`, in a list of mail exchangers.")
            .list(Vec::new()),
        own_addresses: section
            .live("own_addresses", "Addresses that are this host, likewise.")
            .list(Vec::new()),
        xforward_networks: section
            .live(
                "xforward_networks",
                "Networks whose hosts are told by XFORWARD whose mail it is, where they offer it: our own.",
            )
            .list(Vec::new()),
    }
}

fn tls_policy(section: &mut Section<'_>) -> BTreeMap<String, TlsLevel> {
    let policy: BTreeMap<String, TlsLevel> = section
        .live(
            "tls_policy",
            "TLS level by next hop, written as in a transport map: \"[gw.example.net]:25\" = \"verify\".",
        )
        .by_name();
    if policy.values().any(|level| *level == TlsLevel::Verify) && !section.has("ca") {
        section.fault(
            &["tls_policy"],
            "`tls_policy` asks for `verify`, which needs `ca`: the authorities to trust",
        );
    }
    policy
}

pub(super) fn bounce(section: &mut Section<'_>) -> Bounce {
    Bounce {
        size_limit: section
            .live("size_limit", "Of the returned message, at most this much is in a report.")
            .at_most(Size(10_000_000))
            .or(Size(50_000))
            .octets(),
        per_domain_limit: section
            .live("per_domain_limit", "Reports to one domain within `per_domain_window`.")
            .at_least(1_u32)
            .or(1000),
        per_domain_window: section
            .live("per_domain_window", "The time that `per_domain_limit` counts in.")
            .at_least(Duration::from_secs(1))
            .or(Duration::from_secs(3600)),
    }
}
