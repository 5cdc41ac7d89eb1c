//! Which tables a verb is about: one that is named as in the settings, those of a site's maps, or those of a
//! compiled set.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use switchyard_config::Site;
use switchyard_maps::installed;
use switchyard_maps::listing::{self, Entry, ListError};
use switchyard_maps::{MapName, TableSpec};

use super::progress::Progress;
use crate::texts;

/// Which tables are meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// A table as settings name it, such as transport, hash:transport or regexp:rules; the folder of a site, or
    /// that of a compiled set
    #[arg(value_name = "TABLE|DIR|SET")]
    what: String,
    /// Only this map of it
    #[arg(value_name = "MAP", value_parser = which_map)]
    map: Option<MapName>,
}

/// Reads a map's name.
pub(super) fn which_map(word: &str) -> Result<MapName, String> {
    let names = || MapName::ALL.map(MapName::as_str).join(", ");
    MapName::parse(word).ok_or_else(|| format!("the maps are: {}", names()))
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// The map that it is a part of, where that is known.
    pub(super) map: Option<MapName>,
    pub(super) spec: TableSpec,
    /// Where its file stands.
    pub(super) folder: PathBuf,
    /// Its compiled form, in a set.
    pub(super) artifact: Option<Compiled>,
}

/// A compiled table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compiled {
    set: PathBuf,
    artifact: installed::Artifact,
}

impl Which {
    /// The tables, or what is wrong with the question.
    pub(super) fn tables(&self) -> Result<Vec<Table>, String> {
        tables(&self.what, self.map)
    }
}

/// The tables that a word stands for.
pub(super) fn tables(what: &str, map: Option<MapName>) -> Result<Vec<Table>, String> {
    let folder = Path::new(what);
    if folder.join(installed::MANIFEST).exists() {
        return of_set(folder, map);
    }
    if folder.is_dir() {
        return of_site(folder, map);
    }
    if map.is_some() {
        return Err(format!("`{what}` is no site's folder; a map's name belongs behind one"));
    }
    let spec = TableSpec::parse(what).map_err(|bad| format!("`{what}` is no table: {bad}"))?;
    let leaves = spec.leaves().into_iter();
    let table =
        |spec: &TableSpec| Table { map: None, spec: spec.clone(), folder: PathBuf::new(), artifact: None };
    Ok(leaves.map(table).collect())
}

/// The tables of a compiled set.
fn of_set(folder: &Path, only: Option<MapName>) -> Result<Vec<Table>, String> {
    let manifest = installed::manifest(folder).map_err(text)?;
    let mut tables = Vec::new();
    for (map, entries) in &manifest.maps {
        let map = which_map(map)?;
        if only.is_some_and(|only| only != map) {
            continue;
        }
        let mut open: Vec<&installed::Entry> = entries.iter().rev().collect();
        while let Some(entry) = open.pop() {
            open.extend(entry.members.iter().rev());
            let spec = TableSpec::parse(&entry.table).map_err(|bad| format!("`{}`: {bad}", entry.table))?;
            let compiled =
                |artifact: &_| Compiled { set: folder.to_owned(), artifact: Clone::clone(artifact) };
            let artifact = entry.artifact.as_ref().map(compiled);
            // The manifest's own place of the text, which may be gone by now.
            let folder = entry.source.parent().unwrap_or(Path::new("")).to_owned();
            tables.push(Table { map: Some(map), spec, folder, artifact });
        }
    }
    tables.sort_by_key(|table| table.map);
    Ok(tables)
}

/// The tables that any host of a site asks, each once.
fn of_site(folder: &Path, only: Option<MapName>) -> Result<Vec<Table>, String> {
    let site = Site::load(folder).map_err(text)?;
    let mut tables = Vec::new();
    let of_host = |host| texts::of_host(&site, host).map_err(text);
    let all: Vec<_> = site.hosts.iter().map(of_host).collect::<Result<_, _>>()?;
    for options in all.iter().flatten() {
        let wanted = options.tables.iter().filter(|(map, _)| only.is_none_or(|only| only == **map));
        for (map, specs) in wanted {
            for spec in specs.iter().flat_map(TableSpec::leaves) {
                let folder = options.folder.clone();
                let table = Table { map: Some(*map), spec: spec.clone(), folder, artifact: None };
                if !tables.contains(&table) {
                    tables.push(table);
                }
            }
        }
    }
    tables.sort_by_key(|table| table.map);
    match (tables.is_empty(), only) {
        (true, Some(map)) => Err(format!("no host of the site has a {map} map")),
        _ => Ok(tables),
    }
}

impl Table {
    /// What the table is called in answers.
    pub(super) fn name(&self) -> String {
        match self.map {
            Some(map) => format!("{map} {}", self.spec),
            None => self.spec.to_string(),
        }
    }

    /// The file that it is read from.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.spec.file().map(|file| self.folder.join(file))
    }

    /// Shows each entry, until `visit` breaks off. Tables that are no list are passed by: there is nothing to
    /// show of them but their name.
    pub(super) fn each(&self, mut visit: impl FnMut(Entry<'_>) -> ControlFlow<()>) -> Result<(), String> {
        let mut progress = Progress::start(&self.name());
        let mut counted = |entry: Entry<'_>| {
            progress.one_more();
            visit(entry)
        };
        if let Some(artifact) = &self.artifact {
            return each_compiled(artifact, &mut counted);
        }
        match listing::each(&self.spec, &self.folder, &mut counted) {
            Ok(()) | Err(ListError::NoList(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The entries of a compiled table in the order of their lines; compiled rules have no keys to show.
fn each_compiled(
    compiled: &Compiled,
    visit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
) -> Result<(), String> {
    let Compiled { set, artifact } = compiled;
    let wrong = |error: &dyn Display| format!("{}: {error}", set.join(&artifact.file).display());
    let Some(table) = installed::keys(set, artifact).map_err(text)? else { return Ok(()) };
    let read: Result<Vec<_>, _> = table.iter().collect();
    let mut entries = read.map_err(|error| wrong(&error))?;
    entries.sort_by_key(|(key, _, line)| (*line, *key));
    for (key, value, line) in entries {
        // Targets stand a line each there.
        let value = value.replace('\n', ", ");
        if visit(Entry { key, value: &value, line }).is_break() {
            break;
        }
    }
    Ok(())
}

/// Where an entry stands.
pub(super) fn place(table: &Table, line: u32) -> String {
    match table.file() {
        Some(file) => format!("{}:{line}", file.display()),
        None => table.name(),
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
