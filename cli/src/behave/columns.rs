//! Several servers side by side: a column for each, and for each thing that is wanted a row, where one of them
//! fails or they differ.

use std::fmt::{self, Write as _};

use switchyard_behaviour::report::Row;
use switchyard_behaviour::{Finding, Holds, State, Verdict};

/// A column's width; what is longer goes on below.
const WIDTH: usize = 34;
/// The width of the first column, the words of the language.
const KEYS: usize = 16;

/// The names over the columns.
pub(super) fn head(formatter: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    let names: Vec<String> = ["wanted".to_owned()].into_iter().chain(names.iter().cloned()).collect();
    cells(formatter, "", &names)
}

/// What was seen of each thing on each server.
pub(super) fn rows(formatter: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    if row.verdicts.iter().any(|verdict| verdict.trouble.is_some()) {
        let troubles = row.verdicts.iter().map(|verdict| match (&verdict.trouble, verdict.state) {
            (Some(needs), State::NotAsked) => format!("not asked here: {needs}"),
            (Some(why), _) => why.clone(),
            (None, _) => verdict.answers.join("; "),
        });
        let texts: Vec<String> = [String::new()].into_iter().chain(troubles).collect();
        cells(formatter, "", &texts)?;
    }
    let most = row.verdicts.iter().max_by_key(|verdict| verdict.findings.len());
    for (index, finding) in most.map_or(&[][..], |verdict| &verdict.findings).iter().enumerate() {
        let seen: Vec<Option<&Finding>> =
            row.verdicts.iter().map(|verdict: &Verdict| verdict.findings.get(index)).collect();
        let first = seen.iter().flatten().next();
        // A row in which all is well tells nothing.
        if seen.iter().flatten().all(|one| first.is_some_and(|first| first.holds == one.holds))
            && first.is_none_or(|first| first.holds == Holds::Yes)
        {
            continue;
        }
        let told = seen.into_iter().map(|finding| finding.map_or_else(String::new, cell));
        let texts: Vec<String> = [finding.wanted.clone()].into_iter().chain(told).collect();
        cells(formatter, &finding.key, &texts)?;
    }
    Ok(())
}

fn cell(finding: &Finding) -> String {
    match &finding.holds {
        Holds::Yes => finding.seen.clone(),
        Holds::No => format!("! {}", finding.seen),
        Holds::NotAsked(needs) => format!("? {needs}"),
    }
}

/// One row, as many lines high as its longest cell needs.
fn cells(formatter: &mut fmt::Formatter<'_>, key: &str, texts: &[String]) -> fmt::Result {
    let columns: Vec<Vec<String>> = texts.iter().map(|text| wrapped(text, WIDTH)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let mut text = format!("      {:<KEYS$}", if line == 0 { key } else { "" });
        for column in &columns {
            let part = column.get(line).map_or("", String::as_str);
            write!(text, "  {part:<WIDTH$}")?;
        }
        writeln!(formatter, "{}", text.trim_end())?;
    }
    Ok(())
}

/// A text in lines of at most so many characters, parted at blanks where that goes.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= width {
                line.extend(std::iter::repeat_n(' ', gap).chain(word));
                break;
            }
            // A word that is longer than a line is cut.
            if used == 0 {
                let rest = word.split_off(width);
                line.extend(word);
                word = rest;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_wrapped_at_blanks_and_long_words_are_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("a abcdef", 3), ["a", "abc", "def"]);
        assert_eq!(wrapped("", 3), [""]);
        assert_eq!(wrapped("éé é", 2), ["éé", "é"]);
    }
}
