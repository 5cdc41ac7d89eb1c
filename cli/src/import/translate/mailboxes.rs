//! Domains whose mailboxes Postfix delivered to, virtual(8) and local(8): where it handed them to LMTP or SMTP,
//! they are relay domains with routes here; else aliases are all that is left of them.

use std::collections::BTreeSet;

use switchyard_config::site::Role;
use switchyard_maps::Route;

use super::Import;
use super::domains::{Class, List};
use crate::import::tables::{Use, entries};

const NO_MAILBOXES: &str = "no mail is delivered to mailboxes here";

/// What virtual(8) was told of mailboxes.
const BOXES: [&str; 6] = [
    "virtual_mailbox_base",
    "virtual_uid_maps",
    "virtual_gid_maps",
    "virtual_minimum_uid",
    "virtual_mailbox_limit",
    "virtual_mailbox_lock",
];

impl Import<'_> {
    /// Domains whose mailboxes virtual(8), or a transport in its place, delivered to.
    pub(super) fn mailbox_class(&mut self) -> Option<Class> {
        let (domains, maps) = ("virtual_mailbox_domains", "virtual_mailbox_maps");
        if self.main.value(domains).is_empty() {
            self.not_needed(domains, "names no domain");
            self.not_needed(maps, "there are no virtual mailbox domains");
            return None;
        }
        let mut list = self.list(domains);
        if self.main.value(domains) == self.main.value(maps) {
            list = List::default();
        }
        let nexthop = self.main.value("virtual_transport");
        if !self.send("virtual_transport", &nexthop, &list) {
            for parameter in [domains, maps] {
                self.dropped(
                    parameter,
                    NO_MAILBOXES,
                    "give them an LMTP server: its route in the transport map, the domains in relay_domains",
                );
            }
            return None;
        }
        self.settle_list(
            domains,
            &list,
            "relay_domains",
            "`maps.relay_domains`, and routes in `maps.transport`",
        );
        let users = self.tables_of(maps, "recipients", Use::Plain);
        for name in BOXES {
            self.not_needed(name, "is the mailbox server's business");
        }
        Some(Class { list, users })
    }

    /// The names in mydestination.
    pub(super) fn local_domains(&self) -> Vec<String> {
        let names = self.list("mydestination").names;
        // A name without a dot is no domain of mail that comes from elsewhere.
        names.into_iter().filter(|name| name.contains('.')).collect()
    }

    /// The host's own domains: a mailbox transport makes them relay domains; else aliases are all there is.
    pub(super) fn local_class(&mut self) -> Option<Class> {
        let names = self.local_domains();
        let list = List { names: names.clone(), ..List::default() };
        let nexthop = match self.main.value("local_transport") {
            local if local.split(':').next() == Some("local") => self.main.value("mailbox_transport"),
            other => other,
        };
        let given = self.main.get("mydestination").is_some();
        // Both name users of these domains without the domain.
        let aliases =
            self.aliases() || self.maps.get("virtual_alias").is_some_and(|tables| !tables.is_empty());
        if !nexthop.is_empty() && !names.is_empty() {
            let from = if self.main.get("mailbox_transport").is_some() {
                "mailbox_transport"
            } else {
                "local_transport"
            };
            if self.send(from, &nexthop, &list) {
                self.carried("mydestination", "`maps.relay_domains`, and routes in `maps.transport`");
                let users = self.local_users();
                self.local_names(&names);
                return Some(Class { list, users });
            }
        }
        if aliases && !names.is_empty() {
            self.local_names(&names);
            self.mark(&names, "mydestination");
            let origin = self.main.value("myorigin");
            let mut what =
                "aliases of these domains are sent on; there are no mailboxes, and other users are refused"
                    .to_owned();
            if !names.contains(&origin) {
                what = format!("{what}; aliases are also for users of the origin, which was none of these");
            }
            self.changed(
                "mydestination",
                what,
                "give users with a mailbox here an alias, or a route to an LMTP server",
            );
        } else if given && !names.is_empty() {
            self.dropped(
                "mydestination",
                NO_MAILBOXES,
                "send their mail elsewhere by virtual aliases, or to an LMTP server by the transport map",
            );
        } else {
            self.not_needed("mydestination", "names no domain that mail comes for from elsewhere");
            for name in ["local_recipient_maps", "local_transport", "mailbox_transport", "alias_maps"] {
                if !self.report.is_settled(name) {
                    self.not_needed(name, "is for local domains, and there are none");
                }
            }
        }
        None
    }

    /// Takes the tables of local users along, if there are any but the machine's own list.
    fn local_users(&mut self) -> bool {
        let name = "local_recipient_maps";
        let value = self.main.value(name);
        if value.is_empty() {
            self.not_needed(name, "names no table: each address exists");
            return false;
        }
        if value.contains("unix:") {
            self.changed(
                name,
                "the machine's own users are no table: each address of the local domains exists",
                "list them in `maps.recipients`",
            );
            return false;
        }
        self.tables_of(name, "recipients", Use::Plain)
    }

    fn aliases(&mut self) -> bool {
        let named = self.main.get("alias_maps").is_some();
        // The default names this machine's own file: only the folder's copy is meant.
        if !named && !self.tree.folder.join("aliases").is_file() {
            return false;
        }
        if self.local_domains().is_empty() {
            self.not_needed("alias_maps", "they are for local domains, and there are none");
            return false;
        }
        self.not_needed("alias_database", "texts are read, and nothing is compiled by hand");
        self.tables_of("alias_maps", "virtual_alias", Use::Aliases)
    }

    /// Keys without a domain stand for users of these.
    fn local_names(&mut self, names: &[String]) {
        // The mx reads the aliases too; the router has its origin from the suite's own layer.
        self.draft.set(Role::Mx, "maps.origin", "${origin?}", "");
        let origin = self.main.value("myorigin");
        let others: Vec<String> = names.iter().filter(|name| **name != origin).cloned().collect();
        if !others.is_empty() {
            self.draft.set_all("maps.local_domains", others, "");
        }
    }

    /// Whether a table of the transport map has a line for everything that no other line names.
    fn routes_all(&self) -> bool {
        let tables = self.maps.get("transport").into_iter().flatten();
        let mut texts = tables.filter_map(|table| self.tables.files.get(table));
        texts.any(|text| entries(text).any(|(_, key, _)| key == "*"))
    }

    /// Adds routes for a class of domains; whether its transport has a counterpart.
    pub(super) fn send(&mut self, parameter: &str, value: &str, list: &List) -> bool {
        let route = self.tables.transport(value).unwrap_or_else(|| value.to_owned());
        if Route::parse(&route, &BTreeSet::new()).is_err() {
            if self.main.get(parameter).is_some() {
                self.dropped(
                    parameter,
                    format!("`{value}` has no counterpart"),
                    "smtp, lmtp, relay, error, retry, discard and hold are known",
                );
            }
            return false;
        }
        if self.routes_all() {
            self.not_needed(parameter, "the line `*` of the transport map holds over it");
            return true;
        }
        let mut names: BTreeSet<String> = list.names.iter().cloned().collect();
        for table in &list.tables {
            let keys = self.list_of(table.strip_prefix("proxy:").unwrap_or(table));
            match keys {
                Some(keys) => names.extend(keys.split(' ').filter(|key| !key.is_empty()).map(str::to_owned)),
                None => self.changed(
                    parameter,
                    format!("`{table}` cannot be listed"),
                    "add its domains to the transport map",
                ),
            }
        }
        let lines: Vec<String> = names.into_iter().map(|name| format!("{name} {route}")).collect();
        if !lines.is_empty() {
            let head = format!("Routes of domains, as {parameter} said.");
            let file = self.made(parameter, &head, &lines);
            // Behind the site's own tables, which hold over it.
            self.maps.entry("transport").or_default().push(file);
        }
        self.carried(parameter, "routes in `maps.transport`");
        true
    }
}
