//! Layers and holes: base ⊕ role ⊕ host, and `${…}` filled with facts.
//!
//! A later layer wins key by key; a list is replaced as a whole, never joined, so that what a file says is
//! what holds. A hole takes its fact's kind when it is the whole text; inside a longer text it takes the
//! fact's words. In a list, a text with a hole whose fact is a list stands once for each of its values, so
//! that `"[${role.router.addresses}]:25"` is every router. `${name?}` may lack its fact: then the value is
//! as if it had not been written. `$${` is a plain `${`. A table's name may hold a hole too, `[pools."${name}"]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Faults, Place, hint};
use crate::document::{Entry, Item, Node, Table};

/// Octets that a text may grow to.
const MAX_TEXT: usize = 64 << 10;

/// Facts by name, each with the place it is stated at.
#[derive(Debug, Clone, Default)]
pub struct Facts(BTreeMap<String, Item>);

impl Facts {
    /// States a fact; a later statement wins.
    pub fn state(&mut self, name: impl Into<String>, place: &Place, node: Node) {
        self.0.insert(name.into(), Item { place: place.clone(), node });
    }

    /// Each fact by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.0.iter().map(|(name, item)| (name.as_str(), item))
    }
}

/// Lays a layer over another.
pub fn lay(lower: &mut Table, upper: Table) {
    for entry in upper.entries {
        match lower.get_mut(&entry.key) {
            None => lower.entries.push(entry),
            Some(below) => match (&mut below.item.node, entry.item.node) {
                (Node::Table(below), Node::Table(above)) => lay(below, above),
                (_, above) => *below = Entry { item: Item { node: above, ..entry.item }, ..entry },
            },
        }
    }
}

/// Fills every hole of a table.
pub fn fill(table: &mut Table, facts: &Facts, faults: &mut Faults) {
    for mut entry in std::mem::take(&mut table.entries) {
        if !fill_key(&mut entry, facts, faults) || !fill_item(&mut entry.item, facts, faults) {
            continue;
        }
        // A name that comes of a hole may be one that a later layer has written out.
        lay(table, Table { entries: vec![entry] });
    }
}

/// Fills an entry's name; false where an optional fact is not stated.
fn fill_key(entry: &mut Entry, facts: &Facts, faults: &mut Faults) -> bool {
    if !entry.key.contains("${") {
        return true;
    }
    match filled(&entry.key, &entry.place, facts, faults) {
        Filled::Nothing => return false,
        Filled::One(Item { node: Node::Text(name), .. }) => entry.key = name,
        Filled::One(_) | Filled::Many(..) => {
            let message = format!("`{}` is a name: the fact in it must be a text", entry.key);
            faults.push(entry.place.clone(), message);
        }
    }
    true
}

/// Fills a value; false where it is as if it were not written.
fn fill_item(item: &mut Item, facts: &Facts, faults: &mut Faults) -> bool {
    match &mut item.node {
        Node::Table(inner) => {
            let had_any = !inner.entries.is_empty();
            fill(inner, facts, faults);
            // Otherwise all it held were values whose facts are not stated.
            return !had_any || !inner.entries.is_empty();
        }
        Node::List(items) => *items = fill_list(std::mem::take(items), facts, faults),
        Node::Text(text) => match filled(text, &item.place, facts, faults) {
            Filled::Nothing => return false,
            Filled::One(one) => *item = one,
            Filled::Many(name, _) => {
                let message = format!("the fact `{name}` is a list: it fits a list, or a text inside one");
                faults.push(item.place.clone(), message);
            }
        },
        Node::Integer(_) | Node::Flag(_) | Node::Other(_) => {}
    }
    true
}

/// The names of the facts that a table's holes ask for.
pub fn asked_for<'a>(table: &'a Table, names: &mut BTreeSet<&'a str>) {
    for entry in &table.entries {
        asked_for_text(&entry.key, names);
        asked_for_in(&entry.item, names);
    }
}

fn asked_for_text<'a>(text: &'a str, names: &mut BTreeSet<&'a str>) {
    for piece in pieces(text).unwrap_or_default() {
        if let Piece::Hole { name, .. } = piece {
            names.insert(name);
        }
    }
}

fn asked_for_in<'a>(item: &'a Item, names: &mut BTreeSet<&'a str>) {
    match &item.node {
        Node::Table(inner) => asked_for(inner, names),
        Node::List(items) => items.iter().for_each(|item| asked_for_in(item, names)),
        Node::Text(text) => asked_for_text(text, names),
        Node::Integer(_) | Node::Flag(_) | Node::Other(_) => {}
    }
}

fn fill_list(items: Vec<Item>, facts: &Facts, faults: &mut Faults) -> Vec<Item> {
    let mut all = Vec::new();
    for mut item in items {
        match &mut item.node {
            Node::Table(inner) => fill(inner, facts, faults),
            Node::List(inner) => *inner = fill_list(std::mem::take(inner), facts, faults),
            Node::Text(text) => {
                match filled(text, &item.place, facts, faults) {
                    Filled::Nothing => {}
                    Filled::One(one) => all.push(one),
                    Filled::Many(_, many) => all.extend(many),
                }
                continue;
            }
            Node::Integer(_) | Node::Flag(_) | Node::Other(_) => {}
        }
        all.push(item);
    }
    all
}

// ---------------------------------------------------------------------------------------------------------

/// What came of a text.
enum Filled {
    /// An optional fact is not stated.
    Nothing,
    One(Item),
    /// One for each value of the list that the named fact is.
    Many(String, Vec<Item>),
}

fn filled(text: &str, place: &Place, facts: &Facts, faults: &mut Faults) -> Filled {
    let as_it_is = || Filled::One(Item { place: place.clone(), node: Node::Text(text.to_owned()) });
    let pieces = match pieces(text) {
        Ok(pieces) => pieces,
        Err(message) => {
            faults.push(place.clone(), message);
            return as_it_is();
        }
    };
    let mut found = Vec::new();
    for piece in &pieces {
        let Piece::Hole { name, optional } = piece else { continue };
        match facts.0.get(*name) {
            Some(item) => found.push((*name, item)),
            None if *optional => return Filled::Nothing,
            None => {
                // What the site states, or what is stated for it: not all of both.
                let kin = |known: &&str| known.contains('.') == name.contains('.');
                let hint = hint(name, facts.0.keys().map(String::as_str).filter(kin));
                faults.push(place.clone(), format!("no fact `{name}`: state it in site.toml{hint}"));
                return as_it_is();
            }
        }
    }
    // A hole alone takes its fact as it is, number or list, and a fault in it is one of where it is stated.
    if let ([Piece::Hole { .. }], [(name, item)]) = (pieces.as_slice(), found.as_slice()) {
        return match &item.node {
            Node::List(values) => Filled::Many((*name).to_owned(), values.clone()),
            _ => Filled::One((*item).clone()),
        };
    }
    let mut lists = found.iter().filter_map(|(name, item)| match &item.node {
        Node::List(values) => Some((*name, values)),
        _ => None,
    });
    let list = lists.next();
    if lists.any(|(name, _)| Some(name) != list.map(|(name, _)| name)) {
        faults.push(place.clone(), format!("\"{text}\" holds two facts that are lists: one at most"));
        return as_it_is();
    }
    let one = |value: Option<&Node>| {
        let words: String = pieces.iter().map(|piece| piece.words(facts, value)).collect();
        Item { place: place.clone(), node: Node::Text(words) }
    };
    let filled = match list {
        None => Filled::One(one(None)),
        Some((name, values)) => {
            Filled::Many(name.to_owned(), values.iter().map(|value| one(Some(&value.node))).collect())
        }
    };
    let long = |item: &Item| matches!(&item.node, Node::Text(text) if text.len() > MAX_TEXT);
    let too_long = match &filled {
        Filled::Nothing => false,
        Filled::One(item) => long(item),
        Filled::Many(_, items) => items.iter().any(long),
    };
    if too_long {
        faults.push(place.clone(), format!("the text is longer than {MAX_TEXT} octets once it is filled"));
        return as_it_is();
    }
    filled
}

// ---------------------------------------------------------------------------------------------------------

/// A part of a text.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Plain(&'a str),
    Hole { name: &'a str, optional: bool },
}

impl Piece<'_> {
    /// As a part of a longer text; `value` stands for the one fact that is a list.
    fn words(&self, facts: &Facts, value: Option<&Node>) -> String {
        let words = |node: &Node| match node {
            Node::Text(text) | Node::Other(text) => text.clone(),
            Node::Integer(number) => number.to_string(),
            Node::Flag(flag) => flag.to_string(),
            Node::List(_) | Node::Table(_) => String::new(),
        };
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Hole { name, .. } => match facts.0.get(*name).map(|item| &item.node) {
                Some(Node::List(_)) => value.map(words).unwrap_or_default(),
                Some(node) => words(node),
                None => String::new(),
            },
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let before = &rest[..at];
        if let Some(before) = before.strip_suffix('$') {
            pieces.push(Piece::Plain(before));
            pieces.push(Piece::Plain("${"));
            rest = &rest[at + 2..];
            continue;
        }
        if !before.is_empty() {
            pieces.push(Piece::Plain(before));
        }
        let hole = &rest[at + 2..];
        let (name, after) =
            hole.split_once('}').ok_or_else(|| format!("\"{text}\" opens a hole that nothing closes"))?;
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        if !is_fact_name(name) {
            return Err(format!(
                "`${{{name}}}` is no hole: a fact's name is lower-case letters, digits, `_` and `.`"
            ));
        }
        pieces.push(Piece::Hole { name, optional });
        rest = after;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    Ok(pieces)
}

/// What a hole may ask for.
pub(crate) fn is_fact_name(name: &str) -> bool {
    let letter =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_' || octet == b'.';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(letter)
}

#[cfg(test)]
mod tests;
