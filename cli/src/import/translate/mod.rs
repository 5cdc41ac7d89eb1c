//! From Postfix's settings to a site: one file for each part of them.
//!
//! Each part takes the parameters it knows and leaves a note for each that main.cf sets; what is left at the
//! end goes through `known`, so that no line of main.cf is without its note.

mod access;
mod domains;
mod families;
mod known;
mod mailboxes;
mod maps;
mod names;
mod networks;
mod numbers;
mod route;
mod services;
mod tls;

use std::collections::{BTreeMap, BTreeSet};

use super::Question;
use super::draft::Draft;
use super::main_cf::MainCf;
use super::master_cf::Service;
use super::report::{Fate, Note, Report};
use super::tables::Tables;
use super::tree::Tree;

/// What Postfix says, and what is made of it.
pub(super) struct Import<'a> {
    pub(super) question: &'a Question,
    pub(super) tree: Tree,
    pub(super) main: MainCf,
    pub(super) services: Vec<Service>,
    pub(super) draft: Draft,
    pub(super) report: Report,
    pub(super) tables: Tables,
    /// The tables of each map, as the settings will name them.
    pub(super) maps: BTreeMap<&'static str, Vec<String>>,
    /// Maps in which a domain stands for those below it too.
    pub(super) parents: BTreeSet<&'static str>,
}

impl Import<'_> {
    /// Makes the site.
    ///
    /// # Errors
    /// When main.cf leaves out what no site can be without.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.odd_lines();
        self.tree.set_home(&self.main.value("config_directory"));
        self.tables.queue_directory = self.main.value("queue_directory");
        self.names()?;
        self.listeners();
        self.networks();
        self.other_maps();
        self.domains();
        self.access();
        self.routes();
        self.numbers();
        self.tls();
        self.write_maps();
        self.value_edits();
        self.report.tables = std::mem::take(&mut self.tables.notes);
        self.leftovers();
        self.report.sort();
        Ok(())
    }

    fn odd_lines(&mut self) {
        for (line, what) in std::mem::take(&mut self.main.odd) {
            self.report.push(note("main.cf", line, "", Fate::NotNeeded, what));
        }
    }

    /// Values of tables that had to be written in other words.
    fn value_edits(&mut self) {
        for (file, line, before, after) in std::mem::take(&mut self.tables.edits) {
            let what = format!("written as `{after}`, which is the word here");
            self.report.push(note(&format!("maps/{file}"), line, &before, Fate::Carried, what));
        }
    }

    // ---- notes on parameters ----

    /// A note on a parameter of main.cf; where the file does not set it, Postfix's default is told of.
    fn settle(&mut self, name: &str, fate: Fate, what: String, advice: Option<&str>) {
        let (file, line, value) = match self.main.get(name) {
            Some(parameter) => (parameter.file, parameter.line, parameter.raw.clone()),
            None => ("main.cf", 0, self.main.value(name)),
        };
        let (file, setting, advice) = (file.to_owned(), name.to_owned(), advice.map(str::to_owned));
        self.report.push(Note { file, line, setting, value, fate, what, advice });
    }

    fn carried(&mut self, name: &str, what: impl Into<String>) {
        // A default that is carried says nothing to the person who did not set it.
        if self.main.get(name).is_some() {
            self.settle(name, Fate::Carried, what.into(), None);
        }
    }

    fn changed(&mut self, name: &str, what: impl Into<String>, advice: &str) {
        self.settle(name, Fate::Changed, what.into(), Some(advice));
    }

    fn dropped(&mut self, name: &str, what: impl Into<String>, advice: &str) {
        self.settle(name, Fate::Dropped, what.into(), Some(advice));
    }

    fn not_needed(&mut self, name: &str, what: impl Into<String>) {
        if self.main.get(name).is_some() {
            self.settle(name, Fate::NotNeeded, what.into(), None);
        }
    }
}

/// A note on a line that is no parameter's.
fn note(file: &str, line: u32, value: &str, fate: Fate, what: impl Into<String>) -> Note {
    Note {
        file: file.to_owned(),
        line,
        setting: String::new(),
        value: value.to_owned(),
        fate,
        what: what.into(),
        advice: None,
    }
}
