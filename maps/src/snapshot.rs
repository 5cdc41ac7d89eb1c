//! One set at one generation: what a transaction, or a delivery attempt, asks from its start to its end.

use std::sync::Arc;

use switchyard_smtp::address::{Domain, Mailbox};

use crate::alias::{self, ExpandError};
use crate::answer::{Answer, Found, Place, Unavailable};
use crate::compile::Compiled;
use crate::entry::Route;
use crate::lookup;
use crate::name::MapName;
use crate::set::{MapSet, Slot};
use crate::table::Hit;

/// A set in use.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) generation: u64,
    pub(crate) set: Arc<MapSet>,
}

/// A set, held: swaps do not reach it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot(Arc<Current>);

impl Snapshot {
    pub(crate) fn new(current: Arc<Current>) -> Self {
        Self(current)
    }

    /// Counts the sets since the daemon started; rolling back counts too.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// True when the role has this map, whether or not it can be asked.
    #[must_use]
    pub fn has(&self, map: MapName) -> bool {
        let set = &self.0.set;
        match map {
            MapName::Transport => !matches!(set.transport, Slot::Absent),
            MapName::Recipients => !matches!(set.recipients, Slot::Absent),
            MapName::VirtualAlias => !matches!(set.virtual_alias, Slot::Absent),
            MapName::RelayDomains => !matches!(set.relay_domains, Slot::Absent),
        }
    }

    /// How many keys a map has.
    #[must_use]
    pub fn entries(&self, map: MapName) -> usize {
        self.0.set.entries(map)
    }

    /// Where mail for an address goes.
    pub fn route(&self, mailbox: &Mailbox) -> Answer<Found<Route>> {
        let set = &self.0.set;
        ask(MapName::Transport, &set.transport, |map| {
            let hit = lookup::transport(&map.table, mailbox, &set.rules)?;
            Some((hit, map.values.get(hit.value).cloned()))
        })
    }

    /// Whether an address is listed.
    pub fn recipient(&self, mailbox: &Mailbox) -> Answer<Found<()>> {
        let set = &self.0.set;
        ask(MapName::Recipients, &set.recipients, |map| {
            lookup::address(&map.table, mailbox, &set.rules).map(|(hit, _)| (hit, Some(())))
        })
    }

    /// What an address stands for, one step; [`Self::expand`] goes on to the end.
    pub fn alias(&self, mailbox: &Mailbox) -> Answer<Found<Vec<Mailbox>>> {
        let set = &self.0.set;
        ask(MapName::VirtualAlias, &set.virtual_alias, |map| map.targets(mailbox, &set.rules))
    }

    /// Where an address leads when all aliases are followed: itself alone when it is none.
    ///
    /// # Errors
    /// When that has no end, comes to too many, or the map cannot be asked.
    pub fn expand(&self, mailbox: &Mailbox) -> Result<Vec<Mailbox>, ExpandError> {
        alias::expand(mailbox, |mailbox| self.alias(mailbox).map(|found| found.value))
    }

    /// What the bare `<postmaster>` (RFC 5321 §4.5.1) stands for: `postmaster` at the origin, or the key
    /// without a domain where the settings name no origin.
    pub fn postmaster(&self) -> Answer<Found<Vec<Mailbox>>> {
        let set = &self.0.set;
        if let Some(postmaster) = self.postmaster_address() {
            return self.alias(&postmaster);
        }
        ask(MapName::VirtualAlias, &set.virtual_alias, |map| {
            let hit = map.table.find("postmaster")?;
            let text = map.values.get(hit.value)?;
            // `@domain` keeps the user that was asked for, which is known here.
            let targets = text.lines().map(|line| match line.strip_prefix('@') {
                Some(_) => Mailbox::parse(&format!("postmaster{line}")).ok(),
                None => Mailbox::parse(line).ok(),
            });
            Some((hit, targets.collect()))
        })
    }

    /// The bare `<postmaster>` with the origin's domain.
    #[must_use]
    pub fn postmaster_address(&self) -> Option<Mailbox> {
        let origin = self.0.set.origin.as_ref()?;
        Mailbox::parse(&format!("postmaster@{origin}")).ok()
    }

    /// Whether mail is taken for a domain.
    pub fn is_relay_domain(&self, domain: &Domain) -> Answer<Found<()>> {
        let set = &self.0.set;
        ask(MapName::RelayDomains, &set.relay_domains, |map| {
            lookup::domain(&map.table, domain.as_str(), &set.rules, MapName::RelayDomains)
                .map(|hit| (hit, Some(())))
        })
    }

    /// Whether a line of the alias map makes this a virtual alias domain: `domain anything` (virtual(5)).
    pub fn is_alias_domain(&self, domain: &Domain) -> Answer<Found<()>> {
        ask(MapName::VirtualAlias, &self.0.set.virtual_alias, |map| {
            map.table.find(domain.as_str()).map(|hit| (hit, Some(())))
        })
    }
}

/// The three answers, in one place.
fn ask<V, T>(
    name: MapName,
    slot: &Slot<V>,
    find: impl FnOnce(&Compiled<V>) -> Option<(Hit, Option<T>)>,
) -> Answer<Found<T>> {
    let map = match slot {
        Slot::Absent => return Answer::NotFound,
        Slot::Unavailable(why) => {
            return Answer::Unavailable(Unavailable { map: name, why: Arc::clone(why) });
        }
        Slot::Ready(map) => map,
    };
    match find(map) {
        None => Answer::NotFound,
        Some((hit, Some(value))) => {
            let place = Place { map: name, file: Arc::clone(&map.file), line: hit.line };
            Answer::Found(Found { value, place })
        }
        Some((hit, None)) => {
            let why = format!("{}:{}: the entry cannot be read back", map.file.display(), hit.line);
            Answer::Unavailable(Unavailable { map: name, why: why.into() })
        }
    }
}
