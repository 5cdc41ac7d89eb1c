//! Which tables a verb is about: one that is named as in the settings, or those of a site's maps.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use switchyard_config::Site;
use switchyard_config::site::HostSettings;
use switchyard_maps::listing::{self, Entry, ListError};
use switchyard_maps::{MapName, TableSpec};

use super::progress::Progress;

/// Which tables are meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// A table as settings name it, such as transport, hash:transport or regexp:rules; or a site's folder
    #[arg(value_name = "TABLE|DIR")]
    what: String,
    /// Only this map of the site
    #[arg(value_name = "MAP", value_parser = map)]
    map: Option<MapName>,
}

/// Reads a map's name.
pub(super) fn map(word: &str) -> Result<MapName, String> {
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
    if folder.is_dir() {
        return of_site(folder, map);
    }
    if map.is_some() {
        return Err(format!("`{what}` is no site's folder; a map's name belongs behind one"));
    }
    let spec = TableSpec::parse(what).map_err(|bad| format!("`{what}` is no table: {bad}"))?;
    let leaves = spec.leaves().into_iter();
    Ok(leaves.map(|spec| Table { map: None, spec: spec.clone(), folder: PathBuf::new() }).collect())
}

/// The tables that any host of a site asks, each once.
fn of_site(folder: &Path, only: Option<MapName>) -> Result<Vec<Table>, String> {
    let site = Site::load(folder).map_err(text)?;
    let mut tables = Vec::new();
    for host in &site.hosts {
        let options = match site.settings(host).map_err(text)? {
            HostSettings::Mx(settings) => settings.maps,
            HostSettings::Router(settings) => settings.maps,
        };
        let wanted = options.tables.iter().filter(|(map, _)| only.is_none_or(|only| only == **map));
        for (map, specs) in wanted {
            for spec in specs.iter().flat_map(TableSpec::leaves) {
                let table = Table { map: Some(*map), spec: spec.clone(), folder: site.folder.join("maps") };
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
    pub(super) fn each(&self, mut visit: impl FnMut(Entry<'_>) -> ControlFlow<()>) -> Result<(), ListError> {
        let mut progress = Progress::start(&self.name());
        let listed = listing::each(&self.spec, &self.folder, &mut |entry| {
            progress.one_more();
            visit(entry)
        });
        match listed {
            Err(ListError::NoList(_)) => Ok(()),
            other => other,
        }
    }
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
