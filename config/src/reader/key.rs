//! One setting being declared.

use super::Section;
use crate::document::{Item, Node};
use crate::reference::{Change, Setting};
use crate::unknown::head;
use crate::words::Word;

/// A setting being declared; how it ends says what happens when the file is silent.
#[derive(Debug)]
pub struct Key<'s, 'a> {
    section: &'s mut Section<'a>,
    name: &'static str,
    doc: &'static str,
    change: Change,
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
        Self { section, name, doc, change, least: None, most: None }
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

    /// With this value when the file gives none.
    pub fn or<W: Word>(self, default: W) -> W {
        self.declare::<W>(false, Some(default.write()));
        self.given().unwrap_or(default)
    }

    /// Nothing when the file gives none.
    pub fn optional<W: Word>(self) -> Option<W> {
        self.declare::<W>(false, None);
        self.given()
    }

    /// A fault when the file gives none.
    pub fn required<W: Word>(self) -> W {
        self.declare::<W>(false, None);
        if !self.section.has(self.name) {
            self.missing(W::KIND);
        }
        self.given().unwrap_or_else(W::blank)
    }

    /// A list, with these values when the file gives none.
    pub fn list<W: Word>(self, default: Vec<W>) -> Vec<W> {
        let written: Vec<String> = default.iter().map(Word::write).collect();
        self.declare::<W>(true, Some(format!("[{}]", written.join(", "))));
        self.given_list().unwrap_or(default)
    }

    /// A list of at least one.
    pub fn some<W: Word>(self) -> Vec<W> {
        self.declare::<W>(true, None);
        let place = self.section.entry(self.name).map(|entry| entry.item.place.clone());
        let given = self.given_list();
        match (&given, place) {
            (None, None) => self.missing(&format!("list of {}", W::KIND)),
            (Some(list), Some(place)) if list.is_empty() => {
                self.section.say(place, format!("`{}` needs at least one {}", self.name, W::KIND));
            }
            _ => {}
        }
        given.unwrap_or_default()
    }

    fn declare<W: Word>(&self, list: bool, default: Option<String>) {
        self.section.reader.settings.borrow_mut().push(Setting {
            path: format!("{}{}", self.section.path, self.name),
            kind: W::KIND,
            list,
            choices: W::choices(),
            default,
            least: self.least.as_ref().map(|(_, text)| text.clone()),
            most: self.most.as_ref().map(|(_, text)| text.clone()),
            change: self.change,
            doc: self.doc,
        });
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
