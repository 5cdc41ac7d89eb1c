//! `switchyard map diff`: what changes from one state of the maps to another.
//!
//! The old state is held in memory, the new one is read past it. Of a key that stands in several tables of a
//! map, the first counts, as when it is asked.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;

use clap::Args;
use serde_json::json;
use switchyard_maps::{MapName, TableSpec};

use super::which::{self, Table, place};
use crate::output::{Exit, Output};

/// Say which keys are new, gone or changed between two states of a table, of a site's maps, or of a set
#[derive(Debug, Args)]
#[command(after_help = "\
Keys of texts are compared without regard to case, as they are asked. Of rules only the patterns are compared, \
not their order. A compiled set has values as they were read, a text as they stand: compare like with like.

Exit codes: 0 no difference; 1 there are some; 2 the question is wrong.

Examples:
  switchyard map diff site.before site
  switchyard map diff site.before site transport --json
  switchyard map diff /var/lib/switchyard/sets/6 /var/lib/switchyard/sets/7
  switchyard map diff hash:transport.old hash:transport --count")]
pub(crate) struct Arguments {
    /// The state before: a table, the folder of a site, or that of a compiled set
    #[arg(value_name = "OLD")]
    old: String,
    /// The state after
    #[arg(value_name = "NEW")]
    new: String,
    /// Only this map of them
    #[arg(value_name = "MAP", value_parser = which::which_map)]
    map: Option<MapName>,
    /// Only how many there are
    #[arg(long)]
    count: bool,
    /// As one JSON object: {added, removed, changed} by number, and a list of differences
    #[arg(long)]
    json: bool,
}

/// A key in its map.
type Key = (Option<MapName>, String);

/// What the old state says to a key.
struct Old {
    key: String,
    value: String,
    place: String,
    /// In the new state, too.
    seen: bool,
}

/// One key that is not what it was.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    map: Option<MapName>,
    key: String,
    old: Option<String>,
    new: Option<String>,
    /// Where it stands, or stood.
    place: String,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let differences = match arguments.compare() {
        Ok(differences) => differences,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    let count = |sign| differences.iter().filter(|difference| difference.sign() == sign).count();
    let (added, removed, changed) = (count('+'), count('-'), count('~'));
    if arguments.json {
        let mut told = json!({ "added": added, "removed": removed, "changed": changed });
        if !arguments.count {
            told["differences"] = differences.iter().map(Difference::json).collect();
        }
        output.data(format_args!("{told:#}\n"))?;
    } else {
        if !arguments.count {
            let lines: String = differences.iter().map(Difference::line).collect();
            output.data(lines)?;
        }
        output.data(format_args!("{added} added, {removed} removed, {changed} changed\n"))?;
    }
    Ok(if differences.is_empty() { Exit::Fine } else { Exit::Wrong })
}

impl Arguments {
    /// New and changed keys in the order of the new state, then those that are gone, in the order of the old.
    fn compare(&self) -> Result<Vec<Difference>, String> {
        let (old, new) = (which::tables(&self.old, self.map)?, which::tables(&self.new, self.map)?);
        let mut known = HashMap::new();
        for table in &old {
            let read = table.each(|entry| {
                let place = place(table, entry.line);
                let value = Old { key: entry.key.into(), value: entry.value.into(), place, seen: false };
                known.entry(key(table, entry.key)).or_insert(value);
                ControlFlow::Continue(())
            });
            read?;
        }
        let mut differences = Vec::new();
        let mut added = HashSet::new();
        for table in &new {
            let read = table.each(|entry| {
                let asked = key(table, entry.key);
                let difference = |old: Option<String>| Difference {
                    map: table.map,
                    key: entry.key.to_owned(),
                    old,
                    new: Some(entry.value.to_owned()),
                    place: place(table, entry.line),
                };
                match known.get_mut(&asked) {
                    Some(old) if old.seen => {}
                    Some(old) => {
                        old.seen = true;
                        if old.value != entry.value && !is_list(table.map) {
                            differences.push(difference(Some(old.value.clone())));
                        }
                    }
                    None => {
                        if added.insert(asked) {
                            differences.push(difference(None));
                        }
                    }
                }
                ControlFlow::Continue(())
            });
            read?;
        }
        let gone = known.into_iter().filter(|(_, old)| !old.seen);
        let mut gone: Vec<Difference> = gone
            .map(|((map, _), old)| Difference {
                map,
                key: old.key,
                old: Some(old.value),
                new: None,
                place: old.place,
            })
            .collect();
        gone.sort_by(|one, other| (one.map, &one.key).cmp(&(other.map, &other.key)));
        differences.extend(gone);
        Ok(differences)
    }
}

/// In a list, what stands behind a key says nothing.
fn is_list(map: Option<MapName>) -> bool {
    matches!(map, Some(MapName::Recipients | MapName::RelayDomains))
}

fn key(table: &Table, key: &str) -> Key {
    let is_rule = matches!(table.spec, TableSpec::Regexp(_) | TableSpec::Pcre(_));
    (table.map, if is_rule { key.to_owned() } else { key.to_lowercase() })
}

impl Difference {
    fn sign(&self) -> char {
        match (&self.old, &self.new) {
            (None, _) => '+',
            (Some(_), None) => '-',
            (Some(_), Some(_)) => '~',
        }
    }

    fn line(&self) -> String {
        let map = self.map.map(|map| format!("{map}  ")).unwrap_or_default();
        let value = match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{old} -> {new}"),
            (Some(value), None) | (None, Some(value)) => value.clone(),
            (None, None) => String::new(),
        };
        let line = format!("{} {map}{}  {value}", self.sign(), self.key);
        format!("{}  ({})\n", line.trim_end(), self.place)
    }

    fn json(&self) -> serde_json::Value {
        let kind = match self.sign() {
            '+' => "added",
            '-' => "removed",
            _ => "changed",
        };
        let Self { map, key, old, new, place } = self;
        json!({ "kind": kind, "map": map.map(MapName::as_str), "key": key, "old": old, "new": new, "place": place })
    }
}
