//! One setting being declared.

use std::collections::BTreeMap;

use super::{Section, Value};
use crate::document::{Entry, Item, Node};
use crate::reference::{Change, Setting, Shape};
use crate::unknown::head;
use crate::words::{Word, quoted};

/// A setting being declared; how it ends says what happens when the file is silent.
#[derive(Debug)]
pub struct Key<'s, 'a> {
    section: &'s mut Section<'a>,
    name: &'static str,
    doc: &'static str,
    change: Change,
    /// The value that is given takes a restart, whatever others do.
    holds_until_restart: bool,
    /// With its text for the reference.
    least: Option<(u64, String)>,
    most: Option<(u64, String)>,
}

impl<'s, 'a> Key<'s, 'a> {
    pub(super) fn new(
        section: &'s mut Section<'a>,
        name: &'static str,
        doc: &'static str,
        change: Change,
    ) -> Self {
        Self { section, name, doc, change, holds_until_restart: false, least: None, most: None }
    }

    /// The smallest value that makes sense.
    #[must_use]
    pub fn at_least<W: Word + Copy>(mut self, least: W) -> Self {
        self.least = Some((least.measure(), least.write()));
        self
    }

    /// The largest value that makes sense.
    #[must_use]
    pub fn at_most<W: Word + Copy>(mut self, most: W) -> Self {
        self.most = Some((most.measure(), most.write()));
        self
    }

    /// Needs a restart where the value, before or after the change, is one of these.
    #[must_use]
    pub fn restart_where<W: Word>(mut self, is_one: impl Fn(&W) -> bool) -> Self {
        let given = self.section.entry(self.name).and_then(|entry| W::read(&entry.item.node).ok());
        if given.is_some_and(|word| is_one(&word)) {
            self.holds_until_restart = true;
        }
        self
    }

    /// With this value when the file gives none.
    pub fn or<W: Word>(self, default: W) -> W {
        self.declare::<W>(Shape::One, Without::Holds(default.write()));
        let value = self.given().unwrap_or(default);
        self.holds(Some(value.write()));
        value
    }

    /// Nothing when the file gives none.
    pub fn optional<W: Word>(self) -> Option<W> {
        self.declare::<W>(Shape::One, Without::Nothing);
        self.one()
    }

    /// A fault when the file gives none.
    pub fn required<W: Word>(self) -> W {
        if !self.section.has(self.name) {
            self.missing(W::KIND);
        }
        self.declare::<W>(Shape::One, Without::Fault);
        self.one().unwrap_or_else(W::blank)
    }

    fn one<W: Word>(&self) -> Option<W> {
        let value: Option<W> = self.given();
        self.holds(value.as_ref().map(Word::write));
        value
    }

    /// A list, with these values when the file gives none.
    pub fn list<W: Word>(self, default: Vec<W>) -> Vec<W> {
        self.declare::<W>(Shape::List, Without::Holds(written(&default)));
        let values = self.given_list().unwrap_or(default);
        self.holds(Some(written(&values)));
        values
    }

    /// A list of at least one.
    pub fn some<W: Word>(self) -> Vec<W> {
        self.declare::<W>(Shape::List, Without::Fault);
        match self.section.entry(self.name) {
            None => self.missing(&format!("list of {}", W::KIND)),
            Some(entry) if self.section.is_empty_list(self.name) => {
                let message = format!("`{}` needs at least one {}", self.name, W::KIND);
                self.section.say(entry.item.place.clone(), message);
            }
            Some(_) => {}
        }
        let values = self.given_list().unwrap_or_default();
        self.holds(Some(written(&values)));
        values
    }

    /// A table of such values under names of the administrator's choice; empty when the file gives none.
    pub fn by_name<W: Word>(self) -> BTreeMap<String, W> {
        self.declare::<W>(Shape::ByName, Without::Holds("{}".to_owned()));
        let table =
            self.section.entry(self.name).and_then(|entry| self.section.expect_table(&entry.item, self.name));
        let pair = |entry: &Entry| Some((entry.key.clone(), self.word(&entry.item)?));
        let entries = table.map_or(&[][..], |table| &table.entries);
        let values: BTreeMap<String, W> = entries.iter().filter_map(pair).collect();
        let pairs = values.iter().map(|(name, word)| format!("{} = {}", quoted(name), word.write()));
        self.holds(Some(format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))));
        values
    }

    fn declare<W: Word>(&self, shape: Shape, without: Without) {
        self.section.reader.settings.borrow_mut().push(Setting {
            path: format!("{}{}", self.section.path, self.name),
            kind: W::KIND,
            form: W::FORM,
            shape,
            choices: W::choices(),
            needed: without == Without::Fault,
            default: match without {
                Without::Holds(default) => Some(default),
                Without::Nothing | Without::Fault => None,
            },
            least: self.least.as_ref().map(|(_, text)| text.clone()),
            most: self.most.as_ref().map(|(_, text)| text.clone()),
            change: self.change,
            doc: self.doc,
        });
    }

    /// Keeps what holds in the end, given or not.
    fn holds(&self, text: Option<String>) {
        let path = format!("{}{}", self.section.place_path, self.name);
        let change = if self.holds_until_restart { Change::Restart } else { self.change };
        self.section.reader.values.borrow_mut().push(Value { path, text, change });
    }

    fn missing(&self, kind: &str) {
        let table = head(&self.section.path).map_or_else(String::new, |head| format!(" in {head}"));
        let message = format!("`{}` is missing{table}: a {kind} is needed", self.name);
        self.section.say(self.section.place.clone(), message);
    }

    fn given<W: Word>(&self) -> Option<W> {
        self.word(&self.section.entry(self.name)?.item)
    }

    /// None when the file gives none; what can be read of it otherwise.
    fn given_list<W: Word>(&self) -> Option<Vec<W>> {
        let item = &self.section.entry(self.name)?.item;
        match &item.node {
            Node::List(items) => Some(items.iter().filter_map(|item| self.word(item)).collect()),
            other => {
                let message = format!("`{}` is a list in brackets, not {}", self.name, other.kind());
                self.section.say(item.place.clone(), message);
                None
            }
        }
    }

    fn word<W: Word>(&self, item: &Item) -> Option<W> {
        let bounded = W::read(&item.node).and_then(|word| match (&self.least, &self.most) {
            (Some((least, text)), _) if word.measure() < *least => Err(format!("at least {text} is needed")),
            (_, Some((most, text))) if word.measure() > *most => Err(format!("at most {text} is allowed")),
            _ => Ok(word),
        });
        match bounded {
            Ok(word) => Some(match &self.section.reader.folder {
                Some(folder) => word.against(folder),
                None => word,
            }),
            Err(message) => {
                self.section.say(item.place.clone(), format!("`{}`: {message}", self.name));
                None
            }
        }
    }
}

/// What a file means that does not give a setting.
#[derive(Debug, PartialEq, Eq)]
enum Without {
    /// This holds.
    Holds(String),
    Nothing,
    /// It is wrong.
    Fault,
}

fn written<W: Word>(values: &[W]) -> String {
    let written: Vec<String> = values.iter().map(Word::write).collect();
    format!("[{}]", written.join(", "))
}
