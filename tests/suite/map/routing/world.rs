//! A Postfix and our maps, of the same tables.

use std::collections::BTreeSet;

use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet, Snapshot, TableSpec};
use switchyard_smtp::address::Domain;
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::postmap::{Postmap, Program};
use switchyard_tests::tables::site::{ORIGIN, Site};

/// Whether `example.org` also stands for the domains below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parents {
    Match,
    NeedADot,
}

pub(super) struct World {
    pub(super) maps: Snapshot,
    pub(super) postfix: Postfix,
    _tables: Postmap,
}

impl World {
    /// Both with these maps of the site, and Postfix with some settings more.
    pub(super) fn new(site: &Site, parents: Parents, uses: &[MapName], more: &[(&str, &str)]) -> Self {
        let tables = Postmap::new();
        let mut settings = vec![
            ("virtual_mailbox_domains", "".to_owned()),
            ("virtual_mailbox_maps", "".to_owned()),
            ("myorigin", ORIGIN.to_owned()),
            ("mydestination", ORIGIN.to_owned()),
            ("recipient_delimiter", "+".to_owned()),
            ("append_dot_mydomain", "no".to_owned()),
            ("smtpd_reject_unlisted_recipient", "no".to_owned()),
            (
                "parent_domain_matches_subdomains",
                match parents {
                    Parents::Match => "transport_maps, relay_domains".to_owned(),
                    Parents::NeedADot => "".to_owned(),
                },
            ),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        for (map, name, text) in texts(site) {
            if !uses.contains(&map) {
                continue;
            }
            let path = tables.write(map.as_str(), text);
            let warnings = tables.compile(Program::Postmap, "hash", &path);
            assert!(warnings.is_empty(), "{warnings}\n{text}");
            settings.push((name, format!("hash:{}", path.display())));
        }
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let postfix = Postfix::start(&Options { settings: &settings, ..Options::new(Onward::Maildir) });
        Self { maps: maps(site, parents, uses), postfix, _tables: tables }
    }

    /// Both with these tables of the folder as one transport map.
    pub(super) fn of_list(tables: Postmap, list: &[&str]) -> Self {
        let full = |table: &&str| table.replacen(':', &format!(":{}/", tables.folder().display()), 1);
        let theirs = list.iter().map(full).collect::<Vec<_>>().join(", ");
        let settings = [
            ("virtual_mailbox_domains", ""),
            ("virtual_mailbox_maps", ""),
            ("transport_maps", theirs.as_str()),
            ("myorigin", ORIGIN),
            ("mydestination", ORIGIN),
            ("recipient_delimiter", "+"),
            ("append_dot_mydomain", "no"),
            ("parent_domain_matches_subdomains", ""),
        ];
        let options = MapOptions {
            folder: tables.folder().to_owned(),
            tables: [(
                MapName::Transport,
                list.iter().map(|table| TableSpec::parse(table).expect("a table")).collect(),
            )]
            .into(),
            recipient_delimiter: "+".to_owned(),
            allow_dead_rules: true,
            ..MapOptions::default()
        };
        let set = MapSet::load(&options).unwrap_or_else(|faults| panic!("{faults}"));
        let postfix = Postfix::start(&Options { settings: &settings, ..Options::new(Onward::Maildir) });
        Self { maps: MapHandle::new(set).snapshot(), postfix, _tables: tables }
    }
}

/// Each map, and how Postfix calls it.
fn texts(site: &Site) -> [(MapName, &'static str, &str); 4] {
    [
        (MapName::Transport, "transport_maps", &site.transport),
        (MapName::RelayDomains, "relay_domains", &site.relay_domains),
        (MapName::VirtualAlias, "virtual_alias_maps", &site.virtual_alias),
        (MapName::Canonical, "canonical_maps", &site.canonical),
    ]
}

fn maps(site: &Site, parents: Parents, uses: &[MapName]) -> Snapshot {
    let parents = match parents {
        Parents::Match => BTreeSet::from([MapName::Transport, MapName::RelayDomains]),
        Parents::NeedADot => BTreeSet::new(),
    };
    let options = MapOptions {
        recipient_delimiter: "+".to_owned(),
        origin: Some(Domain::parse(ORIGIN).expect("a domain")),
        parent_domain_matches_subdomains: parents,
        ..MapOptions::default()
    };
    let texts: Vec<(MapName, &str)> = texts(site)
        .into_iter()
        .filter(|(map, ..)| uses.contains(map))
        .map(|(map, _, text)| (map, text))
        .collect();
    match MapSet::from_texts(&options, &texts) {
        Ok(set) => MapHandle::new(set).snapshot(),
        Err(faults) => panic!("{faults}\n{site:#?}"),
    }
}
