//! Defaults under behaviours, behaviours under cases: what lies above holds, key by key.

use switchyard_config::check::hint;
use switchyard_config::document::{Document, Entry, Item, Node, Table};
use switchyard_config::template::lay;
use switchyard_config::{Faults, Place};

/// What a behaviour says.
pub const SAID: [&str; 11] =
    ["name", "role", "client", "client_name", "helo", "tls", "from", "to", "message", "file", "fields"];
/// What it wants.
pub const WANTED: [&str; 7] = ["reply", "at", "route", "becomes", "sender_becomes", "header", "arrives"];
/// Keys that say the same thing in different ways: the uppermost layer's holds, and the others' are gone.
const MESSAGE: [&str; 3] = ["message", "file", "fields"];

/// One behaviour or case, whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) place: Place,
    pub(super) table: Table,
    /// What a case says of its own, to tell it from the others.
    pub(super) case: Option<Table>,
}

/// Every behaviour of a file, each case by itself.
pub(super) fn wholes(document: &Document, faults: &mut Faults) -> Vec<Whole> {
    only(&document.root, &["defaults", "behaviour"], "at the top", faults);
    let mut defaults = Table::default();
    if let Some(entry) = document.root.get("defaults") {
        match &entry.item.node {
            Node::Table(table) => {
                let known: Vec<&str> = SAID[1..].iter().chain(&WANTED).copied().collect();
                only(table, &known, "in [defaults]", faults);
                defaults = table.clone();
            }
            other => {
                let message = format!("`defaults` is a table: write [defaults], not {}", other.kind());
                faults.push(entry.item.place.clone(), message);
            }
        }
    }
    let behaviours = tables(&document.root, "behaviour", "[[behaviour]]", faults);
    if behaviours.is_empty() && faults.is_empty() {
        faults.push(Place::whole(&document.file), "no behaviour stands here: [[behaviour]] begins one");
    }
    behaviours.iter().flat_map(|(place, table)| each(place, table, &defaults, faults)).collect()
}

fn each(place: &Place, table: &Table, defaults: &Table, faults: &mut Faults) -> Vec<Whole> {
    let known: Vec<&str> = SAID.iter().chain(&WANTED).chain(&["cases"]).copied().collect();
    only(table, &known, "in [[behaviour]]", faults);
    let cases = tables(table, "cases", "cases = [{ … }, { … }]", faults);
    let own = Table { entries: table.entries.iter().filter(|entry| entry.key != "cases").cloned().collect() };
    let behaviour = over(defaults.clone(), own);
    if table.get("cases").is_none() {
        return vec![Whole { place: place.clone(), table: behaviour, case: None }];
    }
    let known: Vec<&str> = SAID.iter().chain(&WANTED).copied().collect();
    let whole = |(place, case): &(Place, Table)| {
        only(case, &known, "in a case", faults);
        let name = behaviour.get("name").cloned();
        let mut table = over(behaviour.clone(), case.clone());
        // A case's own name stands behind the behaviour's, not in its place.
        table.entries.retain(|entry| entry.key != "name");
        table.entries.extend(name);
        Whole { place: place.clone(), table, case: Some(case.clone()) }
    };
    cases.iter().map(whole).collect()
}

fn over(mut below: Table, above: Table) -> Table {
    if above.entries.iter().any(|entry| MESSAGE.contains(&entry.key.as_str())) {
        below.entries.retain(|entry| {
            entry.key == "fields" && above.get("fields").is_some() || !MESSAGE.contains(&entry.key.as_str())
        });
    }
    lay(&mut below, above);
    below
}

/// The tables of a list, each with its place.
fn tables(table: &Table, key: &str, write: &str, faults: &mut Faults) -> Vec<(Place, Table)> {
    let Some(Entry { item, .. }) = table.get(key) else { return Vec::new() };
    let wrong = |item: &Item| format!("`{key}` is a list of tables: write {write}, not {}", item.node.kind());
    let Node::List(items) = &item.node else {
        faults.push(item.place.clone(), wrong(item));
        return Vec::new();
    };
    if items.is_empty() {
        faults.push(item.place.clone(), format!("`{key}` is empty: write {write}, or leave it out"));
    }
    let mut found = Vec::new();
    for item in items {
        match &item.node {
            Node::Table(table) => found.push((item.place.clone(), table.clone())),
            _ => faults.push(item.place.clone(), wrong(item)),
        }
    }
    found
}

/// What nobody asked for, nobody knows.
fn only(table: &Table, known: &[&str], here: &str, faults: &mut Faults) {
    for Entry { key, place, .. } in &table.entries {
        if !known.contains(&key.as_str()) {
            let hint = hint(key, known.iter().copied());
            faults.push(place.clone(), format!("unknown key `{key}` {here}{hint}"));
        }
    }
}
