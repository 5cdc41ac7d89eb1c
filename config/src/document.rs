//! The raw form of a settings file: a tree of tables, lists and words, each with the place it stands at.
//!
//! Nothing is known here about which keys there are: that is the reader's business ([`crate::reader`]). What
//! is known is the order of the file, which a rendered document keeps, and the place, which every fault and
//! `--origin` name.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check::{Faults, Place};

/// Octets of a settings file: far over any real one, and a bound on what a mistaken path makes us read.
const MAX_FILE: u64 = 1 << 20;

/// A whole settings file, or several laid over one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The file's name, for what has no line of its own.
    pub file: Arc<str>,
    /// The top of the tree.
    pub root: Table,
}

/// Keys with their values, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Each key once.
    pub entries: Vec<Entry>,
}

/// A key and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands, which for a table is its head.
    pub place: Place,
    /// What it holds.
    pub item: Item,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where.
    pub place: Place,
    /// What.
    pub node: Node,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A string.
    Text(String),
    /// An integer.
    Integer(i64),
    /// True or false.
    Flag(bool),
    /// An array.
    List(Vec<Item>),
    /// A table.
    Table(Table),
    /// What TOML knows and no setting takes: a float or a date, as written.
    Other(String),
}

impl Node {
    /// What to call it in a fault.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(_) => "a fraction or a date",
        }
    }
}

impl Table {
    /// The entry of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is over a megabyte, or is not TOML.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let file = path.display().to_string();
        let refuse = |message: String| Faults::one(Place::whole(&file), message);
        let cannot = |error: std::io::Error| refuse(format!("cannot be read: {error}"));
        let file_handle = File::open(path).map_err(cannot)?;
        let mut octets = Vec::new();
        // Not the length the file claims: a pipe or a device claims none.
        file_handle.take(MAX_FILE + 1).read_to_end(&mut octets).map_err(cannot)?;
        if octets.len() as u64 > MAX_FILE {
            return Err(refuse(format!("is longer than {MAX_FILE} octets: no settings file")));
        }
        let text = String::from_utf8(octets).map_err(|error| {
            refuse(format!("is not UTF-8 from octet {} on", error.utf8_error().valid_up_to()))
        })?;
        Self::parse(&file, &text)
    }

    /// Reads a text; `file` is the name that faults give it.
    ///
    /// # Errors
    /// When it is not TOML: every fault of the grammar that can be told apart.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let lines = Lines::of(file, text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = lines.place(error.span().map_or(0, |span| span.start));
            faults.push(place, error.message().replace('\n', "; "));
        }
        // A value that could not be read is not looked at further: what follows from it misleads.
        if !faults.is_empty() {
            return faults.or(Self { file: file.into(), root: Table::default() });
        }
        let root = table(&lines, root.get_ref(), &mut faults);
        faults.or(Self { file: file.into(), root })
    }
}

fn table(lines: &Lines<'_>, from: &DeTable<'_>, faults: &mut Faults) -> Table {
    let mut pairs: Vec<_> = from.iter().collect();
    // The parser keeps keys in alphabetic order; a person keeps them in the order of thought.
    pairs.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        place: lines.place(key.span().start),
        item: item(lines, value, faults),
    };
    Table { entries: pairs.into_iter().map(entry).collect() }
}

fn item(lines: &Lines<'_>, from: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Item {
    let place = lines.place(from.span().start);
    let node = match from.get_ref() {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Node::Integer(number),
            Err(_) => {
                faults.push(place.clone(), format!("{number} is too large a number"));
                Node::Integer(0)
            }
        },
        DeValue::Float(number) => Node::Other(number.to_string()),
        DeValue::Boolean(flag) => Node::Flag(*flag),
        DeValue::Datetime(date) => Node::Other(date.to_string()),
        DeValue::Array(list) => Node::List(list.iter().map(|each| item(lines, each, faults)).collect()),
        DeValue::Table(inner) => Node::Table(table(lines, inner, faults)),
    };
    Item { place, node }
}

// ---------------------------------------------------------------------------------------------------------

/// Where each line of a text starts, to tell an offset's line and column.
struct Lines<'a> {
    file: Arc<str>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(file: &str, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file: file.into(), text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Place { file: self.file.clone(), line: narrow(line), column: narrow(column) }
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order_and_their_place() {
        let document =
            Document::parse("a.toml", "z = \"é\"\n[b]\n  y = 1 # one\n  c = [true, 'x']\n").unwrap();
        let keys: Vec<&str> = document.root.entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["z", "b"]);
        let Node::Table(inner) = &document.root.get("b").unwrap().item.node else { panic!("a table") };
        let list = &inner.get("c").unwrap().item;
        assert_eq!(list.place.to_string(), "a.toml:4:7");
        assert_eq!(inner.get("y").unwrap().item.node, Node::Integer(1));
    }

    #[test]
    fn all_faults_of_the_grammar_come_at_once() {
        let faults = Document::parse("a.toml", "a = \nb = 1\nc = =\nb = 2\n").unwrap_err();
        let lines: Vec<u32> = faults.iter().map(|fault| fault.place.line).collect();
        assert!(lines.contains(&1) && lines.contains(&3), "{faults}");
        let faults = Document::parse("a.toml", "a = 99999999999999999999").unwrap_err();
        assert_eq!(faults.to_string(), "a.toml:1:5: 99999999999999999999 is too large a number");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_one_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.toml");
        let text = Document::load(&path).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}: cannot be read", path.display())), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}|[a-z=\\[\\]{}\",.0-9\n# ]{0,200}") {
            let _ = Document::parse("a.toml", &text);
        }
    }
}
