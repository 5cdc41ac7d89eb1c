//! Three hubs on an etcd of three members, one that follows two of them, and an admin.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use switchyard_tests::expect;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::etcd::Etcd;
use switchyard_tests::peer::process::{Group, Process};
use switchyard_tests::site::{Site, binary};
use switchyard_tests::tool::{Told, switchyard, write};

use super::credentials::make_keys;
use super::world::file;

/// Hubs that take pushes; the one after them follows.
pub(crate) const HUBS: usize = 3;
pub(crate) const FOLLOWER: usize = HUBS;

pub(crate) struct Cluster {
    // Daemons end before the folder that they run in.
    hubs: Vec<Option<Process>>,
    pub(crate) etcd: Etcd,
    pub(crate) site: Site,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) certificates: Certificates,
}

impl Cluster {
    /// Keys, certificates and settings; etcd runs, and all hubs.
    pub(crate) fn new() -> Self {
        Self::with(|_| Etcd::start(), "", "")
    }

    /// The same with an etcd that asks for certificates, and more settings of the hubs.
    pub(crate) fn secured(more: &str) -> Self {
        let etcd = "certificate = \"tls/etcd.pem\"\nkey = \"tls/etcd.key\"\nca = \"tls/authority.pem\"\n";
        Self::with(Etcd::start_secured, etcd, more)
    }

    fn with(etcd: impl FnOnce(&Certificates) -> Etcd, more_of_etcd: &str, more: &str) -> Self {
        let site = Site::new();
        make_keys(&site);
        let tls = site.path("tls");
        fs::create_dir(&tls).expect("a folder");
        let certificates = Certificates::make(&tls, &[]);
        let etcd = etcd(&certificates);
        let addresses: Vec<SocketAddr> = (0..=FOLLOWER).map(|_| site.free_address()).collect();
        let hubs = addresses.iter().map(|_| None).collect();
        let mut cluster = Self { hubs, etcd, site, addresses, certificates };
        cluster.write(more_of_etcd, more);
        (0..=FOLLOWER).for_each(|hub| cluster.start_hub(hub));
        cluster
    }

    fn write(&self, more_of_etcd: &str, more: &str) {
        let made = &self.certificates;
        made.add("ann", "URI:spiffe://live/push/ann");
        let members = quoted(&self.etcd.addresses());
        for (hub, address) in self.addresses.iter().enumerate() {
            // Each hub could serve another environment as well.
            let names = format!("URI:spiffe://test/hub/hub{hub},URI:spiffe://live/hub/hub{hub}");
            made.add(&format!("hub{hub}"), &format!("{names},IP:{}", self.site.ip()));
            let others = self.addresses[..HUBS].iter().filter(|other| *other != address);
            let peers = quoted(&others.copied().collect::<Vec<_>>());
            let etcd = match hub {
                FOLLOWER => String::new(),
                _ => format!("[etcd]\nmembers = [{members}]\n{more_of_etcd}"),
            };
            self.site.write(
                &format!("hub{hub}.toml"),
                &format!(
                    "host_name = \"hub{hub}.example.org\"\npeers = [{peers}]\nlog.format = \"text\"\n\
                     metrics.socket = \"{}\"\nstore.folder = \"{}\"\nenvironments.live.root = \"root.json\"\n\
                     [[listen.hub]]\nsocket = \"{address}\"\n[tls]\ncertificate = \"tls/hub{hub}.pem\"\n\
                     key = \"tls/hub{hub}.key\"\nclient_ca = \"tls/authority.pem\"\n{etcd}{more}",
                    self.site.free_address(),
                    self.site.path(format!("hub{hub}")).display(),
                ),
            );
            self.write_admin(&format!("push{hub}.toml"), &[*address]);
        }
        self.write_admin("push.toml", &self.addresses[..HUBS]);
    }

    fn write_admin(&self, name: &str, hubs: &[SocketAddr]) {
        self.site.write(
            name,
            &format!(
                "author = \"ann\"\nenvironment = \"live\"\nroot = \"root.json\"\nhubs = [{}]\n\
                 push_keys = [\"ann.key\"]\nrelease_keys = [\"release.key\"]\n\
                 [tls]\ncertificate = \"tls/ann.pem\"\nkey = \"tls/ann.key\"\nhub_ca = \"tls/authority.pem\"\n",
                quoted(hubs)
            ),
        );
    }

    pub(crate) fn start_hub(&mut self, hub: usize) {
        let log = File::options().create(true).append(true).open(self.site.path(format!("hub{hub}.log")));
        let mut command = Command::new(binary::program("switchyard-mapsync"));
        command.args(["hub", "--config"]).arg(self.site.path(format!("hub{hub}.toml")));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log"));
        self.hubs[hub] = Some(Process::start(&mut command, Group::Ours));
        let address = self.addresses[hub];
        expect::holds("a hub to listen", || TcpStream::connect(address).is_ok());
    }

    pub(crate) fn kill_hub(&mut self, hub: usize) {
        self.hubs[hub].take().expect("it runs").kill();
    }

    /// A site of its own, in which one mailbox has this name.
    pub(crate) fn write_site(&self, folder: &str, mailbox: &str) {
        if !self.site.path(folder).exists() {
            fs::create_dir_all(self.site.path(folder).join("maps")).expect("a folder");
        }
        let host = |name: &str, role: &str| {
            format!("[[host]]\nname = \"{name}\"\nrole = \"{role}\"\naddresses = [\"{}\"]\n", self.site.ip())
        };
        let hosts = host("mx1.example.org", "mx") + &host("router1.example.org", "router");
        for (name, text) in [
            ("site.toml", format!("[facts]\norigin = \"example.org\"\n{hosts}").as_str()),
            ("maps/relay_domains", "example.org\n"),
            ("maps/recipients", &format!("postmaster@example.org\n{mailbox}@example.org\n")),
            ("maps/virtual_alias", "abuse@example.org postmaster@example.org\n"),
            ("maps/transport", "example.org smtp:[127.0.0.1]\n"),
        ] {
            write(&self.site.path(folder).join(name), text);
        }
    }

    /// A verb of the admin's at one hub, or at whichever answers.
    pub(crate) fn admin(&self, hub: Option<usize>, words: &[&str]) -> Told {
        let with = hub.map_or("push.toml".to_owned(), |hub| format!("push{hub}.toml"));
        let with = file(&self.site, with);
        switchyard(words.iter().copied().chain(["--with", with.as_str()]))
    }

    /// A push of a site, released by nobody.
    pub(crate) fn push(&self, hub: Option<usize>, folder: &str) -> Told {
        let folder = file(&self.site, folder);
        self.admin(hub, &["push", &folder, "--no-release", "--accept"])
    }

    /// Waits until a hub shows a generation.
    pub(crate) fn shows(&self, hub: usize, generation: u64) {
        let start = format!("{generation}  ");
        expect::holds(&format!("hub {hub} to show generation {generation}"), || {
            self.admin(Some(hub), &["log"]).data.trim_start().starts_with(&start)
        });
    }
}

pub(crate) fn quoted(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", ")
}
