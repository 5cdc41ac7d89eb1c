//! The draft, read by the maps' own compiler: lines that it refuses become comments, each with its note.
//!
//! A table stays what it was but for such lines; the order of all others, and their numbers, do not change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::draft::write;
use super::report::{Fate, Note, Report};
use super::tables::{self, Refused};
use crate::check::{self, Fault};

/// A load tells of a bounded number of faults: so often is it tried again.
const ROUNDS: usize = 100;
/// Notes on lines of one file; the others are counted.
const NOTES: usize = 200;

/// Makes comments of refused lines, besides those that are `refused` already; what is wrong beyond that.
pub(super) fn try_maps(
    site: &Path,
    files: &mut BTreeMap<String, Vec<u8>>,
    refused: &[Refused],
    report: &mut Report,
) -> io::Result<Vec<String>> {
    let folder = site.join("maps");
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for line in refused {
        let count = told.entry(line.file.clone()).or_default();
        *count += 1;
        if *count <= NOTES {
            report.push(line_note(&line.file, line.line, &line.text, line.why.clone()));
        }
    }
    for _ in 0..ROUNDS {
        let (_, faults) = check::faults_of(site);
        let mut refused: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let mut split: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
        for fault in faults.iter().filter(|fault| fault.line > 0) {
            let file = Path::new(&fault.file).strip_prefix(&folder).ok().and_then(Path::to_str);
            let Some((file, text)) = file.and_then(|file| files.get_key_value(file)) else { continue };
            let split = split.entry(file).or_insert_with(|| text.split(|octet| *octet == b'\n').collect());
            let lines = tables::refused_lines(split, fault.line);
            let known = refused.entry(file).or_default();
            if lines.iter().all(|line| known.contains(line)) {
                continue;
            }
            known.extend(lines);
            let count = told.entry(file.clone()).or_default();
            *count += 1;
            if *count <= NOTES {
                report.push(note(file, split, fault));
            }
        }
        if refused.is_empty() {
            break;
        }
        let refused: Vec<(String, Vec<u32>)> =
            refused.into_iter().map(|(file, lines)| (file.to_owned(), lines.into_iter().collect())).collect();
        for (file, lines) in refused {
            let Some(text) = files.get_mut(&file) else { continue };
            *text = tables::comment_out(text, &lines);
            write(&folder.join(&file), text)?;
        }
    }
    for (file, count) in told.into_iter().filter(|(_, count)| *count > NOTES) {
        let more = format!("{} more lines of it are refused, and are comments now", count - NOTES);
        report.push(line_note(&file, 0, "", more));
    }
    let (_, left) = check::faults_of(site);
    let from = site.display().to_string();
    Ok(left.iter().map(|fault| fault.line().replace(&format!("{from}/"), "")).collect())
}

fn note(file: &str, lines: &[&[u8]], fault: &Fault) -> Note {
    let index = usize::try_from(fault.line).unwrap_or(usize::MAX).saturating_sub(1);
    let line = String::from_utf8_lossy(lines.get(index).copied().unwrap_or_default()).trim().to_owned();
    line_note(file, fault.line, &line, fault.message.clone())
}

fn line_note(file: &str, line: u32, value: &str, what: String) -> Note {
    Note {
        file: format!("maps/{file}"),
        line,
        setting: String::new(),
        value: value.to_owned(),
        fate: Fate::Dropped,
        what,
        advice: Some("the line is a comment now: mend it there".to_owned()),
    }
}
