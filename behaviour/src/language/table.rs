//! A table of a behaviour, read key by key: each gives its value or a fault, and reading goes on.

use switchyard_config::document::{Entry, Item, Node, Table};
use switchyard_config::{Faults, Place};

/// A table, and what is wrong with it.
pub(super) struct Keys<'a> {
    pub(super) table: &'a Table,
    /// Where the behaviour stands, for what is missing in it.
    pub(super) place: &'a Place,
    pub(super) faults: &'a mut Faults,
}

impl<'a> Keys<'a> {
    /// The value of a key.
    pub(super) fn item(&self, key: &str) -> Option<&'a Item> {
        self.table.get(key).map(|entry| &entry.item)
    }

    /// A fault at a value.
    pub(super) fn say(&mut self, place: &Place, message: impl Into<String>) {
        self.faults.push(place.clone(), message);
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<(&'a str, &'a Place)> {
        let item = self.item(key)?;
        match &item.node {
            Node::Text(text) => Some((text, &item.place)),
            other => {
                let message = format!("`{key}`: a text in quotes is expected, not {}", other.kind());
                self.say(&item.place, message);
                None
            }
        }
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let item = self.item(key)?;
        match item.node {
            Node::Flag(flag) => Some(flag),
            ref other => {
                self.say(&item.place, format!("`{key}`: true or false is expected, not {}", other.kind()));
                None
            }
        }
    }

    /// One text, or a list of at least one.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<(&'a str, &'a Place)>> {
        let item = self.item(key)?;
        let texts = texts_of(item);
        if texts.is_none() {
            let message =
                format!("`{key}`: a text, or a list of texts, is expected, not {}", item.node.kind());
            self.say(&item.place, message);
        }
        texts
    }

    /// The entries of a table.
    pub(super) fn entries(&mut self, key: &str) -> &'a [Entry] {
        match self.item(key).map(|item| (&item.node, &item.place)) {
            None => &[],
            Some((Node::Table(table), _)) => &table.entries,
            Some((other, place)) => {
                let message = format!("`{key}`: a table of fields is expected, not {}", other.kind());
                self.say(place, message);
                &[]
            }
        }
    }

    /// What `read` makes of a text, or the fault that it tells.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<(T, &'a Place)> {
        let (text, place) = self.text(key)?;
        match read(text) {
            Ok(value) => Some((value, place)),
            Err(message) => {
                self.say(place, format!("`{key}`: {message}"));
                None
            }
        }
    }

    /// The same of each text of a list; what can be read of it.
    pub(super) fn read_each<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<(Vec<T>, &'a Place)> {
        let place = &self.item(key)?.place;
        let mut values = Vec::new();
        for (text, place) in self.texts(key)? {
            match read(text) {
                Ok(value) => values.push(value),
                Err(message) => self.say(place, format!("`{key}`: {message}")),
            }
        }
        Some((values, place))
    }

    /// A fault: what must be there is not.
    pub(super) fn missing(&mut self, key: &str, what: &str) {
        if self.item(key).is_none() {
            self.say(self.place, format!("`{key}` is missing: {what}"));
        }
    }
}

/// One text, or a list of at least one and of nothing else.
pub(super) fn texts_of(item: &Item) -> Option<Vec<(&str, &Place)>> {
    match &item.node {
        Node::Text(text) => Some(vec![(text, &item.place)]),
        Node::List(items) if !items.is_empty() => items
            .iter()
            .map(|item| match &item.node {
                Node::Text(text) => Some((text.as_str(), &item.place)),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
