//! The way of a message, with real software at both ends: what was sent is what arrives, once, or the sender
//! is told why not.

mod cut;
mod peers;
mod python;
mod real;
mod refused;
mod report;
mod up;

use std::net::SocketAddr;

use switchyard_tests::expect;
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;

/// An mx before a router before some other server.
pub(crate) struct Chain {
    pub(crate) mx: Daemon,
    pub(crate) router: Daemon,
    // Last: the daemons end before their folder goes.
    _site: Site,
}

impl Chain {
    /// Starts one that hands everything to `next_hop`.
    pub(crate) fn start(next_hop: SocketAddr) -> Self {
        Self::with(next_hop, |_, _| ())
    }

    /// Likewise, with settings that are changed before the start.
    pub(crate) fn with(next_hop: SocketAddr, change: impl FnOnce(&mut Daemon, &mut Daemon)) -> Self {
        let site = Site::new();
        let mut router = site.router("router1", next_hop);
        let mut mx = site.mx("mx1", &[router.address()]);
        change(&mut mx, &mut router);
        router.start();
        mx.start();
        Self { mx, router, _site: site }
    }

    /// Waits until the router has delivered, or given back, all that it took.
    pub(crate) fn await_empty(&self) {
        await_empty(&self.router);
    }
}

/// Waits until a router keeps nothing any more.
pub(crate) fn await_empty(router: &Daemon) {
    expect::holds("an empty spool", || router.metric("switchyard_spool_messages") == 0.0);
}
