//! Who may relay: clients from named networks, and clients whose certificate our authorities vouch for.
//! Everybody else may only send to domains that are ours.

use std::net::IpAddr;

use ipnet::IpNet;
use switchyard_smtp::server::Client;

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayOptions {
    /// Networks whose clients may send anywhere.
    pub networks: Vec<IpNet>,
    /// Clients with a certificate that the listener's authorities vouch for may send anywhere.
    pub verified_clients: bool,
    /// Networks of our own hosts: they may say where mail came from (XFORWARD) and name their transactions
    /// (XTXN).
    pub own_hosts: Vec<IpNet>,
    /// MAIL is refused until TLS is on.
    pub require_tls: bool,
}

impl RelayOptions {
    /// May this client send to any domain?
    #[must_use]
    pub fn may_relay(&self, client: &Client) -> bool {
        (self.verified_clients && client.verified) || contains(&self.networks, client.address.ip())
    }

    /// Is this client one of our own hosts?
    #[must_use]
    pub fn is_own_host(&self, client: &Client) -> bool {
        contains(&self.own_hosts, client.address.ip())
    }
}

/// An IPv4 client on an IPv6 socket is the IPv4 client it is.
fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str, verified: bool) -> Client {
        let address = address.parse().unwrap();
        Client { address, hello: None, tls: None, verified, forwarded: None }
    }

    #[test]
    fn networks_and_certificates_may_relay_and_nobody_else() {
        let mut options =
            RelayOptions { networks: vec!["192.0.2.0/24".parse().unwrap()], ..RelayOptions::default() };
        assert!(options.may_relay(&client("192.0.2.7:1", false)));
        assert!(options.may_relay(&client("[::ffff:192.0.2.7]:1", false)));
        assert!(!options.may_relay(&client("198.51.100.1:1", false)));
        assert!(
            !options.may_relay(&client("198.51.100.1:1", true)),
            "certificates count only where they are to"
        );
        options.verified_clients = true;
        assert!(options.may_relay(&client("198.51.100.1:1", true)));
    }
}
