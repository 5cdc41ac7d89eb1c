//! What a running daemon holds when it has taken new settings: those, but for what takes a restart.
//!
//! [`crate::Settings::hold`] does the same to the typed settings that the daemon goes by; a test walks all settings
//! and compares the two.

use std::collections::{BTreeMap, HashMap};

use switchyard_daemon::reload::Held;

use super::Effective;
use crate::reader::Value;
use crate::reference::Change;

impl Held for Effective {
    fn after(&self, read: Self) -> Self {
        let (before, mut now) = (Parts::of(&self.0), Parts::of(&read.0));
        now.single.retain(|path, value| value.change == Change::Live || before.single.contains_key(path));
        for (path, old) in &before.single {
            let takes_restart = |value: &Value| value.change == Change::Restart;
            if takes_restart(old) || now.single.get(path).is_some_and(takes_restart) {
                now.single.insert(path.clone(), old.clone());
            }
        }
        for (list, old) in &before.lists {
            hold(old, now.lists.entry(list.clone()).or_default());
        }
        for (list, elements) in &mut now.lists {
            if !before.lists.contains_key(list) {
                hold(&[], elements);
            }
        }
        // As they are read, so that differences are told in that order.
        let places: HashMap<&str, usize> =
            read.0.iter().enumerate().map(|(place, value)| (value.path.as_str(), place)).collect();
        let mut values = now.values();
        values.sort_by_key(|value| places.get(value.path.as_str()).copied().unwrap_or(usize::MAX));
        Self(values)
    }
}

/// One of a list of tables: its settings, by their names in it.
type Element = BTreeMap<String, Value>;

/// A list's elements are known by what takes a restart in them: such a one neither comes nor goes. What else they
/// hold is the new.
fn hold(before: &[Element], now: &mut Vec<Element>) {
    let knows =
        |elements: &[Element], one: &Element| elements.iter().any(|other| fixed(other).eq(fixed(one)));
    now.retain(|element| fixed(element).next().is_none() || knows(before, element));
    let is_missing = |old: &&Element| fixed(old).next().is_some() && !knows(now, old);
    let missing: Vec<Element> = before.iter().filter(is_missing).cloned().collect();
    now.extend(missing);
}

fn fixed(element: &Element) -> impl Iterator<Item = (&String, &Value)> {
    element.iter().filter(|(_, value)| value.change == Change::Restart)
}

/// Settings by their paths; those of lists of tables apart, `listen.smtp[0].socket` as `socket` of the first
/// `listen.smtp`.
#[derive(Default)]
struct Parts {
    single: BTreeMap<String, Value>,
    lists: BTreeMap<String, Vec<Element>>,
}

impl Parts {
    fn of(values: &[Value]) -> Self {
        let mut parts = Self::default();
        let mut last = None;
        for value in values {
            let Some((list, index, name)) = in_list(&value.path) else {
                parts.single.insert(value.path.clone(), value.clone());
                continue;
            };
            let elements = parts.lists.entry(list.to_owned()).or_default();
            // The settings of one stand together.
            if last.replace((list, index)) != Some((list, index)) {
                elements.push(Element::new());
            }
            if let Some(element) = elements.last_mut() {
                element.insert(name.to_owned(), value.clone());
            }
        }
        parts
    }

    fn values(self) -> Vec<Value> {
        let numbered = self.lists.into_iter().flat_map(|(list, elements)| {
            elements.into_iter().enumerate().flat_map(move |(index, element)| {
                let list = list.clone();
                element
                    .into_iter()
                    .map(move |(name, value)| Value { path: format!("{list}[{index}].{name}"), ..value })
            })
        });
        self.single.into_values().chain(numbered).collect()
    }
}

/// `listen.smtp[0].socket` → `listen.smtp`, `0`, `socket`.
fn in_list(path: &str) -> Option<(&str, &str, &str)> {
    let (list, rest) = path.split_once('[')?;
    let (index, name) = rest.split_once("].")?;
    (!index.is_empty() && index.bytes().all(|octet| octet.is_ascii_digit())).then_some((list, index, name))
}
