//! Tables of fixed keys: what postmap(1) makes databases of, and what stands in a settings word.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::{Table, lay, words};

/// A source of up to so many keys, and so many questions. No key stands twice, whatever its case.
pub fn source(rng: &mut Rng, entries: usize, questions: usize) -> Table {
    let entries = entries_of(rng, entries);
    let lines: Vec<(String, String)> =
        entries.iter().map(|(key, value)| (words::cased(rng, key), value.clone())).collect();
    let text = lay::lines(rng, lines.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let known: Vec<String> = entries.into_keys().collect();
    Table { text, keys: (0..questions).map(|_| words::question(rng, &known)).collect() }
}

/// An aliases(5) source: users and what they stand for.
pub fn aliases(rng: &mut Rng, entries: usize, questions: usize) -> Table {
    const TARGETS: &[&str] = &[
        "root",
        "joe, jane",
        "joe@example.org,jane@example.net , u",
        "\"jane;doe\"@x.example",
        "a, b@c.example, \"d,e\"@f.example",
        "UPPER@Example.ORG",
    ];
    let mut entries_by_name: BTreeMap<String, &str> = BTreeMap::new();
    for _ in 0..entries {
        let name = words::local(rng).to_lowercase();
        // A comment, a name that is quoted for a colon, and the old way to write a route.
        if !name.starts_with(['#', '"']) && !name.contains('%') {
            entries_by_name.insert(name, super::one(rng, TARGETS));
        }
    }
    let known: Vec<String> = entries_by_name.keys().cloned().collect();
    let lines: Vec<(String, &str)> = entries_by_name
        .into_iter()
        .map(|(name, value)| {
            let colon = super::one(rng, &[":", " :", "  :"]);
            (format!("{}{colon}", words::cased(rng, &name)), value)
        })
        .collect();
    let text = lay::lines(rng, lines.iter().map(|(name, value)| (name.as_str(), *value)));
    // postalias(1) adds a key `@` of its own, for NIS.
    let question = |rng: &mut Rng| match words::question(rng, &known) {
        question if question == "@" => "x".to_owned(),
        question => question,
    };
    Table { text, keys: (0..questions).map(|_| question(rng)).collect() }
}

/// Keys and values; keys in lower case.
fn entries_of(rng: &mut Rng, entries: usize) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for _ in 0..entries {
        let key = words::key(rng).to_lowercase();
        // The first would be a comment, the second is warned of as an aliases(5) file.
        if !key.starts_with('#') && !key.ends_with(':') {
            found.insert(key, words::value(rng));
        }
    }
    found
}
