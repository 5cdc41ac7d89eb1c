//! STARTTLS on mx and router, asked by others than ourselves, and what must not get through it.

mod attacks;
mod hops;
mod relay;
mod versions;

use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};

/// Gives a daemon a certificate.
pub(crate) fn certify(daemon: &mut Daemon, certificates: &Certificates, name: &str) {
    daemon.settings.set("tls", "certificate", &quoted(certificates.certificate(name).display()));
    daemon.settings.set("tls", "key", &quoted(certificates.key(name).display()));
}

/// An mx before a router, both with the same certificate, and nothing behind them.
pub(crate) struct Pair {
    pub(crate) mx: Daemon,
    pub(crate) router: Daemon,
    pub(crate) certificates: Certificates,
    // Last: the daemons end before their folder goes.
    _site: Site,
}

impl Pair {
    /// Starts them, with settings that are changed before.
    pub(crate) fn start(change: impl Fn(&mut Daemon)) -> Self {
        let site = Site::new();
        let certificates = Certificates::make(&site.path(""), &["host.example.org"]);
        // Where nothing listens: what is taken stays in the spool, to be counted.
        let mut router = site.router("router1", site.free_address());
        let mut mx = site.mx("mx1", &[router.address()]);
        for daemon in [&mut router, &mut mx] {
            certify(daemon, &certificates, "host.example.org");
            change(daemon);
            daemon.start();
        }
        Self { mx, router, certificates, _site: site }
    }

    /// Both of them.
    pub(crate) fn daemons(&self) -> [&Daemon; 2] {
        [&self.mx, &self.router]
    }
}
