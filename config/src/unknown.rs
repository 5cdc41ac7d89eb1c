//! A key that nobody declared: which one was most likely meant, here or in another table.

use crate::check::{Place, hint, nearest};
use crate::reference::Setting;

/// A key that no declaration asked for.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) place: Place,
    /// `limits.`, or nothing at the top.
    pub(crate) path: String,
    pub(crate) key: String,
    /// What is known beside it.
    pub(crate) known: Vec<&'static str>,
}

/// What to say of it, once all declarations are known.
pub(crate) fn explain(unknown: &Unknown, settings: &[Setting]) -> String {
    let table = unknown.path.trim_end_matches('.');
    let here = if table.is_empty() { "at the top".to_owned() } else { format!("in [{table}]") };
    let known = || unknown.known.iter().copied();
    // A near name beside it beats the same name elsewhere, and that beats the list of all names here.
    let hint = match (nearest(&unknown.key, known()), elsewhere(&unknown.key, settings)) {
        (None, Some(table)) => format!("; it stands in [{table}]"),
        _ => hint(&unknown.key, known()),
    };
    format!("unknown key `{}` {here}{hint}", unknown.key)
}

fn elsewhere<'a>(key: &str, settings: &'a [Setting]) -> Option<&'a str> {
    settings.iter().find_map(|setting| {
        let (table, name) = setting.path.rsplit_once('.')?;
        (name == key).then_some(table)
    })
}
