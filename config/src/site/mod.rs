//! A site: a folder with its facts and hosts (`site.toml`), its maps, and its own layers if it has any.
//!
//! From it every host of every role gets its settings. The layers, from the lowest up: the suite's base and
//! role, then the site's `base.toml`, `role/ROLE.toml` and `host/NAME.toml`, each of them optional. So what a
//! site says holds over what the suite says, and what is said of a host over what is said of its role.
//!
//! A host may run more than the daemon of its role: a filter where the site says how it filters, an agent where it
//! has hubs ([`Daemon`]). Their layers are the suite's own, then the site's `daemon/DAEMON.toml`,
//! `role/ROLE/DAEMON.toml` and `host/NAME/DAEMON.toml`.

mod daemon;
mod facts;
mod filters;
mod folder;
mod hubs;
mod role;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use switchyard_maps::options::MapOptions;
use switchyard_smtp::address::Domain;

use crate::change::Effective;
use crate::check::{Faults, Place, hint};
use crate::document::{Document, Table};
use crate::mx::MxSettings;
use crate::reader::{Reader, Section};
use crate::reference::Setting;
use crate::router::RouterSettings;
use crate::settings::Settings;
use crate::template::{asked_for, fill, lay};

pub use self::daemon::Daemon;
pub use self::role::Role;

/// What a site's folder says.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder.
    pub folder: PathBuf,
    /// Its hosts, in the order of `site.toml`; at least one.
    pub hosts: Vec<Host>,
    facts: Table,
}

/// One host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its full name.
    pub name: Domain,
    /// What it is for.
    pub role: Role,
    /// Its addresses, the one that others connect to first.
    pub addresses: Vec<IpAddr>,
    facts: Table,
    place: Place,
}

/// The settings by which mail passes a host: those of its role's daemon.
#[derive(Debug, Clone)]
pub enum HostSettings {
    /// Of an mx.
    Mx(Box<MxSettings>),
    /// Of a router or an outbound.
    Router(Box<RouterSettings>),
}

/// The site has no such host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchHost {
    name: String,
    hint: String,
}

impl std::fmt::Display for NoSuchHost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the site has no host `{}`{}", self.name, self.hint)
    }
}

impl std::error::Error for NoSuchHost {}

// ---------------------------------------------------------------------------------------------------------

impl Site {
    /// Reads `site.toml` of a folder.
    ///
    /// # Errors
    /// Every fault in it.
    pub fn load(folder: &Path) -> Result<Self, Faults> {
        let document = Document::load(&folder.join("site.toml"))?;
        let site = Reader::read(&document, None, |root| {
            let (facts, hosts) = read(root);
            Self { folder: folder.to_owned(), hosts, facts }
        });
        site.map(|(site, _)| site)
    }

    /// Every key that `site.toml` has, but for facts, whose names are the site's own.
    #[must_use]
    pub fn reference() -> Vec<Setting> {
        Reader::settings(read)
    }

    /// The facts that the suite's own templates ask for, beside those that it states itself.
    #[must_use]
    pub fn known_facts() -> BTreeSet<String> {
        let layers = folder::suite_layers();
        let mut asked = BTreeSet::new();
        layers.iter().for_each(|layer| asked_for(&layer.root, &mut asked));
        asked.into_iter().filter(|name| !name.contains('.')).map(str::to_owned).collect()
    }

    /// The host of a name; its first label is enough where no other host shares it.
    ///
    /// # Errors
    /// When there is none, or more than one: which there are.
    pub fn host(&self, name: &str) -> Result<&Host, NoSuchHost> {
        let full = self.hosts.iter().find(|host| host.name.as_str().eq_ignore_ascii_case(name));
        let mut short = self.hosts.iter().filter(|host| host.short_name().eq_ignore_ascii_case(name));
        match (full, short.next(), short.next()) {
            (Some(host), ..) | (None, Some(host), None) => Ok(host),
            (None, ..) => {
                let names = self.hosts.iter().map(|host| host.name.as_str());
                Err(NoSuchHost { name: name.to_owned(), hint: hint(name, names) })
            }
        }
    }

    /// What is wrong with a question about this site, as a fault of its `site.toml`.
    #[must_use]
    pub fn fault(&self, message: impl std::fmt::Display) -> Faults {
        Faults::one(Place::whole(&self.file()), message.to_string())
    }

    fn file(&self) -> String {
        self.folder.join("site.toml").display().to_string()
    }

    /// The settings of a host's role as one document: every layer laid over the one below, every hole filled. An
    /// `overlay` lies above all layers of the site.
    ///
    /// # Errors
    /// Every fault of a layer's grammar, or of a hole.
    pub fn document(&self, host: &Host, overlay: Option<Document>) -> Result<Document, Faults> {
        self.document_of(host, host.role.runs(), overlay)
    }

    /// The same for any daemon of the host.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn document_of(
        &self,
        host: &Host,
        daemon: Daemon,
        overlay: Option<Document>,
    ) -> Result<Document, Faults> {
        let mut faults = Faults::new();
        let mut root = Table::default();
        for layer in self.layers(host, daemon).into_iter().chain(overlay.map(Ok)) {
            match layer {
                Ok(layer) => lay(&mut root, layer.root),
                Err(more) => faults.append(more),
            }
        }
        fill(&mut root, &self.facts_of(host), &mut faults);
        faults.or(Document { file: self.file().into(), root })
    }

    /// The settings by which mail passes a host, as its daemon would take them.
    ///
    /// # Errors
    /// Every fault, each with the file and line of the layer or the fact it came from; a hub has none of these.
    pub fn settings(&self, host: &Host) -> Result<HostSettings, Faults> {
        let document = || self.document(host, None);
        match host.role {
            Role::Mx => MxSettings::from_document(&document()?, None)
                .map(|settings| HostSettings::Mx(Box::new(settings))),
            Role::Router | Role::Outbound => RouterSettings::from_document(&document()?, None)
                .map(|settings| HostSettings::Router(Box::new(settings))),
            Role::Hub => {
                let message = format!("no mail passes `{}`: it is a host of the role hub", host.name);
                Err(Faults::one(host.place.clone(), message))
            }
        }
    }

    /// What each setting of a host's role holds in the end, to compare it with what holds elsewhere.
    ///
    /// # Errors
    /// As [`Self::document`], and every fault of the settings.
    pub fn effective(&self, host: &Host) -> Result<Effective, Faults> {
        self.effective_of(host, host.role.runs())
    }

    /// The same for any daemon of the host.
    ///
    /// # Errors
    /// As [`Self::effective`].
    pub fn effective_of(&self, host: &Host, daemon: Daemon) -> Result<Effective, Faults> {
        daemon.effective(&self.document_of(host, daemon, None)?, None)
    }

    /// The maps of every daemon of a host that asks maps.
    ///
    /// # Errors
    /// Every fault of the settings.
    pub fn maps(&self, host: &Host) -> Result<Vec<MapOptions>, Faults> {
        let daemons = self.daemons(host).into_iter();
        daemons.filter_map(|daemon| self.maps_of(host, daemon).transpose()).collect()
    }

    /// The maps of one daemon of a host; none where it asks no maps.
    ///
    /// # Errors
    /// Every fault of its settings.
    pub fn maps_of(&self, host: &Host, daemon: Daemon) -> Result<Option<MapOptions>, Faults> {
        daemon.maps(|| self.document_of(host, daemon, None))
    }

    /// Whether every host has settings at all, right or wrong: each layer can be read, each hole be filled.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_whole = |host: &Host| {
            self.daemons(host).iter().all(|daemon| self.document_of(host, *daemon, None).is_ok())
        };
        self.hosts.iter().all(is_whole)
    }

    /// Everything that is wrong with the layers and the settings of any host; maps are not looked at.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = self.stray_layers();
        faults.append(self.idle_facts());
        faults.append(self.hubs_apart());
        faults.append(self.filters_misplaced());
        for host in &self.hosts {
            for daemon in self.daemons(host) {
                if let Err(more) = self.effective_of(host, daemon) {
                    faults.append(more);
                }
            }
        }
        faults.or(()).err().unwrap_or_default()
    }
}

impl Host {
    /// The first label of its name.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.as_str().split('.').next().unwrap_or_default()
    }
}

/// What `site.toml` says: facts and hosts.
fn read(root: &mut Section<'_>) -> (Table, Vec<Host>) {
    let facts = root.free("facts");
    facts::check(&facts, root);
    let hosts = root.each("host", host);
    if hosts.is_empty() {
        root.fault(&["host"], "the site has no host: [[host]] with `name`, `role` and `addresses` is needed");
    }
    for (index, host) in hosts.iter().enumerate() {
        if let Some(twin) = hosts[..index].iter().find(|other| other.name == host.name) {
            root.say(
                host.place.clone(),
                format!("two hosts are named `{}`: the other stands in line {}", host.name, twin.place.line),
            );
        }
    }
    (facts, hosts)
}

fn host(section: &mut Section<'_>) -> Host {
    let host = Host {
        name: section.restart("name", "The host's full name.").required(),
        role: section.restart("role", "What it is for.").required(),
        addresses: section
            .restart("addresses", "Its addresses, the one that others connect to first.")
            .some(),
        facts: section.free("facts"),
        place: section.place().clone(),
    };
    facts::check(&host.facts, section);
    host
}

#[cfg(test)]
mod tests;
