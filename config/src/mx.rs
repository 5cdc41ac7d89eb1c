//! The settings of switchyard-mx.

use std::time::Duration;

use ipnet::IpNet;
use switchyard_maps::options::MapOptions;
use switchyard_milter_mta::Asked;

use crate::common::{self, ClientTls, Common, Defaults, Hold, MapKeys, TlsLevel, client_tls, map_options};
use crate::milters;
use crate::reader::Section;
use crate::settings::Settings;
use crate::words::Peer;

/// What an mx is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxSettings {
    /// What every daemon sets.
    pub common: Common,
    /// The maps: recipients, relay domains and aliases; there are relay domains or recipients.
    pub maps: MapOptions,
    /// Who may say who the client is.
    pub trust: Trust,
    /// Whom mail is handed to.
    pub routers: Routers,
    /// The mail filters that are asked about mail that comes in.
    pub asked: Asked,
}

/// Who may say who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Balancers whose PROXY header is believed.
    pub proxy_networks: Vec<IpNet>,
    /// Proxies whose XCLIENT is believed.
    pub xclient_networks: Vec<IpNet>,
}

/// The pool of routers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routers {
    /// Its members; at least one.
    pub pool: Vec<Peer>,
    /// Open connections to one router at most.
    pub connections: usize,
    /// Messages being handed over at once, over all routers.
    pub hand_overs: usize,
    /// TLS to them.
    pub tls: ClientTls,
    /// For a connection to stand.
    pub connect_timeout: Duration,
    /// How long a connection without work is kept.
    pub connection_idle: Duration,
    /// How long a router that failed is left alone.
    pub retry_dead_after: Duration,
    /// How long a router's "no" to a recipient is remembered; zero for not at all.
    pub refused_recipient_memory: Duration,
}

const DEFAULTS: Defaults = Defaults { metrics_port: 9125, content_memory: 256 << 20, edge: true };

impl Settings for MxSettings {
    const DAEMON: &'static str = "mx";

    fn read(root: &mut Section<'_>) -> Self {
        let common = common::read(root, &DEFAULTS);
        let mut maps = root.section("maps", |section| {
            let maps = map_options(section, &MapKeys::Edge);
            // Without either, an mx would take no mail at all, or all of it.
            if !section.has("relay_domains") && !section.has("recipients") {
                section.fault(
                    &[],
                    "`maps.relay_domains` or `maps.recipients` is needed: what mail is taken for",
                );
            }
            maps
        });
        let trust = root.section("trust", trust);
        if trust.proxy_networks.is_empty() && common.listen.iter().any(|listener| listener.proxy_protocol) {
            root.fault(
                &["trust", "listen"],
                "`proxy_protocol = true` needs `trust.proxy_networks`: whose PROXY header is believed",
            );
        }
        let routers = root.section("routers", routers);
        let (asked, _) = milters::asked(root, &common, |_| ());
        maps.milters = milters::names(&asked);
        Self { maps, trust, routers, asked, common }
    }

    fn hold(&self, now: &mut Self) -> Vec<String> {
        let mut hold = Hold::default();
        hold.keep_common(&self.common, &mut now.common);
        hold.names()
    }
}

fn trust(section: &mut Section<'_>) -> Trust {
    Trust {
        proxy_networks: section
            .live("proxy_networks", "Networks of balancers whose PROXY header is believed.")
            .list(Vec::new()),
        xclient_networks: section
            .live("xclient_networks", "Networks of proxies whose XCLIENT is believed.")
            .list(Vec::new()),
    }
}

fn routers(section: &mut Section<'_>) -> Routers {
    Routers {
        pool: section.live("pool", "Routers that mail is handed to: \"[192.0.2.1]:25\".").some(),
        connections: section
            .live("connections", "Open connections to one router at most.")
            .at_least(1_usize)
            .at_most(1000_usize)
            .or(20),
        hand_overs: section
            .live("hand_overs", "Messages being handed over at once; over it, clients get 451.")
            .at_least(1_usize)
            .at_most(100_000_usize)
            .or(200),
        tls: client_tls(section, TlsLevel::May),
        connect_timeout: section
            .live("connect_timeout", "For a connection to a router to stand.")
            .at_least(Duration::from_millis(100))
            .or(Duration::from_secs(5)),
        connection_idle: section
            .live("connection_idle", "How long a connection without work is kept.")
            .or(Duration::from_secs(30)),
        retry_dead_after: section
            .live("retry_dead_after", "How long a router that failed is left alone while others are there.")
            .at_least(Duration::from_millis(100))
            .or(Duration::from_secs(10)),
        refused_recipient_memory: section
            .live(
                "refused_recipient_memory",
                "How long a router's refusal of a recipient is remembered; 0s is off.",
            )
            .at_most(Duration::from_secs(3600))
            .or(Duration::from_secs(300)),
    }
}
