//! What must be so of the filters of a site: each says only what it can know of the mail that passes its host.

use ipnet::IpNet;

use super::{Daemon, Host, HostSettings, Role, Site};
use crate::check::Faults;
use crate::document::{Document, Entry, Node};

/// What a filter of an outbound must not be told where a router does not say whose mail it brings, and why.
const NOT_AT_AN_OUTBOUND: [(&str, &str, &str); 4] = [
    ("maps", "signing_keys", "what strangers send to an alias that leads outside would be signed as ours"),
    ("verify", "dmarc", "our own mail would be judged by the address of a router"),
    ("verify", "seal", "what is sealed would be said of a router"),
    ("reports", "", "domains would be told of our routers"),
];

impl Site {
    /// Filters that are told to do what their place does not let them do rightly.
    pub(super) fn filters_misplaced(&self) -> Faults {
        let mut faults = Faults::new();
        let (mut mx_reports, told) = (false, self.outbound_is_told());
        let mut behind = Vec::new();
        for (host, document) in self.filters() {
            let reports = stated(&document, "reports", "");
            match host.role {
                Role::Outbound if !told => refuse_at_an_outbound(&document, &mut faults),
                Role::Mx => mx_reports |= reports.is_some(),
                Role::Router | Role::Outbound => behind.extend(reports.map(|entry| entry.place.clone())),
                Role::Hub => {}
            }
        }
        for place in behind.into_iter().filter(|_| mx_reports) {
            let message = "`[reports]` holds for a filter of an mx and for one behind it: what passes both would be \
                           reported twice; say it in role/mx/milter.toml alone";
            faults.push(place, message);
        }
        faults
    }

    /// Whether every router says to every outbound whose mail it brings, and is believed there.
    fn outbound_is_told(&self) -> bool {
        let of = |role| self.hosts.iter().filter(move |host| host.role == role);
        // What cannot be read is said elsewhere.
        let networks = |host: &Host| match self.settings(host) {
            Ok(HostSettings::Router(settings)) => {
                Some((settings.deliver.xforward_networks, settings.relay.xforward_networks))
            }
            _ => None,
        };
        let outbounds: Vec<_> = of(Role::Outbound).map(|host| (host, networks(host))).collect();
        of(Role::Router).all(|router| {
            let Some((told, _)) = networks(router) else { return true };
            outbounds.iter().all(|(outbound, networks)| {
                let is_believed = networks.as_ref().is_none_or(|(_, believed)| names(believed, router));
                is_believed && names(&told, outbound)
            })
        })
    }

    /// Every filter's host, and what it is told. What cannot be read is said elsewhere.
    fn filters(&self) -> impl Iterator<Item = (&Host, Document)> {
        let hosts = self.hosts.iter().filter(|host| self.has_beside(host, Daemon::Milter));
        hosts.filter_map(|host| Some((host, self.document_of(host, Daemon::Milter, None).ok()?)))
    }
}

/// Whether a host is in these networks, by the address that it goes by at others.
fn names(networks: &[IpNet], host: &Host) -> bool {
    host.addresses.first().is_none_or(|address| networks.iter().any(|network| network.contains(address)))
}

fn refuse_at_an_outbound(document: &Document, faults: &mut Faults) {
    for (section, key, why) in NOT_AT_AN_OUTBOUND {
        let Some(entry) = stated(document, section, key) else { continue };
        if entry.item.node == Node::Text("tell".to_owned()) {
            continue;
        }
        let name = if key.is_empty() { format!("[{section}]") } else { format!("{section}.{key}") };
        let message = format!(
            "`{name}` is nothing for the filter of an outbound whose routers do not say whose mail they bring: {why}; \
             have their `deliver.xforward_networks` name the outbounds, and `relay.xforward_networks` there the routers, or say it in role/mx/milter.toml or \
             role/router/milter.toml"
        );
        faults.push(entry.place.clone(), message);
    }
}

/// A key of a section, or the section itself, if it is there.
fn stated<'a>(document: &'a Document, section: &str, key: &str) -> Option<&'a Entry> {
    let section = document.root.get(section)?;
    match &section.item.node {
        _ if key.is_empty() => Some(section),
        Node::Table(table) => table.get(key),
        _ => None,
    }
}
