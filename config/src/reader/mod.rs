//! From a document to typed settings: each setting is declared once, where it is read.
//!
//! A declaration names the key, says in a line what it does and whether a running daemon takes a new value,
//! and ends in a default: `section.live("hops", "Received fields…").at_least(1).or(100)`. Reading collects
//! faults and goes on, so that a file's faults are seen together; a key that nobody declared is one of them.
//! The same walk over an empty document, with nobody listening to faults, lists every setting there is
//! ([`crate::reference`]).

mod key;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use key::Key;
use serde::{Deserialize, Serialize};

use crate::check::{Faults, Place};
use crate::document::{Document, Entry, Item, Node, Table};
use crate::reference::{Change, Setting};
use crate::unknown::{Unknown, explain};

/// What a setting holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Value {
    /// `listen.smtp[0].socket`.
    #[serde(rename = "setting")]
    pub(crate) path: String,
    /// As TOML; none when it is not given and has no default.
    #[serde(rename = "value")]
    pub(crate) text: Option<String>,
    pub(crate) change: Change,
}

/// What a walk over a document gathers.
#[derive(Debug)]
pub(crate) struct Reader {
    file: Place,
    folder: Option<PathBuf>,
    faults: RefCell<Faults>,
    settings: RefCell<Vec<Setting>>,
    values: RefCell<Vec<Value>>,
    unknown: RefCell<Vec<Unknown>>,
    /// Whether repeated tables that are absent are walked too, to learn their settings.
    everything: bool,
}

impl Reader {
    /// Reads a document; paths are seen from `folder` if there is one.
    pub(crate) fn read<T>(
        document: &Document,
        folder: Option<&Path>,
        walk: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Result<(T, Vec<Value>), Faults> {
        let reader = Self::new(&document.file, folder, false);
        let value = reader.walk(Some(&document.root), walk);
        let mut faults = reader.faults.into_inner();
        for unknown in reader.unknown.into_inner() {
            faults.push(unknown.place.clone(), explain(&unknown, &reader.settings.borrow()));
        }
        faults.or((value, reader.values.into_inner()))
    }

    /// Every setting that a walk declares.
    pub(crate) fn settings<T>(walk: impl FnOnce(&mut Section<'_>) -> T) -> Vec<Setting> {
        let reader = Self::new("", None, true);
        reader.walk(None, walk);
        reader.settings.into_inner()
    }

    fn new(file: &str, folder: Option<&Path>, everything: bool) -> Self {
        Self {
            file: Place::whole(file),
            folder: folder.map(Path::to_owned),
            faults: RefCell::default(),
            settings: RefCell::default(),
            values: RefCell::default(),
            unknown: RefCell::default(),
            everything,
        }
    }

    fn walk<T>(&self, root: Option<&Table>, walk: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let mut section = Section {
            reader: self,
            path: String::new(),
            place_path: String::new(),
            place: self.file.clone(),
            table: root,
            known: Vec::new(),
        };
        let value = walk(&mut section);
        section.close();
        value
    }
}

// ---------------------------------------------------------------------------------------------------------

/// One table of a document while it is read.
#[derive(Debug)]
pub struct Section<'a> {
    reader: &'a Reader,
    /// `limits.`, or nothing at the top; `listen.smtp[].` for each of a list.
    path: String,
    /// The same, with the number of each in its list: `listen.smtp[0].`.
    place_path: String,
    /// Where the table stands, for what is missing in it.
    place: Place,
    /// None when the document does not have it: then every setting has its default.
    table: Option<&'a Table>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// A setting whose new value a running daemon takes.
    pub fn live(&mut self, name: &'static str, doc: &'static str) -> Key<'_, 'a> {
        self.changing(Change::Live, name, doc)
    }

    /// A setting whose new value needs a restart.
    pub fn restart(&mut self, name: &'static str, doc: &'static str) -> Key<'_, 'a> {
        self.changing(Change::Restart, name, doc)
    }

    /// A setting of which the caller knows what its new value needs.
    pub fn changing(&mut self, change: Change, name: &'static str, doc: &'static str) -> Key<'_, 'a> {
        self.known.push(name);
        Key::new(self, name, doc, change)
    }

    /// A table inside this one; when it is absent, its settings have their defaults.
    pub fn section<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        self.known.push(name);
        let table = self.entry(name).and_then(|entry| self.expect_table(&entry.item, name));
        let place = self.entry(name).map_or_else(|| self.place.clone(), |entry| entry.place.clone());
        let path = format!("{name}.");
        self.inside(&path, &path, place, table, read)
    }

    /// A table inside this one that may be absent as a whole.
    pub fn section_if<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        let present = self.entry(name).is_some();
        if !present && !self.reader.everything {
            self.known.push(name);
            return None;
        }
        let value = self.section(name, read);
        present.then_some(value)
    }

    /// A list of tables: `[[listen.smtp]]`.
    pub fn each<T>(&mut self, name: &'static str, mut read: impl FnMut(&mut Section<'_>) -> T) -> Vec<T> {
        self.known.push(name);
        let path = format!("{name}[].");
        let Some(entry) = self.entry(name) else {
            if self.reader.everything {
                self.inside(&path, &path, self.place.clone(), None, &mut read);
            }
            return Vec::new();
        };
        let Node::List(items) = &entry.item.node else {
            self.say(
                entry.item.place.clone(),
                format!("`{name}` is a list of tables: write [[{}{name}]]", self.path),
            );
            return Vec::new();
        };
        let table = |item| Some((item, self.expect_table(item, name)?));
        let tables: Vec<(&Item, &Table)> = items.iter().filter_map(table).collect();
        let read_one = |(index, (item, table)): (usize, (&Item, _))| {
            self.inside(&path, &format!("{name}[{index}]."), item.place.clone(), Some(table), &mut read)
        };
        tables.into_iter().enumerate().map(read_one).collect()
    }

    /// A table of tables under names of the administrator's choice: `[pools.NAME]`.
    pub fn named<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> T,
    ) -> BTreeMap<String, T> {
        self.known.push(name);
        let Some(entry) = self.entry(name) else {
            if self.reader.everything {
                self.inside(
                    &format!("{name}.NAME."),
                    &format!("{name}.NAME."),
                    self.place.clone(),
                    None,
                    &mut read,
                );
            }
            return BTreeMap::new();
        };
        let mut values = BTreeMap::new();
        for Entry { key, place, item } in
            self.expect_table(&entry.item, name).map_or(&[][..], |table| &table.entries)
        {
            let path = format!("{name}.{key}.");
            if let Some(table) = self.expect_table(item, key) {
                values.insert(key.clone(), self.inside(&path, &path, place.clone(), Some(table), &mut read));
            }
        }
        values
    }

    /// A table whose keys and values are the administrator's own, as it stands.
    pub fn free(&mut self, name: &'static str) -> Table {
        self.known.push(name);
        self.entry(name).and_then(|entry| self.expect_table(&entry.item, name)).cloned().unwrap_or_default()
    }

    /// Where this table stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A fault in how settings fit together, said where the first of them stands.
    pub fn fault(&self, names: &[&str], message: impl Into<String>) {
        let entry = names.iter().find_map(|name| self.entry(name));
        self.say(entry.map_or_else(|| self.place.clone(), |entry| entry.item.place.clone()), message.into());
    }

    /// Whether the document gives this key.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Whether the document gives this key, and as a list of nothing.
    #[must_use]
    pub fn is_empty_list(&self, name: &str) -> bool {
        self.entry(name)
            .is_some_and(|entry| matches!(&entry.item.node, Node::List(items) if items.is_empty()))
    }

    fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.table.and_then(|table| table.get(name))
    }

    fn expect_table(&self, item: &'a Item, name: &str) -> Option<&'a Table> {
        match &item.node {
            Node::Table(table) => Some(table),
            other => {
                self.say(item.place.clone(), format!("`{name}` is a table, not {}", other.kind()));
                None
            }
        }
    }

    fn inside<T>(
        &self,
        path: &str,
        place_path: &str,
        place: Place,
        table: Option<&Table>,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let path = format!("{}{path}", self.path);
        let place_path = format!("{}{place_path}", self.place_path);
        let mut section = Section { reader: self.reader, path, place_path, place, table, known: Vec::new() };
        let value = read(&mut section);
        section.close();
        value
    }

    /// A fault at a place of the document.
    pub(crate) fn say(&self, place: Place, message: String) {
        self.reader.faults.borrow_mut().push(place, message);
    }

    /// What nobody asked for, nobody knows.
    fn close(self) {
        let entries = self.table.map_or(&[][..], |table| &table.entries);
        let strangers = entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str()));
        self.reader.unknown.borrow_mut().extend(strangers.map(|entry| Unknown {
            place: entry.place.clone(),
            path: self.path.clone(),
            key: entry.key.clone(),
            known: self.known.clone(),
        }));
    }
}
