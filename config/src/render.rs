//! A document as TOML text again, with the origin of each value beside it where that is asked for.

use crate::check::Place;
use crate::document::{Document, Entry, Item, Node, Table};
use crate::words::quoted;

/// Whether each value's origin is written beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// As a comment: file and line.
    Shown,
    /// Not at all.
    Hidden,
}

/// Where the comments start, if values leave room for it.
const COMMENT_COLUMN: usize = 56;

/// Writes a document. Read again, it gives the same settings.
#[must_use]
pub fn render(document: &Document, origins: Origins) -> String {
    let mut writer = Writer { text: String::new(), origins };
    writer.table("", &document.root);
    writer.text
}

/// Each value's setting, as [`crate::change::Difference`] names it, and its origin: file and line.
#[must_use]
pub fn origins(document: &Document) -> Vec<(String, String)> {
    let mut found = Vec::new();
    origins_in("", &document.root, &mut found);
    found
}

fn origins_in(path: &str, table: &Table, found: &mut Vec<(String, String)>) {
    for entry in &table.entries {
        let path = format!("{path}{}", entry.key);
        match &entry.item.node {
            Node::Table(inner) => origins_in(&format!("{path}."), inner, found),
            Node::List(items) if is_tables(&entry.item) => {
                for (index, item) in items.iter().enumerate() {
                    if let Node::Table(inner) = &item.node {
                        origins_in(&format!("{path}[{index}]."), inner, found);
                    }
                }
            }
            _ => found.push((path, origin(&entry.place, &entry.item))),
        }
    }
}

struct Writer {
    text: String,
    origins: Origins,
}

impl Writer {
    /// Values first, tables after: what follows a head belongs to it.
    fn table(&mut self, path: &str, table: &Table) {
        for entry in &table.entries {
            if !is_table(&entry.item) && !is_tables(&entry.item) {
                self.value(entry);
            }
        }
        for entry in &table.entries {
            let path = format!("{path}{}", key(&entry.key));
            match &entry.item.node {
                Node::Table(inner) => {
                    // A table of nothing but tables needs no head of its own.
                    if inner.entries.is_empty() || inner.entries.iter().any(|entry| !is_table(&entry.item)) {
                        self.head(&format!("[{path}]"));
                    }
                    self.table(&format!("{path}."), inner);
                }
                Node::List(items) if is_tables(&entry.item) => {
                    for item in items {
                        let Node::Table(inner) = &item.node else { continue };
                        self.head(&format!("[[{path}]]"));
                        self.table(&format!("{path}."), inner);
                    }
                }
                _ => {}
            }
        }
    }

    fn head(&mut self, head: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(head);
        self.text.push('\n');
    }

    fn value(&mut self, entry: &Entry) {
        let line = format!("{} = {}", key(&entry.key), inline(&entry.item));
        match self.origins {
            Origins::Hidden => self.text.push_str(&line),
            Origins::Shown => {
                let origin = origin(&entry.place, &entry.item);
                self.text.push_str(&format!("{line:<COMMENT_COLUMN$} # {origin}"));
            }
        }
        self.text.push('\n');
    }
}

/// Where the key stands; and where its facts are stated, if not there.
fn origin(place: &Place, item: &Item) -> String {
    let mut facts: Vec<String> = Vec::new();
    let mut name = |fact: &Place| {
        let words = format!("{}:{}", fact.file, fact.line);
        if fact.file != place.file && !facts.contains(&words) {
            facts.push(words);
        }
    };
    name(&item.place);
    if let Node::List(items) = &item.node {
        items.iter().for_each(|item| name(&item.place));
    }
    let with = if facts.is_empty() { "" } else { " with " };
    format!("{}:{}{with}{}", place.file, place.line, facts.join(", "))
}

fn is_table(item: &Item) -> bool {
    matches!(item.node, Node::Table(_)) || is_tables(item)
}

fn is_tables(item: &Item) -> bool {
    matches!(&item.node, Node::List(items) if !items.is_empty()
        && items.iter().all(|item| matches!(item.node, Node::Table(_))))
}

fn inline(item: &Item) -> String {
    match &item.node {
        Node::Text(text) => quoted(text),
        Node::Integer(number) => number.to_string(),
        Node::Flag(flag) => flag.to_string(),
        Node::Other(text) => text.clone(),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Table(table) => {
            let pair = |entry: &Entry| format!("{} = {}", key(&entry.key), inline(&entry.item));
            let pairs: Vec<String> = table.entries.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

fn key(key: &str) -> String {
    let bare = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b'-';
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { quoted(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let text = "a = 1\n\"b c\" = \"q\\\"\\n\"\nmixed = [{ x = 1 }, 2]\n\n[t.inner]\nk = [\"x\", true]\n\n\
                    [empty]\n\n[[many]]\nk = 1\n\n[[many]]\n\n[[many.deep]]\nz = 1.5\n";
        let document = Document::parse("a", text).unwrap();
        let again = render(&document, Origins::Hidden);
        assert_eq!(render(&Document::parse("a", &again).unwrap(), Origins::Hidden), again);
        assert_eq!(toml::from_str::<toml::Table>(&again), toml::from_str::<toml::Table>(text));
        let shown = render(&document, Origins::Shown);
        assert_eq!(toml::from_str::<toml::Table>(&shown), toml::from_str::<toml::Table>(text));
    }
}
