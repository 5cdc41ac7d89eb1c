//! `switchyard map stat`: what is in tables, in a compiled set, or in a running daemon.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use switchyard_maps::control::Shown;
use switchyard_maps::installed::{self, Manifest};

use super::which::{self, Table};
use crate::control::Control;
use crate::output::{Exit, Output};

/// Say what is in a table, a site's maps, a compiled set, or a running daemon's maps
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is fine; 1 a daemon has newer files that are bad and not in use; 2 it can't be told.

Examples:
  switchyard map stat site
  switchyard map stat hash:/etc/postfix/transport --json
  switchyard map stat /var/lib/switchyard/sets/7
  switchyard map stat --daemon /run/switchyard-router/control.sock")]
pub(crate) struct Arguments {
    /// A table, a site's folder, or the folder of a compiled set
    #[arg(value_name = "TABLE|DIR|SET", required_unless_present = "daemon")]
    what: Option<String>,
    /// The daemon's control socket
    #[arg(long, value_name = "SOCKET", conflicts_with = "what")]
    daemon: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let told = match (&arguments.daemon, &arguments.what) {
        (Some(socket), _) => of_daemon(socket),
        (None, Some(what)) if Path::new(what).join(installed::MANIFEST).exists() => of_set(Path::new(what)),
        (None, what) => of_tables(what.as_deref().unwrap_or_default()),
    };
    let Told { text, json, faults } = match told {
        Ok(told) => told,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    if arguments.json {
        output.data(format_args!("{json:#}\n"))?;
    } else {
        output.data(text)?;
        faults.iter().try_for_each(|fault| output.say(format_args!("not in use: {fault}")))?;
    }
    Ok(if faults.is_empty() { Exit::Fine } else { Exit::Wrong })
}

/// What was found out, for people and for programs.
struct Told {
    text: String,
    json: Value,
    faults: Vec<String>,
}

fn of_daemon(socket: &Path) -> Result<Told, String> {
    let shown: Shown = Control::new(socket).get("/maps").map_err(|error| error.to_string())?;
    let line =
        |map: &switchyard_maps::control::ShownMap| format!("{:<20} {:>10} entries\n", map.map, map.entries);
    let lines: String = shown.maps.iter().map(line).collect();
    let text = format!("generation {}\n{lines}", shown.generation);
    Ok(Told { text, json: json!(shown), faults: shown.faults })
}

fn of_set(folder: &Path) -> Result<Told, String> {
    let manifest = installed::manifest(folder).map_err(|fault| fault.to_string())?;
    installed::verify(&manifest, folder).map_err(|faults| faults.to_string())?;
    Ok(Told { text: lines_of(&manifest), json: json!(manifest), faults: Vec::new() })
}

/// A line a table.
pub(super) fn lines_of(manifest: &Manifest) -> String {
    let tables = manifest.maps.iter().flat_map(|(map, tables)| tables.iter().map(move |table| (map, table)));
    let line = |(map, table): (&String, &installed::Entry)| match &table.artifact {
        Some(artifact) => {
            let digest = artifact.identity.get(..16).unwrap_or_default();
            let beside = artifact.changes.as_ref().map(|changes| format!(" and {}", changes.file));
            format!(
                "{map:<20} {:<30} {:>10} entries  {digest}  {}{}\n",
                table.table,
                artifact.records,
                artifact.file,
                beside.unwrap_or_default()
            )
        }
        None => format!("{map:<20} {}\n", table.table),
    };
    tables.map(line).collect()
}

fn of_tables(what: &str) -> Result<Told, String> {
    let counted: Vec<Counted> =
        which::tables(what, None)?.iter().map(Counted::of).collect::<Result<_, _>>()?;
    let text = counted.iter().map(Counted::line).collect();
    let json = counted.iter().map(Counted::json).collect();
    Ok(Told { text, json, faults: Vec::new() })
}

/// One table, counted.
struct Counted {
    table: Table,
    entries: u64,
    /// How many different values its entries have.
    values: usize,
    /// Of its text, where it has one of its own.
    text: Option<Text>,
}

struct Text {
    octets: u64,
    digest: blake3::Hash,
}

impl Counted {
    fn of(table: &Table) -> Result<Self, String> {
        let (mut entries, mut values) = (0, HashSet::new());
        // Different texts with equal hashes are so rare that a count may miss one.
        let hasher = RandomState::new();
        let read = table.each(|entry| {
            entries += 1;
            values.insert(hasher.hash_one(entry.value));
            ControlFlow::Continue(())
        });
        read?;
        let text = table.file().map(|file| {
            Text::of(&file).map_err(|error| format!("{}: cannot be read: {error}", file.display()))
        });
        Ok(Self { table: table.clone(), entries, values: values.len(), text: text.transpose()? })
    }

    fn line(&self) -> String {
        let Self { table, entries, values, text } = self;
        let text = text.as_ref().map_or_else(String::new, |text| {
            let digest = text.digest.to_hex();
            format!("  {:>12} octets  {}", text.octets, digest.get(..16).unwrap_or_default())
        });
        format!("{:<40} {entries:>10} entries  {values:>8} values{text}\n", table.name())
    }

    fn json(&self) -> Value {
        let Self { table, entries, values, text } = self;
        json!({
            "map": table.map.map(|map| map.as_str()),
            "table": table.spec.to_string(),
            "entries": entries,
            "values": values,
            "octets": text.as_ref().map(|text| text.octets),
            "blake3": text.as_ref().map(|text| text.digest.to_hex().to_string()),
        })
    }
}

impl Text {
    fn of(file: &Path) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut opened = std::fs::File::open(file)?;
        let (mut piece, mut octets) = (vec![0; 1 << 16], 0);
        loop {
            match opened.read(&mut piece)? {
                0 => return Ok(Self { octets, digest: hasher.finalize() }),
                length => {
                    hasher.update(piece.get(..length).unwrap_or_default());
                    octets += length as u64;
                }
            }
        }
    }
}
