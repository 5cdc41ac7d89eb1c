//! The client that filters judge: the one that talks to us, or the one behind it.

use std::net::SocketAddr;

use bytes::Bytes;
use switchyard_milter_protocol::event::{Client as Peer, Connect, Event};
use switchyard_smtp::server::Client;

/// What is told of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) address: SocketAddr,
    /// Its verified host name.
    pub(crate) name: Option<Box<str>>,
    pub(crate) helo: Option<Box<str>>,
    /// Version and cipher of its TLS with us.
    pub(crate) tls: Option<Box<str>>,
}

impl Visitor {
    /// Who XFORWARD says it is; without that, who it is.
    pub(crate) fn of(client: &Client) -> Self {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let helo = client.hello.as_ref().map(|(_, name)| name.clone());
        let behind = client.forwarded.as_deref();
        match behind.and_then(|behind| Some((behind, behind.address?))) {
            Some((behind, address)) => Self {
                address: canonical(SocketAddr::new(address, behind.port.unwrap_or(0))),
                name: behind.name.clone(),
                helo: behind.helo.clone().or(helo),
                tls: None,
            },
            None => Self { address: canonical(client.address), name: None, helo, tls: client.tls.clone() },
        }
    }

    /// Whether both are one connection, whatever it has said since.
    pub(crate) fn is_same_connection(&self, other: &Self) -> bool {
        self.address == other.address && self.name == other.name
    }

    /// Its name, or its address in brackets, as libmilter has it.
    pub(crate) fn host(&self) -> Bytes {
        match &self.name {
            Some(name) => Bytes::copy_from_slice(name.as_bytes()),
            None if self.address.is_ipv6() => format!("[IPv6:{}]", self.address.ip()).into(),
            None => format!("[{}]", self.address.ip()).into(),
        }
    }

    pub(crate) fn connect(&self) -> Event {
        Event::Connect(Connect { host: self.host(), client: Peer::Inet(self.address) })
    }

    pub(crate) fn hello(&self) -> Option<Event> {
        let name = self.helo.as_deref()?;
        Some(Event::Helo(Bytes::copy_from_slice(name.as_bytes())))
    }
}
