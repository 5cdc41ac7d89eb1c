//! The settings of switchyard-mapsync's hub.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use switchyard_daemon::log::LogOptions;
use switchyard_daemon::sockets::ListenOn;
use switchyard_smtp::address::Domain;

use crate::common::{self, Hold, Listener};
use crate::reader::Section;
use crate::settings::Settings;
use crate::words::{Peer, Size};

/// What a hub is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// The host's name, in logs.
    pub host_name: Domain,
    /// Where hosts and admins connect; at least one.
    pub listen: Vec<Listener>,
    /// Where metrics and health are asked for.
    pub metrics: ListenOn,
    /// Where the operator's tool asks; none for nowhere.
    pub control: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogOptions,
    /// Who we are, and whose certificates are let in.
    pub tls: MutualTls,
    /// The folder in which everything is kept.
    pub store: PathBuf,
    /// The environments that are served, by name: the file of each one's first root.
    pub environments: BTreeMap<String, PathBuf>,
    /// Other hubs. Without an etcd, this hub follows them.
    pub peers: Vec<Peer>,
    /// What hubs agree by that all take pushes.
    pub etcd: Etcd,
    /// What a step of a rollout must pass.
    pub rollout: RolloutGates,
    /// Bounds.
    pub limits: HubLimits,
}

/// An etcd that several hubs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etcd {
    /// Its members; none for no etcd.
    pub members: Vec<Peer>,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// TLS to it; none for plain TCP.
    pub tls: Option<MutualTls>,
    /// Hubs that must have a push's files.
    pub copies: usize,
}

/// TLS in which both sides show a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutualTls {
    /// PEM: our chain, our own certificate first.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
    /// PEM: authorities that say who is who.
    pub client_ca: PathBuf,
}

/// What a step of a rollout must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloutGates {
    /// How long its hosts must stay well.
    pub bake: Duration,
    /// From when on a host is silent.
    pub silence: Duration,
    /// How long it may be held.
    pub patience: Duration,
    /// What goes past the steps needs two signatures.
    pub second_signature: bool,
}

/// Bounds of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLimits {
    /// Connections at once.
    pub connections: usize,
    /// Octets of one file.
    pub blob_size: u64,
    /// Octets of all files that are kept.
    pub store_size: u64,
    /// For running requests to end when the daemon stops.
    pub drain_deadline: Duration,
}

impl Settings for HubSettings {
    const DAEMON: &'static str = "hub";

    fn read(root: &mut Section<'_>) -> Self {
        let settings = Self {
            host_name: common::host_name(root),
            listen: root.section("listen", |section| common::listeners(section, "hub", false)),
            metrics: root.section("metrics", |section| common::metrics(section, 9128)),
            control: root.section("control", common::control),
            log: root.section("log", common::log),
            tls: root.section("tls", mutual_tls),
            store: root.section("store", |section| {
                section
                    .restart("folder", "Folder in which heads, roots, releases and files are kept.")
                    .or(PathBuf::from("/var/lib/switchyard-hub"))
            }),
            environments: environments(root),
            peers: root
                .restart(
                    "peers",
                    "Other hubs; without etcd.members, this hub follows them: it takes all that they show, and no pushes.",
                )
                .list(Vec::new()),
            etcd: etcd(root),
            rollout: root.section("rollout", rollout),
            limits: root.section("limits", limits),
        };
        let (hubs, copies) = (settings.peers.len() + 1, settings.etcd.copies);
        if !settings.etcd.members.is_empty() && copies > hubs {
            let message = format!("`etcd.copies` is {copies}, and this hub and its `peers` are {hubs}");
            root.fault(&["etcd"], message);
        }
        settings
    }

    fn hold(&self, now: &mut Self) -> Vec<String> {
        let mut hold = Hold::default();
        hold.keep_listeners("listen.hub", &self.listen, &mut now.listen);
        hold.keep("metrics.socket", &self.metrics, &mut now.metrics);
        hold.keep("log.format", &self.log.format, &mut now.log.format);
        hold.keep("store.folder", &self.store, &mut now.store);
        hold.keep("environments", &self.environments, &mut now.environments);
        hold.keep("peers", &self.peers, &mut now.peers);
        hold.keep("etcd", &self.etcd, &mut now.etcd);
        hold.names()
    }
}

fn mutual_tls(section: &mut Section<'_>) -> MutualTls {
    MutualTls {
        certificate: section
            .live("certificate", "PEM file: our certificate and its chain; read again at a reload.")
            .required(),
        key: section.live("key", "PEM file: the certificate's key.").required(),
        client_ca: section
            .live(
                "client_ca",
                "PEM file: authorities whose certificates say who connects, and in which role.",
            )
            .required(),
    }
}

fn environments(root: &mut Section<'_>) -> BTreeMap<String, PathBuf> {
    let environments = root.named("environments", |section| {
        section
            .restart(
                "root",
                "File of the first root: whose keys count, until a root that follows it is pushed.",
            )
            .required()
    });
    if environments.is_empty() {
        let missing = "no environment to serve: [environments.NAME] with `root` is needed";
        root.fault(&["environments"], missing);
    }
    environments
}

fn etcd(root: &mut Section<'_>) -> Etcd {
    let (etcd, is_tls_whole) = root.section("etcd", |section| {
        let members = section
            .restart("members", "Members of an etcd that all hubs share, so that each of them takes pushes.")
            .list(Vec::new());
        let prefix = section
            .restart("prefix", "What the names of all keys in it begin with; the same on every hub.")
            .or("switchyard".to_owned());
        let copies = section
            .restart("copies", "Hubs that must have a push's files before it counts, this one included.")
            .at_least(1_usize)
            .at_most(9_usize)
            .or(2);
        let file = |section: &mut Section<'_>, name, doc| section.restart(name, doc).optional();
        let certificate =
            file(section, "certificate", "PEM file: the certificate that etcd is shown; none for plain TCP.");
        let key = file(section, "key", "PEM file: the certificate's key.");
        let authorities = file(section, "ca", "PEM file: authorities of etcd's certificates.");
        let given = [&certificate, &key, &authorities].iter().filter(|file| file.is_some()).count();
        let tls = match (certificate, key, authorities) {
            (Some(certificate), Some(key), Some(client_ca)) => {
                Some(MutualTls { certificate, key, client_ca })
            }
            _ => None,
        };
        (Etcd { members, prefix, tls, copies }, matches!(given, 0 | 3))
    });
    if !is_tls_whole {
        root.fault(&["etcd"], "TLS to etcd needs all of `certificate`, `key` and `ca`");
    }
    etcd
}

fn rollout(section: &mut Section<'_>) -> RolloutGates {
    let hour = Duration::from_secs(3600);
    RolloutGates {
        bake: section
            .live(
                "bake",
                "How long every host of a step must stay well before the next one; give it more than `silence`.",
            )
            .at_most(24 * hour)
            .or(Duration::from_secs(60)),
        silence: section
            .live("silence", "A host that was not heard for so long holds a rollout; hosts speak every 10 s.")
            .at_least(Duration::from_secs(1))
            .at_most(hour)
            .or(Duration::from_secs(30)),
        patience: section
            .live("patience", "A step that is held for so long halts the rollout.")
            .at_least(Duration::from_secs(1))
            .at_most(24 * hour)
            .or(Duration::from_secs(900)),
        second_signature: section
            .live(
                "second_signature",
                "Refuse a release to more than hosts by name that goes past the steps, unless two keys have signed it.",
            )
            .or(false),
    }
}

fn limits(section: &mut Section<'_>) -> HubLimits {
    HubLimits {
        connections: section
            .live("connections", "Connections at once; each host holds one or two.")
            .at_least(1_usize)
            .at_most(100_000_usize)
            .or(10_000),
        blob_size: section
            .live("blob_size", "Size of one file of a site.")
            .at_least(Size(64 << 10))
            .at_most(Size(2 << 30))
            .or(Size(1 << 30))
            .0,
        store_size: section
            .live("store_size", "Size of all files that are kept together; over it, uploads are refused.")
            .at_least(Size(1 << 20))
            .or(Size(16 << 30))
            .0,
        drain_deadline: section
            .live("drain_deadline", "For running requests to end when the daemon stops.")
            .at_most(Duration::from_secs(3600))
            .or(Duration::from_secs(10)),
    }
}
