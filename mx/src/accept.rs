//! From a listening socket to a session: the PROXY header where one belongs, then SMTP.
//!
//! 1. A listener behind a balancer expects a PROXY header, and only from the networks in the settings. From
//!    anybody else, without one, or with a bad one the connection is closed without a word.
//! 2. The session runs under the rules of the moment it began ([`Live`]): a reload puts another [`Door`] in place,
//!    for those to come.
//! 3. Its place in the caps is given back when it ends, however it ends.

pub(crate) mod networks;
mod proxy;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use switchyard_daemon::doors::Host;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::session::SessionId;
use switchyard_smtp::io::serve::{Ended, ServeOptions, Stress, serve};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::reply::table;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tracing::Instrument;

use crate::policy::{Policy, Rules};

/// For a PROXY header to arrive.
const PROXY_HEADER_TIME: Duration = Duration::from_secs(5);

/// What sessions begin with.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) serve: ServeOptions,
    pub(crate) rules: Arc<Rules>,
    pub(crate) proxy_networks: Vec<IpNet>,
}

impl Live {
    /// The same at one door.
    pub(crate) fn behind(&self, drain: &Drain) -> Self {
        Self {
            serve: ServeOptions { drain: drain.token(), ..self.serve.clone() },
            rules: Arc::clone(&self.rules),
            proxy_networks: self.proxy_networks.clone(),
        }
    }
}

/// One listener's door.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) live: Live,
    pub(crate) load: Arc<Load>,
    /// The listener's name, for the log.
    pub(crate) name: String,
    /// Each connection begins with a PROXY header.
    pub(crate) proxy_protocol: bool,
    /// The filters that are asked, where they are others than the usual ones.
    pub(crate) milters: Option<Arc<[Box<str>]>>,
}

impl Host for Door {
    /// One client's session, from its first octet to its last.
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let _open = Load::enter(&self.load);
        let live = &self.live;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let mut stream = stream;
        let client = if self.proxy_protocol {
            // Boxed, so that no idle session carries its size.
            match Box::pin(self.behind_proxy(&mut stream, peer)).await {
                Some(client) => client,
                None => return,
            }
        } else {
            peer
        };
        let id = SessionId::random();
        let mut policy = Policy::new(Arc::clone(&live.rules), self.milters.clone(), id);
        let session = serve(Stream::Plain(stream), client, &live.serve, &mut policy);
        let span = tracing::debug_span!("session", %id, listener = self.name, %client);
        let ended = if span.is_disabled() { session.await } else { session.instrument(span).await };
        policy.close();
        report(id, client, ended);
    }

    /// Answers one who is too many.
    async fn refuse(self: Arc<Self>, mut stream: TcpStream, peer: SocketAddr) {
        if self.proxy_protocol && !is_in(&self.live.proxy_networks, peer.ip().to_canonical()) {
            return;
        }
        let mut refusal = Vec::new();
        table::TOO_MANY_SESSIONS.write_to(&mut refusal);
        // Whoever is gone by now needs no answer.
        let _best_effort = stream.write_all(&refusal).await;
    }
}

impl Door {
    /// The client that a balancer speaks for; none when the connection is to be closed.
    async fn behind_proxy(&self, stream: &mut TcpStream, peer: SocketAddr) -> Option<SocketAddr> {
        if !is_in(&self.live.proxy_networks, peer.ip()) {
            tracing::warn!(listener = self.name, %peer, "closed: not a network whose PROXY header is believed");
            return None;
        }
        let header = tokio::time::timeout(PROXY_HEADER_TIME, proxy::read_header(stream)).await;
        match header {
            Ok(Ok(proxy::From::Client(client))) => Some(client),
            Ok(Ok(proxy::From::Balancer)) => Some(peer),
            Ok(Err(error)) => {
                tracing::warn!(listener = self.name, %peer, %error, "closed");
                None
            }
            Err(_) => {
                tracing::warn!(listener = self.name, %peer, "closed: no PROXY header in time");
                None
            }
        }
    }
}

fn report(id: SessionId, client: SocketAddr, ended: Ended) {
    tracing::debug!(session = %id, %client, how = ended.as_str(), "session ended");
}

/// True when an address is in one of these networks.
pub(crate) fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

// ---------------------------------------------------------------------------------------------------------

/// How full the house is.
#[derive(Debug)]
pub(crate) struct Load {
    open: AtomicUsize,
    high: AtomicUsize,
}

impl Load {
    pub(crate) fn new(high: usize) -> Self {
        Self { open: AtomicUsize::new(0), high: AtomicUsize::new(high) }
    }

    /// From how many sessions on patience is short.
    pub(crate) fn set_high(&self, high: usize) {
        self.high.store(high, Ordering::Relaxed);
    }

    fn enter(load: &Arc<Self>) -> Entered {
        load.open.fetch_add(1, Ordering::Relaxed);
        Entered(Arc::clone(load))
    }
}

impl Stress for Load {
    fn is_high(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.high.load(Ordering::Relaxed)
    }
}

struct Entered(Arc<Load>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_short_in_a_full_house() {
        let load = Arc::new(Load::new(2));
        let one = Load::enter(&load);
        assert!(!load.is_high());
        let two = Load::enter(&load);
        assert!(load.is_high());
        load.set_high(3);
        assert!(!load.is_high());
        drop((one, two));
        load.set_high(0);
        assert!(load.is_high());
    }

    #[test]
    fn networks_hold_their_addresses() {
        let networks = ["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        assert!(is_in(&networks, "192.0.2.9".parse().unwrap()));
        assert!(is_in(&networks, "2001:db8::9".parse().unwrap()));
        assert!(!is_in(&networks, "198.51.100.1".parse().unwrap()));
        assert!(!is_in(&[], "192.0.2.9".parse().unwrap()));
    }
}
