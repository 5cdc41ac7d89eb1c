//! Addresses, networks, listening sockets and the hosts to connect to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

use ipnet::IpNet;
use switchyard_daemon::sockets::ListenOn;
use switchyard_maps::nexthop::Hop;
use switchyard_smtp::address::{AddressLiteral, Domain, Host};

use super::{Word, quoted, text};
use crate::document::Node;

impl Word for IpAddr {
    const KIND: &'static str = "address";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        text.parse().map_err(|_| format!("\"{text}\" is no IP address"))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        IpAddr::from([0, 0, 0, 0])
    }
}

impl Word for SocketAddr {
    const KIND: &'static str = "address:port";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        text.parse().map_err(|_| {
            format!("\"{text}\" is no address with port: write \"192.0.2.1:53\" or \"[2001:db8::1]:53\"")
        })
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::from(([0, 0, 0, 0], 0))
    }
}

impl Word for IpNet {
    const KIND: &'static str = "network";

    /// A network, or an address, which is a network of one.
    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::from(address));
        }
        let net: Self = text
            .parse()
            .map_err(|_| format!("\"{text}\" is no network: write \"192.0.2.0/24\" or \"2001:db8::/32\""))?;
        // Postfix refuses it too: half of such slips mean another network, half mean one host.
        if net != net.trunc() {
            return Err(format!("\"{text}\" has bits beyond its prefix: did you mean \"{}\"?", net.trunc()));
        }
        Ok(net)
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::from(IpAddr::blank())
    }
}

impl Word for ListenOn {
    const KIND: &'static str = "socket";

    fn read(node: &Node) -> Result<Self, String> {
        text(node)?.parse().map_err(|error: <Self as FromStr>::Err| error.to_string())
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::Address(SocketAddr::blank())
    }
}

// ---------------------------------------------------------------------------------------------------------

/// A host of ours to connect to: `[192.0.2.1]:25`, `[2001:db8::1]:25` or `router.example.org:25`.
///
/// Never asked for its MX records; the brackets of a name are those of a map's next hop, and optional here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// A name, of which the address records are asked, or an address.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Domain(domain) => write!(formatter, "{domain}:{}", self.port),
            Host::Literal(AddressLiteral(address)) => SocketAddr::new(*address, self.port).fmt(formatter),
        }
    }
}

impl Word for Peer {
    const KIND: &'static str = "host:port";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        let wrong = || {
            format!("\"{text}\" is no host with port: write \"[192.0.2.1]:25\" or \"router.example.org:25\"")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port_of(port).ok_or_else(wrong)?;
        let host = bracketed(host).map_or_else(|| host_of(host), host_of).ok_or_else(wrong)?;
        Ok(Self { host, port })
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self { host: Host::Literal(AddressLiteral(IpAddr::blank())), port: 0 }
    }
}

impl Word for Hop {
    const KIND: &'static str = "next hop";

    fn read(node: &Node) -> Result<Self, String> {
        read_hop(text(node)?)
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::Unix(Path::new("").into())
    }
}

/// Reads one next hop by the transport map's own grammar: `[host]:port`, `domain:port`, `unix:/path`.
///
/// # Errors
/// What would be right.
pub fn read_hop(text: &str) -> Result<Hop, String> {
    text.parse().map_err(|_| {
        format!(
            "\"{text}\" is no next hop: write \"[192.0.2.1]:25\", \"[mail.example.org]\", \"example.org\" or \"unix:/path\""
        )
    })
}

fn bracketed(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

fn host_of(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Host::Literal(AddressLiteral(address)));
    }
    Domain::parse(text).ok().map(Host::Domain)
}

fn port_of(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<W: Word>(text: &str) -> Result<String, String> {
        W::read(&Node::Text(text.into())).map(|word| word.write())
    }

    #[test]
    fn networks_and_addresses() {
        assert_eq!(read::<IpNet>("192.0.2.1"), Ok("\"192.0.2.1/32\"".into()));
        assert_eq!(read::<IpNet>("2001:db8::/32"), Ok("\"2001:db8::/32\"".into()));
        assert!(read::<IpNet>("192.0.2.1/24").unwrap_err().contains("did you mean \"192.0.2.0/24\"?"));
        assert!(read::<IpNet>("192.0.2.0/33").unwrap_err().contains("is no network"));
        assert_eq!(read::<SocketAddr>("[::1]:53"), Ok("\"[::1]:53\"".into()));
        assert!(read::<SocketAddr>("127.0.0.1").unwrap_err().contains("no address with port"));
    }

    #[test]
    fn hosts_and_next_hops() {
        assert_eq!(read::<Peer>("[192.0.2.1]:25"), Ok("\"192.0.2.1:25\"".into()));
        assert_eq!(read::<Peer>("[2001:db8::1]:2525"), Ok("\"[2001:db8::1]:2525\"".into()));
        assert_eq!(read::<Peer>("Router.Example.ORG:25"), Ok("\"router.example.org:25\"".into()));
        for text in ["router.example.org", "router.example.org:0", "a b:25", ":25", "[192.0.2.1]:x", "x:+25"]
        {
            assert!(read::<Peer>(text).unwrap_err().contains("no host with port"), "{text}");
        }
        for (text, written) in [
            ("[192.0.2.1]:2525", "\"[192.0.2.1]:2525\""),
            ("[2001:db8::1]", "\"[IPv6:2001:db8::1]\""),
            ("[mail.example.org]", "\"[mail.example.org]\""),
            ("example.org:26", "\"example.org:26\""),
            ("unix:/run/lmtp", "\"unix:/run/lmtp\""),
        ] {
            assert_eq!(read::<Hop>(text), Ok(written.into()), "{text}");
        }
        for text in ["", "192.0.2.1", "[a", "[a]b", "unix:x", "a:b", "[a]:0"] {
            assert!(read::<Hop>(text).unwrap_err().contains("is no next hop"), "{text}");
        }
    }

    #[test]
    fn sockets() {
        assert_eq!(read::<ListenOn>("systemd:smtp"), Ok("\"systemd:smtp\"".into()));
        assert_eq!(read::<ListenOn>("127.0.0.1:25"), Ok("\"127.0.0.1:25\"".into()));
        assert!(read::<ListenOn>("127.0.0.1").is_err());
    }
}
