//! The hosts on a message's way, each with the settings and maps that the site's folder gives it, and what they do
//! with a message: their own rooms decide.
//!
//! One host after the other is asked; what the one does not take, the next never sees.

use std::net::IpAddr;

use switchyard_config::site::{Host, HostSettings, NoSuchHost, Role};
use switchyard_config::{Faults, Site};
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::installed::Over;
use switchyard_maps::{MapHandle, MapSet, Snapshot};

use crate::texts;

/// The hosts that a message meets, in order.
#[derive(Debug)]
pub struct Way {
    hosts: Vec<OnTheWay>,
    faults: Vec<switchyard_maps::fault::Fault>,
}

/// One of them.
#[derive(Debug)]
struct OnTheWay {
    address: Option<IpAddr>,
    settings: HostSettings,
    maps: Snapshot,
}

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// The site has no host of this name.
    #[error("{0}")]
    NoSuchHost(Faults),
    /// Its settings are wrong.
    #[error("{0}")]
    Settings(Faults),
    /// A router can't decide with its settings.
    #[error("{0}")]
    Router(String),
}

impl Way {
    /// The host of this name, alone.
    ///
    /// # Errors
    /// When there is none, or its settings are wrong.
    pub fn through(site: &Site, host: &str) -> Result<Self, WayError> {
        let found = site.host(host);
        let host = found.map_err(|error: NoSuchHost| WayError::NoSuchHost(site.fault(error)))?;
        Self::of(site, &[host], &Over::default())
    }

    /// The usual one: the first mx and the first router; where the site has neither, its first host that mail passes.
    ///
    /// # Errors
    /// When the settings of one are wrong.
    pub fn usual(site: &Site) -> Result<Self, WayError> {
        let hosts: Vec<&Host> =
            [Role::Mx, Role::Router].into_iter().filter_map(|role| first(site, role)).collect();
        if hosts.is_empty() {
            let first = site.hosts.iter().find(|host| host.role.is_of_mail()).or(site.hosts.first());
            return Self::of(site, &first.into_iter().collect::<Vec<_>>(), &Over::default());
        }
        Self::of(site, &hosts, &Over::default())
    }

    /// From the first host of a role on: behind an mx stands the first router. None when the site has no such host. Tables
    /// that an installed set has are taken as they are.
    ///
    /// # Errors
    /// When the settings of one are wrong.
    pub fn from_role(site: &Site, role: Role, over: &Over) -> Result<Option<Self>, WayError> {
        let Some(entry) = first(site, role) else { return Ok(None) };
        let behind = (role == Role::Mx).then(|| first(site, Role::Router)).flatten();
        let hosts: Vec<&Host> = [Some(entry), behind].into_iter().flatten().collect();
        Self::of(site, &hosts, over).map(Some)
    }

    /// A host that runs by these settings, with the maps that they name; of no site.
    #[must_use]
    pub fn running(settings: HostSettings) -> Self {
        let mut way = Self { hosts: Vec::new(), faults: Vec::new() };
        way.push(None, settings, &Over::default());
        way
    }

    fn of(site: &Site, hosts: &[&Host], over: &Over) -> Result<Self, WayError> {
        let mut way = Self { hosts: Vec::new(), faults: Vec::new() };
        for host in hosts {
            let settings = site.settings(host).map_err(WayError::Settings)?;
            let settings = texts::in_folder(site, settings);
            way.push(host.addresses.first().copied(), settings, over);
        }
        Ok(way)
    }

    fn push(&mut self, address: Option<IpAddr>, settings: HostSettings, over: &Over) {
        let options = match &settings {
            HostSettings::Mx(settings) => &settings.maps,
            HostSettings::Router(settings) => &settings.maps,
        };
        // As a daemon starts with them: a map that is bad is unavailable, and what is wrong with it is said.
        let (set, faults) = MapSet::start_over(options, over);
        self.faults.extend(faults.iter().cloned());
        self.hosts.push(OnTheWay { address, settings, maps: MapHandle::new(set).snapshot() });
    }

    /// What is wrong with the maps.
    #[must_use]
    pub fn faults(&self) -> &[switchyard_maps::fault::Fault] {
        &self.faults
    }

    /// Whether the host that a message meets first offers STARTTLS.
    #[must_use]
    pub fn offers_tls(&self) -> bool {
        self.hosts.first().is_some_and(|host| match &host.settings {
            HostSettings::Mx(settings) => settings.common.tls.is_some(),
            HostSettings::Router(settings) => settings.common.tls.is_some(),
        })
    }

    /// What each host does with the message; servers of tables are asked.
    ///
    /// # Errors
    /// When a router can't decide with its settings.
    pub async fn explain(&self, message: &Message) -> Result<Vec<Explanation>, WayError> {
        let mut message = message.clone();
        let mut explanations: Vec<Explanation> = Vec::new();
        for host in &self.hosts {
            if let Some(before) = explanations.last() {
                message.to.retain(|recipient| before.taken.contains(&recipient.to_string()));
                (message.client, message.helo) = (before.address, Some(before.host.clone()));
                message.name = None;
            }
            if message.to.is_empty() {
                break;
            }
            let explained = host.maps.settled(|maps| match &host.settings {
                HostSettings::Mx(settings) => Ok(switchyard_mx::explain(settings, maps, &message)),
                HostSettings::Router(settings) => switchyard_router::explain(settings, maps, &message),
            });
            let mut explanation = explained.await.map_err(|error| WayError::Router(error.to_string()))?;
            explanation.address = explanation.address.or(host.address);
            explanations.push(explanation);
        }
        Ok(explanations)
    }
}

fn first(site: &Site, role: Role) -> Option<&Host> {
    site.hosts.iter().find(|host| host.role == role)
}
