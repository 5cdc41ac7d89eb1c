//! A map of a site, asked as its daemons ask it.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;

use switchyard_config::Site;
use switchyard_maps::explain::{Answer, Asked};
use switchyard_maps::query::RawAnswer;
use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet, Side, Snapshot};
use switchyard_smtp::address::{Domain, Mailbox, ReversePath};

use crate::output::Output;
use crate::texts;

/// The maps of the first host that has the one that is asked for.
pub(super) struct Questions {
    maps: Snapshot,
    map: MapName,
}

impl Questions {
    pub(super) fn open(folder: &Path, map: MapName, output: &mut Output) -> Result<Self, String> {
        let site = Site::load(folder).map_err(text)?;
        let options = options(&site, map)?;
        let (set, faults) = MapSet::start(&options);
        for fault in &faults {
            output.say(fault).map_err(text)?;
        }
        Ok(Self { maps: MapHandle::new(set).snapshot(), map })
    }

    /// What the map says, or why that is no key of it.
    pub(super) async fn ask(&self, key: &str) -> Result<RawAnswer, String> {
        let question = Question::read(self.map, key)?;
        let asked = self.maps.settled(|maps| {
            let (maps, trace) = maps.traced();
            question.put(&maps, self.map);
            trace.take()
        });
        let last = asked.await.into_iter().map(Asked::from).next_back();
        Ok(match last.map(|asked| asked.answer) {
            Some(Answer::Found { value, file, line }) => {
                RawAnswer::Found { value, file: Path::new(&file).into(), line }
            }
            Some(Answer::Unavailable { why }) => RawAnswer::Unavailable(why.into()),
            Some(Answer::NotFound) | None => RawAnswer::NotFound,
        })
    }
}

/// Those of the first host that has the map; only this map's tables are read.
fn options(site: &Site, map: MapName) -> Result<MapOptions, String> {
    for host in &site.hosts {
        for mut options in texts::of_host(site, host).map_err(text)? {
            if options.tables.contains_key(&map) {
                options.tables.retain(|name, _| *name == map);
                return Ok(options);
            }
        }
    }
    Err(format!("no host of the site has a {map} map"))
}

/// A key, as the map's kind reads it.
enum Question {
    Address(Mailbox),
    Sender(ReversePath),
    Domain(Domain),
    Client(IpAddr),
    Words(String),
}

impl Question {
    fn read(map: MapName, key: &str) -> Result<Self, String> {
        let no = |error: &dyn Display| format!("`{key}` is no key of the {map} map: {error}");
        match map {
            MapName::Transport
            | MapName::Recipients
            | MapName::VirtualAlias
            | MapName::Canonical
            | MapName::SenderCanonical
            | MapName::RecipientCanonical
            | MapName::Relocated
            | MapName::RecipientAccess
            | MapName::Backend
            | MapName::RecipientBcc
            | MapName::RecipientHeaders => Mailbox::parse(key).map(Self::Address).map_err(|error| no(&error)),
            MapName::SenderAccess | MapName::SenderRoute | MapName::SenderBcc | MapName::SenderHeaders => {
                let path = if key.starts_with('<') { key.to_owned() } else { format!("<{key}>") };
                ReversePath::parse(&path).map(Self::Sender).map_err(|error| no(&error))
            }
            MapName::RelayDomains | MapName::SigningKeys => {
                Domain::parse(key).map(Self::Domain).map_err(|error| no(&error))
            }
            MapName::ClientAccess => key.parse().map(Self::Client).map_err(|error| no(&error)),
            MapName::HeloAccess => Ok(Self::Words(key.to_owned())),
        }
    }

    /// Asks; what was said is in the trace.
    fn put(&self, maps: &Snapshot, map: MapName) {
        match (self, map) {
            (Self::Address(address), MapName::Transport) => drop(maps.route(address)),
            (Self::Address(address), MapName::Recipients) => drop(maps.recipient(address)),
            (Self::Address(address), MapName::VirtualAlias) => drop(maps.alias(address)),
            (Self::Address(address), MapName::SenderCanonical) => {
                drop(maps.canonical(address, Side::Sender));
            }
            (Self::Address(address), MapName::Canonical | MapName::RecipientCanonical) => {
                drop(maps.canonical(address, Side::Recipient));
            }
            (Self::Address(address), MapName::Relocated) => drop(maps.relocated(address)),
            (Self::Address(address), MapName::RecipientAccess) => drop(maps.access_recipient(address)),
            (Self::Address(address), MapName::RecipientBcc) => drop(maps.recipient_bcc(address)),
            (Self::Address(address), MapName::RecipientHeaders) => drop(maps.recipient_headers(address)),
            (Self::Address(address), _) => drop(maps.backend(address)),
            (Self::Sender(sender), MapName::SenderAccess) => drop(maps.access_sender(sender)),
            (Self::Sender(sender), MapName::SenderBcc) => drop(maps.sender_bcc(sender)),
            (Self::Sender(sender), MapName::SenderHeaders) => drop(maps.sender_headers(sender)),
            (Self::Sender(sender), _) => drop(maps.sender_route(sender)),
            (Self::Domain(domain), MapName::SigningKeys) => drop(maps.signing_keys(domain)),
            (Self::Domain(domain), _) => drop(maps.is_relay_domain(domain)),
            (Self::Client(address), _) => drop(maps.access_client(None, *address)),
            (Self::Words(name), _) => drop(maps.access_helo(name)),
        }
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
