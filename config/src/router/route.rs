//! Who may relay, how addresses are completed, and where mail goes when no map says.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use switchyard_maps::entry::Transport;
use switchyard_maps::nexthop::{Hop, Nexthop};
use switchyard_smtp::address::Domain;

use crate::check::hint;
use crate::common::Certificate;
use crate::reader::Section;
use crate::words::{Choice, read_hop};

/// Who may relay: send mail to domains that are not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Clients in these networks.
    pub networks: Vec<IpNet>,
    /// Only over TLS.
    pub require_tls: bool,
    /// Clients with a certificate by `tls.client_ca`, from anywhere.
    pub mutual_tls: bool,
    /// Clients whose XFORWARD and XTXN are believed: our own mx hosts.
    pub xforward_networks: Vec<IpNet>,
}

/// How addresses are completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The domain of an address that has none (`postmaster`).
    pub origin: Domain,
}

/// Where mail goes when no map says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// By which protocol.
    pub default_transport: Transport,
    /// To whom; without it, to the recipient's own mail exchangers.
    pub relayhost: Option<Nexthop>,
}

/// Next hops under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Tried in turn.
    pub members: Vec<Hop>,
}

pub(super) fn relay(section: &mut Section<'_>, tls: Option<&Certificate>) -> Relay {
    let relay = Relay {
        networks: section.live("networks", "Networks whose clients may send mail to any domain.").list(vec![
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ]),
        require_tls: section.live("require_tls", "Relaying only over TLS.").or(false),
        mutual_tls: section
            .live("mutual_tls", "Clients with a certificate by `tls.client_ca` may relay from anywhere.")
            .or(false),
        xforward_networks: section
            .live("xforward_networks", "Networks whose XFORWARD and XTXN are believed: our own mx hosts.")
            .list(Vec::new()),
    };
    if relay.require_tls && tls.is_none() {
        section.fault(&["require_tls"], "`require_tls = true` needs `tls.certificate` and `tls.key`");
    }
    if relay.mutual_tls && tls.and_then(|tls| tls.client_authorities.as_ref()).is_none() {
        section.fault(&["mutual_tls"], "`mutual_tls = true` needs `tls.client_ca`: whose clients may relay");
    }
    relay
}

pub(super) fn rewrite(section: &mut Section<'_>, host_name: &Domain) -> Rewrite {
    let origin =
        section.live("origin", "Domain of an address that has none; the host's own name without it.");
    Rewrite { origin: origin.optional().unwrap_or_else(|| host_name.clone()) }
}

pub(super) fn pool(section: &mut Section<'_>) -> Pool {
    Pool {
        members: section.live("members", "Next hops, tried in turn: \"[192.0.2.1]:25\".").list(Vec::new()),
    }
}

pub(super) fn routing(section: &mut Section<'_>, pools: &BTreeMap<String, Pool>) -> Routing {
    let default_transport =
        section.live("default_transport", "Protocol when no map names one.").or(Transport::Smtp);
    let relayhost: Option<String> = section
        .live(
            "relayhost",
            "Next hops of mail that no map routes, parted by commas, or `@pool`; without it, by MX.",
        )
        .optional();
    let relayhost = relayhost.and_then(|text| match nexthop(&text, pools) {
        Ok(nexthop) => Some(nexthop),
        Err(message) => {
            section.fault(&["relayhost"], format!("`relayhost`: {message}"));
            None
        }
    });
    Routing { default_transport, relayhost }
}

pub(super) fn nexthop(text: &str, pools: &BTreeMap<String, Pool>) -> Result<Nexthop, String> {
    if let Some(name) = text.strip_prefix('@') {
        return match pools.get(name) {
            Some(pool) if pool.members.is_empty() => Err(format!("the pool `{name}` has no members")),
            Some(_) => Ok(Nexthop::Pool(name.into())),
            None => Err(format!("unknown pool `{name}`{}", hint(name, pools.keys().map(String::as_str)))),
        };
    }
    let hops = text.split([',', ' ']).filter(|word| !word.is_empty()).map(read_hop);
    let hops: Vec<Hop> = hops.collect::<Result<_, _>>()?;
    if hops.is_empty() {
        return Err("a next hop is needed".to_owned());
    }
    Ok(Nexthop::Hops(hops.into()))
}

impl Choice for Transport {
    const KIND: &'static str = "transport";
    const NAMES: &'static [(&'static str, Self)] = &[("smtp", Self::Smtp), ("lmtp", Self::Lmtp)];
}
