//! `mynetworks`: whose hosts may send to the world.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use switchyard_maps::spec::words;

use super::Import;
use crate::import::tables::{entries, read};

/// Networks that exclusions may part others into.
const MAX_PARTS: usize = 10_000;
/// How deep a list may name another.
const MAX_DEPTH: u32 = 3;

impl Import<'_> {
    pub(super) fn networks(&mut self) {
        if self.main.get("mynetworks").is_none() {
            let style = self.main.value("mynetworks_style");
            if style == "host" {
                self.not_needed("mynetworks_style", "only this machine's own programs may relay");
            } else {
                self.dropped(
                    "mynetworks_style",
                    format!("`{style}` asks the machine's own interfaces for its networks"),
                    "name the networks in the fact `networks`: only this machine's own programs may relay now",
                );
            }
            return;
        }
        self.not_needed("mynetworks_style", "mynetworks is set, which holds");
        let value = self.main.value("mynetworks");
        let mut networks = Networks::default();
        self.add_networks(&value, &mut networks, 0);
        let beyond = networks.taken.iter().filter(|net| !net.addr().is_loopback());
        let beyond: Vec<String> = beyond.map(ToString::to_string).collect();
        let only_loopback = beyond.is_empty();
        if !only_loopback {
            self.draft.fact("networks", beyond, "whose hosts may send to the world");
        }
        if !networks.odd.is_empty() {
            self.dropped(
                "mynetworks",
                format!("`{}` is no network that is read here", networks.odd.join("`, `")),
                "name it in the fact `networks`: 192.0.2.0/24, 2001:db8::/32",
            );
        } else if only_loopback {
            self.carried("mynetworks", "this machine itself, which a router serves anyway");
        } else if self.draft.hosts.len() > 1 {
            self.changed(
                "mynetworks",
                "the fact `networks`; the router serves them, and the mx takes mail for relay domains only",
                "let hosts of these networks send to the router: give it a listener they reach, in role/router.toml",
            );
        } else {
            self.carried("mynetworks", "the fact `networks` in site.toml");
        }
    }

    fn add_networks(&self, value: &str, networks: &mut Networks, depth: u32) {
        for word in words(value) {
            let (bare, out) = word.strip_prefix('!').map_or((word, false), |bare| (bare, true));
            if let Some(net) = network(bare) {
                networks.add(net, out);
            } else if let Some(list) = self.list_of(bare).filter(|_| depth < MAX_DEPTH && !out) {
                self.add_networks(&list, networks, depth + 1);
            } else {
                networks.odd.push(word.to_owned());
            }
        }
    }

    /// The words of `/file`, or the keys of `cidr:/file`, both of which a list may name.
    pub(super) fn list_of(&self, word: &str) -> Option<String> {
        let (kind, name) = word.split_once(':').filter(|_| !word.starts_with('/')).unwrap_or(("", word));
        let bytes = read(&self.tree.find(name)?).ok()?;
        match kind {
            "" => {
                let text = String::from_utf8(bytes).ok()?;
                let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
                Some(lines.collect::<Vec<_>>().join(" "))
            }
            // What stands behind a key says nothing in a list.
            "cidr" | "hash" | "lmdb" | "cdb" | "btree" | "texthash" => {
                Some(entries(&bytes).map(|(_, key, _)| key).collect::<Vec<_>>().join(" "))
            }
            _ => None,
        }
    }
}

/// Networks in their order: the first that holds an address decides.
#[derive(Debug, Default)]
struct Networks {
    taken: Vec<IpNet>,
    holes: Vec<IpNet>,
    odd: Vec<String>,
}

impl Networks {
    fn add(&mut self, net: IpNet, out: bool) {
        if out {
            return self.holes.push(net);
        }
        let mut parts = vec![net];
        for hole in &self.holes {
            parts = parts.into_iter().flat_map(|part| without(part, *hole)).take(MAX_PARTS).collect();
        }
        for part in parts {
            if !self.taken.contains(&part) {
                self.taken.push(part);
            }
        }
    }
}

/// What is left of a network outside another.
fn without(net: IpNet, hole: IpNet) -> Vec<IpNet> {
    if hole.contains(&net) {
        return Vec::new();
    }
    if !net.contains(&hole) {
        return vec![net];
    }
    let Ok(halves) = net.subnets(net.prefix_len() + 1) else { return Vec::new() };
    halves.flat_map(|half| without(half, hole)).collect()
}

/// `192.0.2.0/24`, `[2001:db8::]/32`, `192.0.2.1`; one of IPv4 in the dress of IPv6 is what it is.
fn network(word: &str) -> Option<IpNet> {
    let bare = word.replace(['[', ']'], "");
    let net = bare.parse::<IpNet>().ok().or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))?.trunc();
    let mapped = match net {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    match mapped {
        Some((address, length)) => Ipv4Net::new(address, length).ok().map(IpNet::V4),
        None => Some(net),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_as_postfix_writes_them() {
        for (word, net) in [
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            ("[2001:db8::]/32", Some("2001:db8::/32")),
            ("[::1]", Some("::1/128")),
            ("[::ffff:127.0.0.0]/104", Some("127.0.0.0/8")),
            ("example.org", None),
        ] {
            assert_eq!(network(word).map(|net| net.to_string()).as_deref(), net, "{word}");
        }
    }

    #[test]
    fn an_exclusion_before_a_network_parts_it() {
        let mut networks = Networks::default();
        networks.add("192.0.2.64/26".parse().unwrap(), true);
        networks.add("192.0.2.0/24".parse().unwrap(), false);
        let taken: Vec<_> = networks.taken.iter().map(ToString::to_string).collect();
        assert_eq!(taken, ["192.0.2.0/26", "192.0.2.128/25"]);
    }
}
