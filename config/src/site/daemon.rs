//! The daemons that hosts run: the one of a host's role, and those beside it.
//!
//! A filter stands beside where a layer of the site says how it filters, and the host's own daemon asks it then. An
//! agent stands beside on every host where the site has hubs to hear, on the hubs' own as well.

use std::path::{Path, PathBuf};

use switchyard_maps::options::MapOptions;

use super::{Host, HostSettings, Role, Site};
use crate::change::Effective;
use crate::check::Faults;
use crate::document::Document;
use crate::settings::Settings;
use crate::{AgentSettings, HubSettings, MilterSettings, MxSettings, RouterSettings};

/// A daemon that hosts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Daemon {
    /// switchyard-mx.
    Mx,
    /// switchyard-router.
    Router,
    /// switchyard-milter.
    Milter,
    /// switchyard-mapsync hub.
    Hub,
    /// switchyard-mapsync agent.
    Agent,
}

impl Daemon {
    /// Every daemon.
    pub const ALL: [Self; 5] = [Self::Mx, Self::Router, Self::Milter, Self::Hub, Self::Agent];

    /// Those that stand beside another.
    pub(super) const BESIDE: [Self; 2] = [Self::Milter, Self::Agent];

    /// The word for it, which is the stem of its settings file's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => MxSettings::DAEMON,
            Self::Router => RouterSettings::DAEMON,
            Self::Milter => MilterSettings::DAEMON,
            Self::Hub => HubSettings::DAEMON,
            Self::Agent => AgentSettings::DAEMON,
        }
    }

    /// Its settings file's name.
    #[must_use]
    pub fn file(self) -> String {
        format!("{}.toml", self.as_str())
    }

    /// What it says that it is.
    #[must_use]
    pub fn program(self) -> String {
        match self {
            Self::Mx | Self::Router | Self::Milter => format!("switchyard-{}", self.as_str()),
            Self::Hub | Self::Agent => format!("switchyard-mapsync {}", self.as_str()),
        }
    }

    /// The unit that starts it.
    #[must_use]
    pub fn unit(self) -> String {
        format!("switchyard-{}.service", self.as_str())
    }

    /// Whether its settings name maps.
    #[must_use]
    pub const fn asks_maps(self) -> bool {
        matches!(self, Self::Mx | Self::Router | Self::Milter)
    }

    /// What each setting of it holds by a document; relative paths are seen from `folder`.
    ///
    /// # Errors
    /// Every fault there is.
    pub fn effective(self, document: &Document, folder: Option<&Path>) -> Result<Effective, Faults> {
        fn of<S: Settings>(document: &Document, folder: Option<&Path>) -> Result<Effective, Faults> {
            S::effective(document, folder).map(|(_, effective)| effective)
        }
        match self {
            Self::Mx => of::<MxSettings>(document, folder),
            Self::Router => of::<RouterSettings>(document, folder),
            Self::Milter => of::<MilterSettings>(document, folder),
            Self::Hub => of::<HubSettings>(document, folder),
            Self::Agent => of::<AgentSettings>(document, folder),
        }
    }

    /// The maps that it asks by its document; none where it asks no maps.
    ///
    /// # Errors
    /// Every fault there is.
    pub(super) fn maps(
        self,
        document: impl FnOnce() -> Result<Document, Faults>,
    ) -> Result<Option<MapOptions>, Faults> {
        match self {
            Self::Mx => MxSettings::from_document(&document()?, None).map(|settings| Some(settings.maps)),
            Self::Router => {
                RouterSettings::from_document(&document()?, None).map(|settings| Some(settings.maps))
            }
            Self::Milter => {
                MilterSettings::from_document(&document()?, None).map(|settings| Some(settings.maps))
            }
            Self::Hub | Self::Agent => Ok(None),
        }
    }

    /// The suite's own layer for one that stands beside another.
    pub(super) const fn template(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Milter => {
                Some(("suite/daemon/milter.toml", include_str!("../../templates/daemon/milter.toml")))
            }
            Self::Agent => {
                Some(("suite/daemon/agent.toml", include_str!("../../templates/daemon/agent.toml")))
            }
            Self::Mx | Self::Router | Self::Hub => None,
        }
    }
}

impl Site {
    /// The daemons that a host runs, the one of its role first.
    #[must_use]
    pub fn daemons(&self, host: &Host) -> Vec<Daemon> {
        let beside = Daemon::BESIDE.into_iter().filter(|daemon| self.has_beside(host, *daemon));
        std::iter::once(host.role.runs()).chain(beside).collect()
    }

    /// Whether one stands beside the daemon of a host's role.
    pub(super) fn has_beside(&self, host: &Host, daemon: Daemon) -> bool {
        match daemon {
            Daemon::Milter => {
                host.role.is_of_mail() && self.own_layers(host, daemon).iter().any(|path| path.exists())
            }
            Daemon::Agent => self.has_hubs(),
            Daemon::Mx | Daemon::Router | Daemon::Hub => false,
        }
    }

    /// Where the daemon of a host's role answers the operator's tool; none for nowhere.
    ///
    /// # Errors
    /// Every fault of its settings.
    pub fn control(&self, host: &Host) -> Result<Option<PathBuf>, Faults> {
        if host.role == Role::Hub {
            return HubSettings::from_document(&self.document(host, None)?, None)
                .map(|settings| settings.control);
        }
        self.settings(host).map(|settings| match settings {
            HostSettings::Mx(settings) => settings.common.control,
            HostSettings::Router(settings) => settings.common.control,
        })
    }

    /// Whether any host is a hub.
    #[must_use]
    pub fn has_hubs(&self) -> bool {
        self.hosts.iter().any(|host| host.role == Role::Hub)
    }
}
