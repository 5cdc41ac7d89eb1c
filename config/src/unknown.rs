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
    let here = head(&unknown.path).map_or_else(|| "at the top".to_owned(), |head| format!("in {head}"));
    let known = || unknown.known.iter().copied();
    // A near name beside it beats the same name elsewhere, and that beats the list of all names here.
    let hint = match (nearest(&unknown.key, known()), elsewhere(&unknown.key, settings)) {
        (None, Some(head)) => format!("; it stands in {head}"),
        _ => hint(&unknown.key, known()),
    };
    format!("unknown key `{}` {here}{hint}", unknown.key)
}

fn elsewhere(key: &str, settings: &[Setting]) -> Option<String> {
    settings.iter().find_map(|setting| {
        let (table, name) = setting.path.rsplit_once('.')?;
        (name == key).then(|| head(table)).flatten()
    })
}

/// `[limits]` of `limits.`, `[[listen.smtp]]` of `listen.smtp[].`; none at the top.
pub(crate) fn head(path: &str) -> Option<String> {
    let path = path.trim_end_matches('.');
    match path.strip_suffix("[]") {
        Some(list) => Some(format!("[[{list}]]")),
        None if path.is_empty() => None,
        None => Some(format!("[{path}]")),
    }
}
