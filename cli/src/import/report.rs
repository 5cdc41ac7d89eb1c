//! What became of each setting and each table, for the terminal, for IMPORT.md and as JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

/// What became of a setting, or of lines of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It has no counterpart, or none with this value.
    Dropped,
    /// It stands in the site, and does not do quite the same.
    Changed,
    /// It stands in the site.
    Carried,
    /// Nothing needs to stand in the site: it is so anyway, or says nothing about mail here.
    NotNeeded,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Dropped, Self::Changed, Self::Carried, Self::NotNeeded];

    fn word(self) -> &'static str {
        match self {
            Self::Dropped => "not carried",
            Self::Changed => "changed",
            Self::Carried => "carried",
            Self::NotNeeded => "not needed",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Dropped => "Not carried over",
            Self::Changed => "Carried over with a difference",
            Self::Carried => "Carried over",
            Self::NotNeeded => "Nothing needed here",
        }
    }
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// As seen from the imported folder.
    pub(super) file: String,
    /// From 1; 0 for what stands nowhere: a default of Postfix's.
    pub(super) line: u32,
    /// The parameter, or the key of a table's line.
    pub(super) setting: String,
    pub(super) value: String,
    pub(super) fate: Fate,
    /// Where it went, or why it did not.
    pub(super) what: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

impl Note {
    fn place(&self) -> String {
        if self.line == 0 { self.file.clone() } else { format!("{}:{}", self.file, self.line) }
    }

    fn json(&self) -> Value {
        json!({
            "file": self.file, "line": self.line, "setting": self.setting, "value": self.value,
            "fate": self.fate.word(), "what": self.what, "do": self.advice,
        })
    }
}

/// As a compiler would say it.
impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: `{}`: {}", self.place(), self.fate.word(), self.subject(), self.what)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(formatter, "; {advice}"))
    }
}

impl Note {
    /// The setting with its value, cut where a list would fill the screen.
    fn subject(&self) -> String {
        const LONGEST: usize = 60;
        let short: String = self.value.chars().take(LONGEST).collect();
        let more = if short.len() < self.value.len() { "…" } else { "" };
        match (self.setting.as_str(), short.as_str()) {
            (setting, "") => setting.to_owned(),
            ("", value) => value.to_owned(),
            (setting, value) => format!("{setting} = {value}{more}"),
        }
    }
}

/// A table that was taken along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableNote {
    /// As main.cf names it.
    pub(super) word: String,
    /// In the new site.
    pub(super) file: String,
    /// How it came there: as it is, or out of a compiled file.
    pub(super) how: String,
}

/// Everything there is to tell.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) notes: Vec<Note>,
    pub(super) tables: Vec<TableNote>,
    /// Settings that have a note.
    settled: BTreeSet<String>,
}

impl Report {
    pub(super) fn push(&mut self, note: Note) {
        self.settled.insert(note.setting.clone());
        self.notes.push(note);
    }

    /// Whether a parameter has its note.
    pub(super) fn is_settled(&self, setting: &str) -> bool {
        self.settled.contains(setting)
    }

    pub(super) fn of(&self, fate: Fate) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(move |note| note.fate == fate)
    }

    /// In the order of the files, as they are read.
    pub(super) fn sort(&mut self) {
        self.notes.sort_by(|one, other| {
            (one.fate, &one.file, one.line, &one.setting).cmp(&(
                other.fate,
                &other.file,
                other.line,
                &other.setting,
            ))
        });
    }

    pub(super) fn counts(&self) -> String {
        let count = |fate| self.of(fate).count();
        format!(
            "{} carried over, {} of them with a difference; {} not carried; {} not needed",
            count(Fate::Carried) + count(Fate::Changed),
            count(Fate::Changed),
            count(Fate::Dropped),
            count(Fate::NotNeeded),
        )
    }

    pub(super) fn json(&self) -> Value {
        let tables: Vec<Value> = self
            .tables
            .iter()
            .map(|table| json!({ "table": table.word, "file": table.file, "how": table.how }))
            .collect();
        json!({ "notes": self.notes.iter().map(Note::json).collect::<Vec<_>>(), "tables": tables })
    }

    /// The document that stays with the site.
    pub(super) fn markdown(&self, source: &str, next: &[String]) -> String {
        let mut text = format!(
            "# Imported from Postfix\n\nThis site was made of `{source}`: {}.\n\nTo do, in this order:\n\n",
            self.counts()
        );
        for (number, step) in (1..).zip(next) {
            text.push_str(&format!("{number}. {step}\n"));
        }
        for fate in Fate::ALL {
            let mut notes = self.of(fate).peekable();
            if notes.peek().is_none() {
                continue;
            }
            text.push_str(&format!(
                "\n## {}\n\n| where | setting | what became of it |\n|---|---|---|\n",
                fate.heading()
            ));
            for note in notes {
                let advice =
                    note.advice.as_ref().map_or_else(String::new, |advice| format!(" — **{advice}**"));
                let cells = [note.place(), code(&note.subject()), escaped(&note.what) + &escaped(&advice)];
                text.push_str(&format!("| {} |\n", cells.join(" | ")));
            }
        }
        if !self.tables.is_empty() {
            text.push_str("\n## Tables\n\n| in Postfix | here | how |\n|---|---|---|\n");
            for table in &self.tables {
                text.push_str(&format!("| {} | `{}` | {} |\n", code(&table.word), table.file, table.how));
            }
        }
        text
    }
}

/// A bar ends a cell, even in code.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{}{fence}", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        let mut push = |line, setting: &str, fate, advice: Option<&str>| {
            report.push(Note {
                file: "main.cf".into(),
                line,
                setting: setting.into(),
                value: "a | b".into(),
                fate,
                what: "why".into(),
                advice: advice.map(str::to_owned),
            });
        };
        push(7, "late", Fate::Carried, None);
        push(3, "gone", Fate::Dropped, Some("do that"));
        report.sort();
        report
    }

    #[test]
    fn notes_are_told_with_their_place() {
        let report = report();
        assert_eq!(report.notes[0].to_string(), "main.cf:3: not carried: `gone = a | b`: why; do that");
        assert_eq!(report.json()["notes"][1]["fate"], "carried");
        assert!(report.is_settled("late") && !report.is_settled("other"));
        let text = report.markdown("dir", &["look".into()]);
        assert!(text.contains("| main.cf:3 | `gone = a \\| b` | why — **do that** |\n"), "{text}");
        assert!(
            text.contains("1. look\n")
                && text.find("Not carried").unwrap() < text.find("Carried over").unwrap()
        );
    }
}
