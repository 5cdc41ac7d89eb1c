//! Which domains mail is taken for, and who exists in them: Postfix's address classes.
//!
//! | class in Postfix | here |
//! |---|---|
//! | relay | `maps.relay_domains`, `maps.recipients` |
//! | virtual alias | marks in `maps.virtual_alias`, as in virtual(5) |
//! | virtual mailbox, local | relay domains with a line in `maps.transport`, where Postfix handed them to LMTP or SMTP; else only what aliases send on |

use std::collections::BTreeSet;

use switchyard_maps::spec::words;
use switchyard_smtp::address::Domain;

use super::Import;
use crate::import::tables::Use;

/// A list of domains: names, and tables that hold more of them.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) names: Vec<String>,
    pub(super) tables: Vec<String>,
    pub(super) odd: Vec<String>,
}

/// A class of domains whose users may be listed.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) list: List,
    /// Whether tables of `maps.recipients` name its users.
    pub(super) users: bool,
}

impl Import<'_> {
    pub(super) fn domains(&mut self) {
        self.delimiter();
        self.tables_of("virtual_alias_maps", "virtual_alias", Use::Plain);
        self.virtual_alias_domains();
        let mut classes: Vec<Class> = self.mailbox_class().into_iter().chain(self.local_class()).collect();
        classes.push(self.relay_class(classes.is_empty()));
        self.recipients(&classes);
        let mut names: BTreeSet<String> = classes.iter().flat_map(|class| class.list.names.clone()).collect();
        if self.parents.contains("relay_domains") {
            names.retain(|name| !name.starts_with('.'));
        }
        if !names.is_empty() {
            let head = "Domains that mail is taken for, as main.cf names them.";
            let lines: Vec<String> = names.into_iter().collect();
            let file = self.made("domains", head, &lines);
            self.maps.entry("relay_domains").or_default().insert(0, file);
        }
    }

    fn delimiter(&mut self) {
        let delimiter = self.main.value("recipient_delimiter");
        if !delimiter.is_empty() {
            self.draft.fact("recipient_delimiter", delimiter, "what parts a user from an extension");
            self.carried("recipient_delimiter", "the fact `recipient_delimiter` in site.toml");
        }
    }

    /// Reads a list of domains: names, `/file`, `type:table`.
    pub(super) fn list(&self, parameter: &str) -> List {
        let mut list = List::default();
        self.add_to_list(&self.main.value(parameter), &mut list, 0);
        list
    }

    fn add_to_list(&self, value: &str, list: &mut List, depth: u32) {
        for word in words(value) {
            if word.starts_with('/') && depth < 3 {
                match self.list_of(word) {
                    Some(text) => self.add_to_list(&text, list, depth + 1),
                    None => list.odd.push(word.to_owned()),
                }
            } else if word.contains(':') {
                list.tables.push(word.to_owned());
            } else if Domain::parse(word.strip_prefix('.').unwrap_or(word)).is_ok() {
                list.names.push(word.to_ascii_lowercase());
            } else {
                list.odd.push(word.to_owned());
            }
        }
    }

    /// Tells of words that are no domains, and takes the tables along for a map.
    pub(super) fn settle_list(&mut self, parameter: &str, list: &List, map: &'static str, whither: &str) {
        for word in &list.odd {
            self.dropped(
                parameter,
                format!("`{word}` is no domain and no file that is there"),
                "name the domains",
            );
        }
        let mut whole = true;
        for table in &list.tables {
            match self.tables.take(&self.tree, table, Use::Plain) {
                Ok(spec) => self.maps.entry(map).or_default().push(spec),
                Err(not) => {
                    whole = false;
                    self.dropped(parameter, format!("`{table}`: {}", not.what), &not.advice);
                }
            }
        }
        if whole && list.odd.is_empty() {
            self.carried(parameter, whither);
        }
    }

    fn virtual_alias_domains(&mut self) {
        // Without it, keys of the alias maps that are domains are the marks, as they are here.
        if self.main.get("virtual_alias_domains").is_none() {
            return;
        }
        if self.main.value("virtual_alias_domains") == self.main.value("virtual_alias_maps") {
            return self.carried("virtual_alias_domains", "the alias maps themselves mark their domains");
        }
        let list = self.list("virtual_alias_domains");
        self.mark(&list.names, "virtual_alias_domains");
        self.settle_list("virtual_alias_domains", &list, "virtual_alias", "marks in `maps.virtual_alias`");
    }

    /// Marks domains as virtual alias domains: mail is taken for what the aliases name, and nothing else.
    pub(super) fn mark(&mut self, domains: &[String], name: &str) {
        if !domains.is_empty() {
            let lines: Vec<String> = domains.iter().map(|domain| format!("{domain} domain")).collect();
            let head = "Virtual alias domains: addresses in them exist where an alias names them.";
            let file = self.made(name, head, &lines);
            self.maps.entry("virtual_alias").or_default().push(file);
        }
    }

    /// Relay domains; `alone` when no other class stands in the same map.
    fn relay_class(&mut self, alone: bool) -> Class {
        let mut list = self.list("relay_domains");
        // `$mydestination`, its default of old, is the local class.
        let local: BTreeSet<String> = self.local_domains().into_iter().collect();
        list.names.retain(|name| !local.contains(name));
        self.settle_list("relay_domains", &list, "relay_domains", "`maps.relay_domains`");
        if self.is_parent_matching("relay_domains") && !(list.names.is_empty() && list.tables.is_empty()) {
            self.subdomains(&mut list, alone);
        }
        let users = self.tables_of("relay_recipient_maps", "recipients", Use::Plain);
        let nexthop = self.main.value("relay_transport");
        if !matches!(nexthop.as_str(), "relay" | "smtp") {
            self.send("relay_transport", &nexthop, &list);
        }
        Class { list, users }
    }

    /// Whether `example.org` in a list stood for the domains below it too.
    pub(super) fn is_parent_matching(&self, feature: &str) -> bool {
        let value = self.main.value("parent_domain_matches_subdomains");
        words(&value).any(|word| word == feature)
    }

    fn subdomains(&mut self, list: &mut List, alone: bool) {
        if alone {
            self.parents.insert("relay_domains");
        }
        // Domains of other classes stand for themselves; and a route is for the name that it is written for.
        let mut names = list.names.clone();
        for table in &list.tables {
            let keys = self.list_of(table.strip_prefix("proxy:").unwrap_or(table)).unwrap_or_default();
            names.extend(keys.split(' ').filter(|key| !key.is_empty()).map(str::to_owned));
        }
        let below = names.iter().filter(|name| !name.starts_with('.')).map(|name| format!(".{name}"));
        list.names.extend(below);
        if !alone && !list.tables.is_empty() {
            self.changed(
                "relay_domains",
                "the domains below those of a table stand in `maps/domains`, as the table was when it was imported",
                "add a line `.example.org` for each new domain of the table whose subdomains are meant too",
            );
        }
    }

    /// A class without a list of users beside one with it: all of its addresses exist.
    fn recipients(&mut self, classes: &[Class]) {
        if classes.iter().all(|class| !class.users) {
            return;
        }
        let mut lines = BTreeSet::new();
        for class in classes.iter().filter(|class| !class.users) {
            lines.extend(
                class
                    .list
                    .names
                    .iter()
                    .filter(|name| !name.starts_with('.'))
                    .map(|name| format!("@{name} OK")),
            );
            for table in &class.list.tables {
                let keys = self.list_of(table).unwrap_or_default();
                lines.extend(keys.split(' ').filter(|key| !key.is_empty()).map(|key| format!("@{key} OK")));
            }
        }
        if !lines.is_empty() {
            let lines: Vec<String> = lines.into_iter().collect();
            let file =
                self.made("any_user", "Domains whose users no table listed: each address exists.", &lines);
            self.maps.entry("recipients").or_default().push(file);
        }
    }
}
