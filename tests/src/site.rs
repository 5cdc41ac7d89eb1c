//! Our daemons as child processes, in a folder and on a loopback address of their own: to be killed,
//! restarted, starved and cut off from power.
//!
//! A [`Site`] is the folder and the address. [`Site::router`] and [`Site::mx`] write settings that a scenario
//! may change, and give a [`daemon::Daemon`] that can be started and ended any number of times.

pub mod binary;
pub mod daemon;
pub mod power;
pub mod settings;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use daemon::Daemon;
use settings::Settings;

/// A folder and an address that no other scenario uses.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    ip: IpAddr,
    /// Ports that somebody was given, who may not listen there yet.
    given: Mutex<BTreeSet<u16>>,
}

/// The domains that our own mail goes to.
pub const RELAY_DOMAINS: &str = "example.org\nexample.net\n";

impl Site {
    /// A new one.
    ///
    /// # Panics
    /// When no folder can be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("switchyard-site-").expect("a folder for the site");
        let site = Self { folder, ip: own_address(), given: Mutex::default() };
        let maps = site.path("maps");
        fs::create_dir(&maps).expect("a folder for the maps");
        site.write("maps/relay_domains", RELAY_DOMAINS);
        site
    }

    /// Writes a file in it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let mut file = File::create(self.path(name)).expect("a file to write");
        file.write_all(text.as_bytes()).expect("room for a file");
    }

    /// Its address. Clients come from 127.0.0.1, so no client's port is ever in a listener's way.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// A file or folder in it.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An address of its own with a port that nobody listens on, and that nobody was given before.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn free_address(&self) -> SocketAddr {
        let mut given = self.given.lock().expect("nobody panics over it");
        loop {
            let listener = TcpListener::bind((self.ip, 0)).expect("a free port");
            let address = listener.local_addr().expect("a bound socket has an address");
            if given.insert(address.port()) {
                return address;
            }
        }
    }

    /// A router that hands everything to `next_hop`, and tries again soon. Its spool is small, so that the
    /// log's segments are used again and contents go both into the log and into files of their own.
    #[must_use]
    pub fn router(&self, name: &str, next_hop: SocketAddr) -> Daemon {
        let mut settings = self.settings(name);
        settings.set("relay", "xforward_networks", "[\"127.0.0.0/8\"]");
        settings.set("route", "relayhost", &quoted(format_args!("[{}]:{}", next_hop.ip(), next_hop.port())));
        settings.set("spool", "folder", &quoted(self.path(format!("{name}-spool")).display()));
        for (key, size) in [
            ("segment_size", "1MiB"),
            ("max_size", "128MiB"),
            ("min_free", "1MiB"),
            ("inline_limit", "16KiB"),
        ] {
            settings.set("spool", key, &quoted(size));
        }
        for key in ["minimal_backoff", "maximal_backoff", "dead_destination_wait"] {
            settings.set("queue", key, "\"1s\"");
        }
        settings.set("deliver", "tls", "\"none\"");
        Daemon::new(self, "switchyard-router", name, settings)
    }

    /// An mx before these routers.
    #[must_use]
    pub fn mx(&self, name: &str, routers: &[SocketAddr]) -> Daemon {
        let mut settings = self.settings(name);
        let pool: Vec<String> = routers
            .iter()
            .map(|router| quoted(format_args!("[{}]:{}", router.ip(), router.port())))
            .collect();
        settings.set("maps", "folder", &quoted(self.path("maps").display()));
        settings.set("maps", "relay_domains", "\"relay_domains\"");
        settings.set("routers", "pool", &format!("[{}]", pool.join(", ")));
        settings.set("routers", "tls", "\"none\"");
        settings.set("routers", "retry_dead_after", "\"200ms\"");
        settings.set("limits", "sessions_per_network", "0");
        Daemon::new(self, "switchyard-mx", name, settings)
    }

    /// A filter that asks this name server, and takes nobody's mail for ours unless a scenario says so.
    #[must_use]
    pub fn filter(&self, name: &str, dns: SocketAddr) -> Daemon {
        let mut settings = Settings::new();
        settings.set("", "host_name", &quoted(format_args!("{name}.example.org")));
        settings.set("metrics", "socket", &quoted(self.free_address()));
        settings.set("log", "format", "\"text\"");
        settings.set("[listen.milter]", "socket", &quoted(self.free_address()));
        settings.set("dns", "servers", &format!("[{}]", quoted(dns)));
        settings.set("maps", "folder", &quoted(self.path("maps").display()));
        settings.set("sign", "networks", "[]");
        Daemon::new(self, "switchyard-milter", name, settings)
    }

    fn settings(&self, name: &str) -> Settings {
        let mut settings = Settings::new();
        settings.set("", "host_name", &quoted(format_args!("{name}.example.org")));
        settings.set("metrics", "socket", &quoted(self.free_address()));
        settings.set("log", "format", "\"text\"");
        settings.set("[listen.smtp]", "socket", &quoted(self.free_address()));
        // Nothing here is to be asked of the network.
        settings.set("dns", "servers", "[\"127.0.0.1:9\"]");
        settings
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What a failed scenario leaves, its logs above all, is what one wants to read.
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
        }
    }
}

/// A TOML string.
#[must_use]
pub fn quoted(value: impl std::fmt::Display) -> String {
    format!("{:?}", value.to_string())
}

/// One of 127.0.0.0/8, by process and by site.
fn own_address() -> IpAddr {
    static SITES: AtomicU32 = AtomicU32::new(0);
    let (process, site) = (std::process::id(), SITES.fetch_add(1, Ordering::Relaxed));
    let octet = |number: u32| (number % 250 + 2) as u8;
    IpAddr::V4(Ipv4Addr::new(127, octet(process / 250), octet(process), octet(site)))
}
