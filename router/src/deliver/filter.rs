//! Which addresses mail may be sent to that the DNS names: anybody can write our own network into their MX.
//!
//! Asked of resolved addresses, never of names (rebinding). Next hops that the maps or the settings name are
//! the operator's word, and are not filtered.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What the filter needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterOptions {
    /// Addresses of this host: mail to them would loop.
    pub own_addresses: BTreeSet<IpAddr>,
    /// Networks that are allowed in spite of all below.
    pub allow: Vec<IpNet>,
}

/// What the filter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Go there.
    Yes,
    /// That is this very host.
    Own,
    /// Not an address of the internet.
    No,
}

impl FilterOptions {
    /// Whether mail may go to an address that the DNS named.
    #[must_use]
    pub fn permit(&self, address: IpAddr) -> Permit {
        let address = address.to_canonical();
        if self.allow.iter().any(|network| network.contains(&address)) {
            Permit::Yes
        } else if self.own_addresses.contains(&address) {
            Permit::Own
        } else if is_public(address) {
            Permit::Yes
        } else {
            Permit::No
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // RFC 6890: this network, loopback, private, link-local, multicast, and what is reserved above.
    !(address.octets()[0] == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.octets()[0] >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // An IPv4 address inside (RFC 6052 `64:ff9b::/96`, RFC 3056 `2002::/16`) is judged as that address.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    if segments[0] == 0x2002 {
        let [_, _, a, b, c, d, ..] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    !(segments[..6] == [0; 6] // `::`, `::1` and IPv4-compatible ones
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (segments[0] & 0xffc0) == 0xfec0 // site-local, long deprecated
        || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_only_addresses_of_the_internet() {
        let filter = FilterOptions {
            own_addresses: BTreeSet::from(["192.0.2.25".parse().unwrap()]),
            allow: vec!["127.7.0.0/16".parse().unwrap()],
        };
        for (address, permit) in [
            ("198.51.100.1", Permit::Yes),
            ("2001:db8::1", Permit::Yes),
            ("127.7.0.1", Permit::Yes),
            ("127.0.0.1", Permit::No),
            ("0.0.0.0", Permit::No),
            ("10.1.2.3", Permit::No),
            ("172.16.0.1", Permit::No),
            ("192.168.1.1", Permit::No),
            ("169.254.169.254", Permit::No),
            ("224.0.0.1", Permit::No),
            ("255.255.255.255", Permit::No),
            ("::", Permit::No),
            ("::1", Permit::No),
            ("::ffff:127.0.0.1", Permit::No),
            ("::ffff:127.7.0.1", Permit::Yes),
            ("64:ff9b::7f00:1", Permit::No),
            ("2002:7f00:1::", Permit::No),
            ("fe80::1", Permit::No),
            ("fc00::1", Permit::No),
            ("ff02::1", Permit::No),
            ("192.0.2.25", Permit::Own),
            ("::ffff:192.0.2.25", Permit::Own),
        ] {
            assert_eq!(filter.permit(address.parse().unwrap()), permit, "{address}");
        }
    }
}
