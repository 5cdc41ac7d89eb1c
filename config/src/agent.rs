//! The settings of switchyard-mapsync's agent.

use std::path::PathBuf;
use std::time::Duration;

use switchyard_daemon::log::LogOptions;
use switchyard_daemon::sockets::ListenOn;
use switchyard_smtp::address::Domain;

use crate::common::{self, Hold};
use crate::reader::Section;
use crate::settings::Settings;
use crate::words::{Choice, Peer};

/// What an agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// The host's name, as `site.toml` has it.
    pub host_name: Domain,
    /// Where it stands.
    pub site: String,
    /// Whose messages it takes: the environment's name.
    pub environment: String,
    /// The first root, which a person put on this host.
    pub root: PathBuf,
    /// Hubs; at least one.
    pub hubs: Vec<Peer>,
    /// Where sets are kept.
    pub folder: PathBuf,
    /// How many sets are kept.
    pub keep: usize,
    /// What the agent asks of the service manager.
    pub services: Services,
    /// Who we are, and whose certificates hubs have.
    pub tls: AgentTls,
    /// Where metrics and health are asked for.
    pub metrics: ListenOn,
    /// Where the operator's tool asks; none for nowhere.
    pub control: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogOptions,
}

/// What an agent does about settings that its host's daemon has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// It says so, and people do it.
    Leave,
    /// It asks for a reload where that is enough.
    Reload,
    /// It asks for a restart where one is needed, too.
    Restart,
}

impl Choice for Services {
    const KIND: &'static str = "order to the service manager";
    const NAMES: &'static [(&'static str, Self)] =
        &[("leave", Self::Leave), ("reload", Self::Reload), ("restart", Self::Restart)];
}

/// TLS in which both sides show a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentTls {
    /// PEM: our chain, our own certificate first.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
    /// PEM: authorities of the hubs.
    pub hub_ca: PathBuf,
}

impl Settings for AgentSettings {
    const DAEMON: &'static str = "agent";

    fn read(root: &mut Section<'_>) -> Self {
        Self {
            host_name: root.restart("host_name", "The host's full name, as site.toml has it.").required(),
            site: root
                .restart("site", "Where the host stands, a data centre say; shown with it in the fleet.")
                .or(String::new()),
            environment: root
                .restart("environment", "The environment that this host belongs to, as its root names it.")
                .required(),
            root: root
                .restart(
                    "root",
                    "File of the first root: whose keys count, until a root that follows it comes.",
                )
                .required(),
            hubs: root.live("hubs", "Hubs to hear; all of them are heard at once.").some(),
            folder: root
                .restart(
                    "folder",
                    "Folder in which sets are kept; daemons read them through `current` there.",
                )
                .or(PathBuf::from("/var/lib/switchyard-agent")),
            keep: root
                .live("keep", "Sets that are kept, and those besides that may be needed: what they have is not fetched again.")
                .at_least(1_usize)
                .at_most(100_usize)
                .or(5),
            services: root
                .live(
                    "services",
                    "What the service manager is asked for when the host's daemon has settings to read: leave it to people, reload, or also restart.",
                )
                .or(Services::Leave),
            tls: root.section("tls", tls),
            metrics: root.section("metrics", |section| common::metrics(section, 9129)),
            control: root.section("control", common::control),
            log: root.section("log", common::log),
        }
    }

    fn hold(&self, now: &mut Self) -> Vec<String> {
        let mut hold = Hold::default();
        hold.keep("host_name", &self.host_name, &mut now.host_name);
        hold.keep("site", &self.site, &mut now.site);
        hold.keep("environment", &self.environment, &mut now.environment);
        hold.keep("root", &self.root, &mut now.root);
        hold.keep("folder", &self.folder, &mut now.folder);
        hold.keep("metrics.socket", &self.metrics, &mut now.metrics);
        hold.keep("log.format", &self.log.format, &mut now.log.format);
        hold.names()
    }
}

impl AgentSettings {
    /// For a daemon to finish what it does when it stops.
    pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
}

pub(crate) fn tls(section: &mut Section<'_>) -> AgentTls {
    AgentTls {
        certificate: section
            .live("certificate", "PEM file: our certificate and its chain; read again at a reload.")
            .required(),
        key: section.live("key", "PEM file: the certificate's key.").required(),
        hub_ca: section.live("hub_ca", "PEM file: authorities whose certificates hubs show.").required(),
    }
}
