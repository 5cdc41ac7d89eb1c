//! docs/attacks.md: its last column is made from the tests that carry a row's id.
//!
//! A test says which rows it shows with the start of its name: `fn t3_t4_…` shows T3 and T4, `fn e2_to_e9_…`
//! shows E2 to E9. A row without a test keeps what stands in its last column, which must be a reason that
//! begins with [`REASON`].

use std::collections::{BTreeMap, BTreeSet};

use crate::run::Failure;
use crate::tree;

const PATH: &str = "docs/attacks.md";

/// How a row explains that no test shows it.
const REASON: &str = "Not yet:";

/// Id, bad input, what makes it impossible here, shown by.
const CELLS: usize = 4;

/// Where tests stand.
const FOLDERS: &[&str] =
    &["smtp", "daemon", "milter", "maps", "config", "mx", "router", "mapsync", "cli", "tests"];

/// The document with its last column brought up to date.
pub(super) fn document() -> Result<String, Failure> {
    let shown = shown()?;
    let text = tree::read(PATH)?;
    let lines = text.lines().map(|line| match row(line) {
        Some((id, mut cells)) => {
            if let (Some(files), Some(last)) = (shown.get(id), cells.get_mut(CELLS - 1)) {
                let files = files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>();
                *last = files.join(", ");
            }
            format!("| {} |\n", cells.join(" | "))
        }
        None => format!("{line}\n"),
    });
    Ok(lines.collect())
}

/// Rows that lack a cell, or both a test and a reason, and tests for a row that is not there.
pub(super) fn unanswered() -> Result<Vec<String>, Failure> {
    let shown = shown()?;
    let text = tree::read(PATH)?;
    let rows: BTreeMap<&str, Vec<String>> = text.lines().filter_map(row).collect();
    let bare = rows.iter().filter(|(id, cells)| {
        !shown.contains_key(**id) && !cells.last().is_some_and(|last| last.starts_with(REASON))
    });
    let mut found: Vec<String> = bare
        .map(|(id, _)| format!("{PATH}: {id} has no test, and no reason that begins with \"{REASON}\""))
        .collect();
    let short = rows.iter().filter(|(_, cells)| cells.len() != CELLS || cells.iter().any(String::is_empty));
    found.extend(short.map(|(id, _)| format!("{PATH}: {id} needs {CELLS} cells, none of them empty")));
    let stray = shown.iter().filter(|(id, _)| !rows.contains_key(id.as_str()));
    found.extend(stray.map(|(id, files)| format!("{PATH} has no row {id}, which a test in {files:?} shows")));
    Ok(found)
}

/// The cells of a table row that begins with an id.
fn row(line: &str) -> Option<(&str, Vec<String>)> {
    let inner = line.strip_prefix("| ")?.strip_suffix('|')?;
    let mut cells = inner.split('|').map(str::trim);
    let id = cells.next().filter(|id| is_id(id))?;
    Some((id, [id].into_iter().chain(cells).map(str::to_owned).collect()))
}

fn is_id(word: &str) -> bool {
    let (letter, number) = word.split_at_checked(1).unwrap_or_default();
    letter.chars().all(|letter| letter.is_ascii_uppercase()) && number.parse::<u8>().is_ok()
}

/// The files whose tests show each row.
fn shown() -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in FOLDERS {
        for source in tree::sources(folder, "rs")? {
            for (_, line) in source.lines() {
                for id in ids(line) {
                    shown.entry(id).or_default().insert(source.path.clone());
                }
            }
        }
    }
    Ok(shown)
}

/// The ids at the start of a function's name.
fn ids(line: &str) -> Vec<String> {
    let line = line.trim_start();
    let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "));
    let Some(name) = name.and_then(|rest| rest.split('(').next()) else { return Vec::new() };
    // A function called just `v4` shows nothing.
    let words = if name.contains('_') { name } else { "" };
    let mut found: Vec<String> = Vec::new();
    let mut range = false;
    for word in words.split('_') {
        let id = word.to_ascii_uppercase();
        if is_id(&id) {
            if let (true, Some(from)) = (range, found.last().cloned()) {
                found.extend(between(&from, &id));
            }
            found.push(id);
            range = false;
        } else if word == "to" && !found.is_empty() {
            range = true;
        } else {
            break;
        }
    }
    found
}

/// The ids after `from` and before `to`, of one letter.
fn between(from: &str, to: &str) -> Vec<String> {
    let number = |id: &str| id[1..].parse::<u8>().unwrap_or_default();
    (number(from) + 1..number(to)).map(|number| format!("{}{number}", &from[..1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_names_its_rows_first() {
        assert_eq!(ids("    fn t3_t4_tls_comes_once() {"), ["T3", "T4"]);
        assert_eq!(ids("async fn r9_backs_off() {"), ["R9"]);
        assert_eq!(ids("fn e2_to_e5_false_ends()"), ["E2", "E3", "E4", "E5"]);
        for line in
            ["fn keeps_e2_in_mind()", "// fn e2_x()", "fn e()", "let e2_a = 1;", "fn utf8_to_e2()", "fn e2()"]
        {
            assert_eq!(ids(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn a_row_is_known_by_its_id() {
        let (id, cells) = row("| E1 | a lone dot | the end | Not yet: no |").unwrap();
        assert_eq!((id, cells.len()), ("E1", 4));
        assert_eq!(cells[3], "Not yet: no");
        let (_, cells) = row("| E2 | a lone dot | the end | |").unwrap();
        assert_eq!(cells, ["E2", "a lone dot", "the end", ""], "a test may fill it");
        assert!(row("| id | attack | a | b |").is_none());
        assert!(row("|---|---|").is_none());
    }
}
