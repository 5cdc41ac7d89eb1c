//! What holes may ask for: the site's facts, the host's own over them, and what `site.toml` says of hosts.

use switchyard_smtp::address::Domain;

use super::{Host, Role, Site};
use crate::check::Place;
use crate::document::{Item, Node, Table};
use crate::reader::Section;
use crate::template::{Facts, is_fact_name};

impl Site {
    /// `name` and whatever else `[facts]` states; `host.*` of this host; `role.ROLE.names`, `role.ROLE.addresses` and
    /// `role.ROLE.other_addresses`, those of other hosts than this, of each role: empty lists where no host has it.
    #[must_use]
    pub fn facts_of(&self, host: &Host) -> Facts {
        let mut facts = Facts::default();
        for entry in self.facts.entries.iter().chain(&host.facts.entries) {
            facts.state(entry.key.clone(), &entry.item.place, entry.item.node.clone());
        }
        let place = &host.place;
        facts.state("host.name", place, Node::Text(host.name.to_string()));
        facts.state("host.short_name", place, Node::Text(host.short_name().to_owned()));
        facts.state("host.role", place, Node::Text(host.role.as_str().to_owned()));
        facts.state("host.addresses", place, Node::List(addresses(host).collect()));
        if let Some(first) = addresses(host).next() {
            facts.state("host.address", place, first.node);
        }
        let file = Place::whole(&place.file);
        for role in Role::ALL {
            let hosts = || self.hosts.iter().filter(|host| host.role == role);
            let names = hosts().map(|host| text(&host.place, &host.name)).collect();
            // The first address of each: others may be of networks that the hosts do not share.
            let others = hosts().filter(|other| other.name != host.name);
            let others = others.filter_map(|other| addresses(other).next()).collect();
            let addresses = hosts().filter_map(|host| addresses(host).next()).collect();
            facts.state(format!("role.{}.names", role.as_str()), &file, Node::List(names));
            facts.state(format!("role.{}.addresses", role.as_str()), &file, Node::List(addresses));
            facts.state(format!("role.{}.other_addresses", role.as_str()), &file, Node::List(others));
        }
        facts
    }
}

impl Site {
    /// Whether the site states a fact for all its hosts.
    pub(super) fn states(&self, fact: &str) -> bool {
        self.facts.get(fact).is_some()
    }
}

fn text(place: &Place, name: &Domain) -> Item {
    Item { place: place.clone(), node: Node::Text(name.to_string()) }
}

fn addresses(host: &Host) -> impl Iterator<Item = Item> {
    let item = |address: &std::net::IpAddr| Item {
        place: host.place.clone(),
        node: Node::Text(address.to_string()),
    };
    host.addresses.iter().map(item)
}

/// Says what is wrong with stated facts.
pub(super) fn check(facts: &Table, section: &Section<'_>) {
    for entry in &facts.entries {
        let name = &entry.key;
        if name.contains('.') || !is_fact_name(name) {
            let message = format!("`{name}` is no fact's name: lower-case letters, digits and `_`");
            section.say(entry.place.clone(), message);
        }
        let fits = |node: &Node| matches!(node, Node::Text(_) | Node::Integer(_) | Node::Flag(_));
        let whole = match &entry.item.node {
            Node::List(items) => items.iter().all(|item| fits(&item.node)),
            node => fits(node),
        };
        if !whole {
            let message = format!(
                "the fact `{name}` is {}: a text, a number, true, false or a list of these fits",
                entry.item.node.kind()
            );
            section.say(entry.item.place.clone(), message);
        }
    }
}
