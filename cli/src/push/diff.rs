//! `switchyard diff`: what differs between two generations, file by file and line by line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use clap::Args;
use serde_json::json;
use switchyard_mapsync::admin::Admin;
use switchyard_mapsync_protocol::head::{self, Head};
use tempfile::TempDir;

use super::fleet::printable;
use super::{With, text, with_hubs};
use crate::output::{Exit, Output};

/// Show what differs between two generations: files, and the lines of them that are new or gone
#[derive(Debug, Args)]
#[command(after_help = "\
A line that only stands elsewhere is no difference. `switchyard map diff` compares two folders or sets key by key, and \
`switchyard push DIR --dry-run` says what a folder would change.

Exit codes: 0 no difference; 1 there are some; 2 no hub can be asked, or it has no such generation.

Examples:
  switchyard diff 11 12
  switchyard diff 11 --files")]
pub(crate) struct Arguments {
    /// The generation before
    #[arg(value_name = "OLD")]
    old: u64,
    /// The generation after; without it the newest
    #[arg(value_name = "NEW")]
    new: Option<u64>,
    /// Only which files, and no lines
    #[arg(long)]
    files: bool,
    /// As JSON: a list of files, each with what was added and removed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    with: With,
}

/// A file that differs: as it was and as it is, where it was and is.
struct Pair<'a> {
    old: Option<&'a head::File>,
    new: Option<&'a head::File>,
}

/// Lines that are in one state and not in the other, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    gone: Vec<String>,
    come: Vec<String>,
}

impl Arguments {
    pub(super) fn diff(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let mut admin = self.with.open()?.meet(output).await?;
            let (_, old) = admin.generation(self.old).await.map_err(text)?;
            let new = match (self.new, admin.newest()) {
                (Some(new), _) => admin.generation(new).await.map_err(text)?.1,
                (None, Some((_, head))) => head.clone(),
                (None, None) => return Err("the hub has no generation yet".to_owned()),
            };
            let pairs = pairs(&old, &new);
            let folder = TempDir::new().map_err(text)?;
            let (before, after) = (folder.path().join("old"), folder.path().join("new"));
            if !self.files {
                let small = |file: Option<&head::File>| file.filter(|file| file.bytes <= LARGEST).cloned();
                fetch(&mut admin, &old, pairs.iter().filter_map(|pair| small(pair.old)), &before).await?;
                fetch(&mut admin, &new, pairs.iter().filter_map(|pair| small(pair.new)), &after).await?;
            }
            let mut list = Vec::new();
            for pair in &pairs {
                let lines = if self.files { None } else { lines(pair, &before, &after).map_err(text)? };
                if self.json {
                    list.push(pair.json(lines));
                } else {
                    output.data(pair.page(lines, self.files)).map_err(text)?;
                }
            }
            if self.json {
                let told = json!({ "old": old.generation, "new": new.generation, "files": list });
                output.data(format_args!("{told:#}\n")).map_err(text)?;
            }
            Ok(if pairs.is_empty() { Exit::Fine } else { Exit::Wrong })
        })
    }
}

/// The files that differ, by path.
fn pairs<'a>(old: &'a Head, new: &'a Head) -> Vec<Pair<'a>> {
    let of = |head: &'a Head, path| head.files.iter().find(|file| file.path == path);
    let mut paths: Vec<_> = old.files.iter().chain(&new.files).map(|file| file.path.clone()).collect();
    paths.sort();
    paths.dedup();
    let pairs = paths.into_iter().map(|path| Pair { old: of(old, path.clone()), new: of(new, path) });
    pairs.filter(|pair| pair.old.map(|file| file.hash) != pair.new.map(|file| file.hash)).collect()
}

async fn fetch(
    admin: &mut Admin,
    head: &Head,
    files: impl Iterator<Item = head::File>,
    folder: &Path,
) -> Result<(), String> {
    let head = Head { files: files.collect(), ..head.clone() };
    admin.lay_down(&head, &[], folder).await.map_err(text)
}

/// None of a file that is too large to be shown.
fn lines(pair: &Pair<'_>, before: &Path, after: &Path) -> std::io::Result<Option<Lines>> {
    if [pair.old, pair.new].into_iter().flatten().any(|file| file.bytes > LARGEST) {
        return Ok(None);
    }
    let read = |file: Option<&head::File>, folder: &Path| -> std::io::Result<Vec<String>> {
        let Some(file) = file else { return Ok(Vec::new()) };
        let open = BufReader::new(File::open(folder.join(file.path.as_str()))?);
        let lines = open.split(b'\n').map(|line| Ok(String::from_utf8_lossy(&line?).into_owned()));
        lines.collect()
    };
    Ok(Some(Lines::between(read(pair.old, before)?, read(pair.new, after)?)))
}

impl Lines {
    fn between(old: Vec<String>, new: Vec<String>) -> Self {
        let mut count: HashMap<&str, i64> = HashMap::new();
        for line in &old {
            *count.entry(line).or_default() -= 1;
        }
        for line in &new {
            *count.entry(line).or_default() += 1;
        }
        let mut left = count.clone();
        let mut gone: Vec<bool> = Vec::with_capacity(old.len());
        for line in &old {
            gone.push(take(&mut left, line, -1));
        }
        let come: Vec<bool> = new.iter().map(|line| take(&mut left, line, 1)).collect();
        let only = |lines: Vec<String>, which: Vec<bool>| {
            lines.into_iter().zip(which).filter_map(|(line, is)| is.then_some(line)).collect()
        };
        Self { gone: only(old, gone), come: only(new, come) }
    }
}

/// Takes one line of what is too much on a side.
fn take(left: &mut HashMap<&str, i64>, line: &str, side: i64) -> bool {
    match left.get_mut(line) {
        Some(count) if *count * side > 0 => {
            *count -= side;
            true
        }
        _ => false,
    }
}

impl Pair<'_> {
    /// How it differs, and its path.
    fn name(&self) -> (&'static str, &str) {
        match (self.old, self.new) {
            (None, new) => ("+", new.map_or("", |file| file.path.as_str())),
            (Some(old), None) => ("-", old.path.as_str()),
            (Some(old), Some(_)) => ("~", old.path.as_str()),
        }
    }

    fn page(&self, lines: Option<Lines>, names_only: bool) -> String {
        let (sign, path) = self.name();
        let octets = |file: Option<&head::File>| file.map_or(0, |file| file.bytes);
        let mut page = match sign {
            "~" => format!("~ {path} ({} octets, before {})\n", octets(self.new), octets(self.old)),
            "+" => format!("+ {path} ({} octets)\n", octets(self.new)),
            _ => format!("- {path}\n"),
        };
        match lines {
            Some(Lines { gone, come }) => {
                for (sign, line) in
                    gone.iter().map(|line| ('-', line)).chain(come.iter().map(|line| ('+', line)))
                {
                    page.push_str(&format!("    {sign} {}\n", printable(line)));
                }
            }
            None if names_only => {}
            None => page.push_str("    too large to be shown line by line\n"),
        }
        page
    }

    fn json(&self, lines: Option<Lines>) -> serde_json::Value {
        let octets = |file: Option<&head::File>| file.map(|file| file.bytes);
        let (removed, added) = lines.map(|lines| (lines.gone, lines.come)).unzip();
        json!({
            "path": self.name().1,
            "bytes_before": octets(self.old),
            "bytes": octets(self.new),
            "removed": removed,
            "added": added,
        })
    }
}

/// The largest file whose lines are compared.
const LARGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn between(old: &str, new: &str) -> (String, String) {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let Lines { gone, come } = Lines::between(lines(old), lines(new));
        (gone.join(" "), come.join(" "))
    }

    #[test]
    fn lines_that_are_new_or_gone_are_told_in_their_order_and_moved_ones_are_not() {
        assert_eq!(between("a\nb\nc", "c\na\nx\nd"), ("b".into(), "x d".into()));
        assert_eq!(between("a\na\nb", "b\na"), ("a".into(), String::new()), "each counts");
        assert_eq!(between("", "a\na"), (String::new(), "a a".into()));
        assert_eq!(between("a", "a"), (String::new(), String::new()));
    }
}
