//! The settings of switchyard-router: the same program is the routing layer and the outbound MX.

mod deliver;
mod keep;
mod leaving;
mod route;
mod srs;

use std::collections::{BTreeMap, BTreeSet};

use switchyard_daemon::sockets::ListenOn;
use switchyard_maps::options::MapOptions;
use switchyard_milter_mta::Asked;

pub use deliver::{Bounce, Deliver};
pub use keep::{Queue, Spool};
pub use leaving::{AskedBefore, WayOut};
pub use route::{Pool, Relay, Rewrite, Routing};
pub use srs::Srs;

use crate::common::{self, Common, Defaults, Hold, MapKeys, map_options};
use crate::milters;
use crate::reader::Section;
use crate::settings::Settings;

/// What a router is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterSettings {
    /// What every daemon sets.
    pub common: Common,
    /// The maps, with the names of the pools and the origin filled in.
    pub maps: MapOptions,
    /// Who may relay.
    pub relay: Relay,
    /// How addresses are completed.
    pub rewrite: Rewrite,
    /// Where mail goes when no map says.
    pub route: Routing,
    /// Lists of next hops under a name, for `@name` in maps.
    pub pools: BTreeMap<String, Pool>,
    /// How the senders of forwarded mail are rewritten, if they are.
    pub srs: Option<Srs>,
    /// Where mail is kept.
    pub spool: Spool,
    /// When it is tried.
    pub queue: Queue,
    /// How it is delivered.
    pub deliver: Deliver,
    /// What senders are told when it is not.
    pub bounce: Bounce,
    /// The mail filters that are asked about mail that comes in.
    pub asked: Asked,
    /// Those that are asked about mail on its way out, in their order.
    pub leaving: Vec<AskedBefore>,
}

const DEFAULTS: Defaults = Defaults {
    metrics_port: 9126,
    content_memory: 256 << 20,
    // A router's clients are few and ours: no bounds by network, no stress, no balancer.
    edge: false,
};

/// Where mail for this very host would come in again: its name, and its addresses where they are known.
fn own(common: &Common) -> BTreeSet<(String, u16)> {
    let mut own = BTreeSet::new();
    for listener in &common.listen {
        let port = match &listener.socket {
            ListenOn::Address(address) => {
                if !address.ip().is_unspecified() {
                    own.insert((address.ip().to_string(), address.port()));
                }
                address.port()
            }
            // The unit's socket for SMTP.
            ListenOn::Systemd(_) => 25,
        };
        own.insert((common.host_name.to_string(), port));
    }
    own
}

impl Settings for RouterSettings {
    const DAEMON: &'static str = "router";

    fn read(root: &mut Section<'_>) -> Self {
        let common = common::read(root, &DEFAULTS);
        let mut maps = root.section("maps", |section| map_options(section, &MapKeys::Routing));
        let relay = root.section("relay", |section| route::relay(section, common.tls.as_ref()));
        let rewrite = root.section("rewrite", |section| route::rewrite(section, &common.host_name));
        let pools = root.named("pools", route::pool);
        let route = root.section("route", |section| route::routing(section, &pools));
        maps.pools = pools.keys().cloned().collect();
        maps.origin = Some(rewrite.origin.clone());
        maps.own = own(&common);
        let (asked, ways) = milters::asked(root, &common, |section| leaving::ways_out(section, &pools));
        maps.milters = milters::names(&asked);
        let (deliver, leaving) = root.section("deliver", |section| {
            (deliver::deliver(section, &common.host_name), leaving::asked_before(section, &ways))
        });
        Self {
            maps,
            relay,
            rewrite,
            route,
            pools,
            srs: root.section("srs", srs::srs),
            spool: root.section("spool", keep::spool),
            queue: root.section("queue", keep::queue),
            deliver,
            bounce: root.section("bounce", deliver::bounce),
            asked,
            leaving,
            common,
        }
    }

    fn hold(&self, now: &mut Self) -> Vec<String> {
        let mut hold = Hold::default();
        hold.keep_common(&self.common, &mut now.common);
        hold.keep("spool", &self.spool, &mut now.spool);
        hold.names()
    }
}
