//! Parameters that are lists of tables, each of one map here.

use switchyard_config::site::Role;
use switchyard_maps::spec::words;
use toml::Value;

use super::Import;
use crate::import::tables::Use;

/// Postfix's parameter, the map, and what its values are. Tables of one map are asked in this order.
const MAPS: [(&str, &str, Use); 7] = [
    ("transport_maps", "transport", Use::Transport),
    ("canonical_maps", "canonical", Use::Plain),
    ("sender_canonical_maps", "sender_canonical", Use::Plain),
    ("recipient_canonical_maps", "recipient_canonical", Use::Plain),
    ("relocated_maps", "relocated", Use::Plain),
    ("sender_dependent_default_transport_maps", "sender_route", Use::Transport),
    ("sender_dependent_relayhost_maps", "sender_route", Use::Relayhost),
];

const CLASSES: [&str; 3] = ["canonical_classes", "sender_canonical_classes", "recipient_canonical_classes"];

/// Maps that the suite's own layers name, so that one without tables is to be said.
const SUITES: [&str; 4] = ["transport", "virtual_alias", "recipients", "relay_domains"];
/// Every map, in the order in which they are written.
const ALL: [&str; 13] = [
    "relay_domains",
    "recipients",
    "virtual_alias",
    "transport",
    "canonical",
    "sender_canonical",
    "recipient_canonical",
    "relocated",
    "client_access",
    "helo_access",
    "sender_access",
    "recipient_access",
    "sender_route",
];

impl Import<'_> {
    pub(super) fn other_maps(&mut self) {
        for (parameter, map, usage) in MAPS {
            self.tables_of(parameter, map, usage);
        }
        for classes in CLASSES {
            if self.main.value(classes).contains("header") {
                let tables = classes.replace("_classes", "_maps");
                // Told once for each list of tables: it is so by default.
                if self.main.get(classes).is_some() || self.main.get(&tables).is_some() {
                    self.changed(
                        classes,
                        "addresses are written anew in the envelope alone: the content is passed on octet for octet",
                        "let the program that makes the mail write its header right",
                    );
                }
            } else {
                self.carried(classes, "the envelope alone is written anew");
            }
        }
    }

    /// Takes the tables of a parameter along, for a map; whether there were any.
    pub(super) fn tables_of(&mut self, parameter: &str, map: &'static str, usage: Use) -> bool {
        let value = self.main.value(parameter);
        let mut taken = Vec::new();
        for word in words(&value) {
            match self.tables.take(&self.tree, word, usage) {
                Ok(spec) => taken.push(spec),
                Err(not) => self.dropped(parameter, format!("`{word}`: {}", not.what), &not.advice),
            }
        }
        if !self.has_map(map) && !taken.is_empty() {
            let what = format!("no host of the site asks a map `{map}`");
            self.dropped(parameter, what, "see docs/from-postfix.md");
            return false;
        }
        if !taken.is_empty() {
            self.carried(parameter, format!("`maps.{map}`: {}", taken.join(", ")));
        } else if value.is_empty() {
            self.not_needed(parameter, "names no table");
        }
        let any = !taken.is_empty();
        self.maps.entry(map).or_default().extend(taken);
        any
    }

    /// The role that the world meets.
    pub(super) fn front(&self) -> Role {
        if self.draft.has(Role::Mx) { Role::Mx } else { Role::Router }
    }

    /// Whether some host of the site asks this map.
    pub(super) fn has_map(&self, map: &str) -> bool {
        let path = format!("maps.{map}");
        [Role::Mx, Role::Router].into_iter().any(|role| self.draft.has(role) && self.draft.knows(role, &path))
    }

    /// Makes a map file of lines; its word in the settings.
    pub(super) fn made(&mut self, name: &str, head: &str, lines: &[String]) -> String {
        let file = self.tables.free_name(name);
        let text = format!("# {head}\n\n{}\n", lines.join("\n"));
        self.tables.files.insert(file.clone(), text.into_bytes());
        file
    }

    /// Sets `[maps]` of each role, with an empty list where the suite's own layer names a file.
    pub(super) fn write_maps(&mut self) {
        for map in ALL {
            // A rule's `${1}` is no hole of ours.
            let plain = |table: &String| table.replace("${", "$${");
            let tables: Vec<String> = self.maps.get(map).into_iter().flatten().map(plain).collect();
            if tables.is_empty() && !SUITES.contains(&map) {
                continue;
            }
            let value = match tables.as_slice() {
                [one] => Value::from(one.as_str()),
                many => Value::Array(many.iter().map(|table| Value::from(table.as_str())).collect()),
            };
            let path = format!("maps.{map}");
            if map.ends_with("_access") {
                // Asked where the world comes in: behind an mx, every client of the router is that mx.
                let front = self.front();
                self.draft.set(front, &path, value, "");
            } else {
                self.draft.set_all(&path, value, "");
            }
        }
        // `example.org` stood for the domains below it too in these.
        if !self.parents.is_empty() {
            let name = "parent_domain_matches_subdomains";
            let maps: Vec<&str> = self.parents.iter().copied().collect();
            self.carried(name, format!("`maps.{name}`: {}", maps.join(", ")));
            self.draft.set_all(&format!("maps.{name}"), maps, "");
        }
        self.draft.files = std::mem::take(&mut self.tables.files);
    }
}
