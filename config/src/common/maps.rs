//! `[maps]`: which tables make the set, as the options of switchyard-maps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use switchyard_maps::options::MapOptions;
use switchyard_maps::{Budget, MapName};
use switchyard_smtp::address::Domain;

use super::table_servers::table_servers;
use crate::reader::Section;
use crate::words::{Choice, Tables};

/// The maps that a daemon asks; what it does not ask, it has no key for.
pub(crate) enum MapKeys {
    /// mx: who may send, who exists and which domains are ours.
    Edge,
    /// router: all that lead a message.
    Routing,
    /// milter: what is added to a message.
    Filter,
}

impl MapKeys {
    fn has(&self, map: MapName) -> bool {
        match self {
            Self::Routing => !Self::Filter.has(map),
            Self::Filter => {
                matches!(
                    map,
                    MapName::SigningKeys
                        | MapName::SenderBcc
                        | MapName::RecipientBcc
                        | MapName::SenderHeaders
                        | MapName::RecipientHeaders
                )
            }
            Self::Edge => matches!(
                map,
                MapName::Recipients
                    | MapName::RelayDomains
                    | MapName::VirtualAlias
                    | MapName::Relocated
                    | MapName::ClientAccess
                    | MapName::HeloAccess
                    | MapName::SenderAccess
                    | MapName::RecipientAccess
            ),
        }
    }
}

/// What a map's tables hold.
const fn doc(map: MapName) -> &'static str {
    match map {
        MapName::Transport => "Tables of where mail for an address or a domain goes.",
        MapName::Recipients => "Tables of the addresses that exist; without any none is checked.",
        MapName::VirtualAlias => "Tables of addresses that stand for other addresses.",
        MapName::RelayDomains => "Tables of the domains that mail is taken for.",
        MapName::Canonical => "Tables of how addresses are written, a sender's and a recipient's.",
        MapName::SenderCanonical => "Tables of how senders' addresses are written.",
        MapName::RecipientCanonical => "Tables of how recipients' addresses are written.",
        MapName::Relocated => "Tables of users who have moved, and where to.",
        MapName::ClientAccess => "Tables of clients that may or may not send, by name, address or network.",
        MapName::HeloAccess => "Tables of names that clients may or may not give.",
        MapName::SenderAccess => "Tables of senders that may or may not send.",
        MapName::RecipientAccess => "Tables of recipients that may or may not be sent to.",
        MapName::SenderRoute => "Tables of where a sender's mail goes that no map routes by its recipient.",
        MapName::Backend => "Tables of which server holds a user's mailbox.",
        MapName::SigningKeys => "Tables of the keys that sign a domain's mail.",
        MapName::SenderBcc => "Tables of who gets a copy of a sender's mail.",
        MapName::RecipientBcc => "Tables of who gets a copy of a recipient's mail.",
        MapName::SenderHeaders => "Tables of what is changed of the header of a sender's mail.",
        MapName::RecipientHeaders => "Tables of what is changed of the header of a recipient's mail.",
    }
}

pub(crate) fn map_options(section: &mut Section<'_>, keys: &MapKeys) -> MapOptions {
    // File names are seen from the folder, so they are read as text: the folder alone is a path.
    let mut tables = BTreeMap::new();
    for map in MapName::ALL.into_iter().filter(|map| keys.has(*map)) {
        if let Some(Tables(specs)) = section.live(map.as_str(), doc(map)).optional()
            && !specs.is_empty()
        {
            tables.insert(map, specs);
        }
    }
    let files = tables.values().flatten().flat_map(|spec| spec.leaves()).any(|spec| spec.file().is_some());
    let folder: Option<PathBuf> =
        section.live("folder", "Where the map files stand; a file name may also be a whole path.").optional();
    if files && folder.is_none() && !section.has("folder") {
        section.fault(&[], "`maps.folder` is missing: map files are named, but not where they stand");
    }
    let recipient_delimiter = section
        .live("recipient_delimiter", "Characters that part a user from an extension: \"+\" for user+ext.")
        .or(String::new());
    if recipient_delimiter.len() > MAX_DELIMITERS
        || !recipient_delimiter.bytes().all(|octet| octet.is_ascii_punctuation())
    {
        section
            .fault(&["recipient_delimiter"], "`recipient_delimiter` is a few signs such as \"+\" or \"+-\"");
    }
    let propagate_unmatched_extensions = section
        .live(
            "propagate_unmatched_extensions",
            "An extension that an alias's key does not name goes on to its targets.",
        )
        .or(true);
    let parents: Vec<MapName> = section
        .live(
            "parent_domain_matches_subdomains",
            "Maps in which `example.org` stands for the domains below it too; in others, `.example.org` does.",
        )
        .list(Vec::new());
    let local_domains: Vec<Domain> = section
        .live("local_domains", "Domains whose users a key without a domain stands for, besides the origin.")
        .list(Vec::new());
    let origin = match keys {
        MapKeys::Edge | MapKeys::Filter => section
            .live(
                "origin",
                "Domain of a target without one, which are refused without it; its users may be keys without a \
                 domain.",
            )
            .optional(),
        // The router has one for all addresses.
        MapKeys::Routing => None,
    };
    let usual = MapOptions::default();
    MapOptions {
        folder: folder.unwrap_or_default(),
        tables,
        recipient_delimiter,
        propagate_unmatched_extensions,
        parent_domain_matches_subdomains: parents.into_iter().collect::<BTreeSet<_>>(),
        local_domains: local_domains.into_iter().collect::<BTreeSet<_>>(),
        origin,
        edge: matches!(keys, MapKeys::Edge),
        remote: section.section("servers", table_servers),
        installed: section
            .live("set", "A compiled set in place of the texts: a folder, or a link to one.")
            .optional(),
        candidate: section
            .live("candidate", "Folder of a candidate for the next maps, asked beside those in use.")
            .optional(),
        allow_dead_rules: section
            .live("allow_dead_rules", "Rules that can never answer may stand in a table of rules.")
            .or(usual.allow_dead_rules),
        budget: Budget {
            removed: section
                .live("max_removed", "Keys of a map that may go in one change, in per cent.")
                .at_most(100_u8)
                .or(usual.budget.removed),
            changed: section
                .live("max_changed", "Keys of a map that may lead elsewhere in one change, in per cent.")
                .at_most(100_u8)
                .or(usual.budget.changed),
            least: section
                .live("always_allowed", "So many keys may go or change whatever share of the map they are.")
                .or(usual.budget.least),
        },
        ..MapOptions::default()
    }
}

impl Choice for MapName {
    const KIND: &'static str = "map";
    const NAMES: &'static [(&'static str, Self)] = &{
        let mut names = [("", Self::Transport); Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = (Self::ALL[at].as_str(), Self::ALL[at]);
            at += 1;
        }
        names
    };
}

/// Postfix takes a set of them too; more than a handful is a slip.
const MAX_DELIMITERS: usize = 8;
