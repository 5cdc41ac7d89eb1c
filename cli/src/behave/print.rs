//! A run as a person reads it: a line for each behaviour, below it what does not hold, and the sum at the end.

use std::fmt::{self, Display};
use std::path::Path;

use super::columns;
use switchyard_behaviour::report::{Counts, Report, Row};
use switchyard_behaviour::{Behaviour, State, Verdict};

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Coloured,
    Plain,
}

/// What is shown, whole.
pub(super) struct Page<'a> {
    pub(super) report: &'a Report,
    pub(super) paint: Paint,
}

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";

impl Display for Page<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut file = "";
        for row in &self.report.rows {
            let place = &row.behaviour.place;
            if *file != *place.file {
                file = &place.file;
                writeln!(formatter, "{}", name_of(file))?;
            }
            match &*row.verdicts {
                [verdict] => self.alone(formatter, &row.behaviour, verdict)?,
                _ => self.beside(formatter, row)?,
            }
        }
        writeln!(formatter)?;
        for (index, name) in self.report.asked.iter().enumerate() {
            self.sum(formatter, name, self.report.counts(index))?;
        }
        Ok(())
    }
}

impl Page<'_> {
    /// A behaviour that was asked of one only.
    fn alone(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        behaviour: &Behaviour,
        verdict: &Verdict,
    ) -> fmt::Result {
        let line = match verdict.state {
            State::Holds => String::new(),
            State::Fails | State::NotAsked => format!("  (line {})", behaviour.place.line),
        };
        writeln!(formatter, "  {} {}{line}", self.mark(verdict.state), behaviour.name)?;
        if let Some(trouble) = &verdict.trouble {
            writeln!(formatter, "      {trouble}")?;
        }
        for finding in verdict.broken() {
            writeln!(formatter, "      {:<15} wanted {}", finding.key, finding.wanted)?;
            writeln!(formatter, "      {:<15} was    {}", "", finding.seen)?;
        }
        for (finding, needs) in verdict.unasked() {
            writeln!(
                formatter,
                "      {:<15} {}",
                finding.key,
                self.painted(YELLOW, &format!("not asked here: {needs}"))
            )?;
        }
        Ok(())
    }

    /// The same of several: side by side where they differ, or where one fails.
    fn beside(&self, formatter: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
        let marks: Vec<String> = row.verdicts.iter().map(|verdict| self.mark(verdict.state)).collect();
        write!(formatter, "  {} {}", marks.join(" "), row.behaviour.name)?;
        let is_well = row.verdicts.iter().all(|verdict| verdict.state == State::Holds);
        if !row.differs() && is_well {
            return writeln!(formatter);
        }
        write!(formatter, "  (line {})", row.behaviour.place.line)?;
        writeln!(formatter, "{}", self.painted(RED, if row.differs() { "  they differ" } else { "" }))?;
        columns::head(formatter, &self.report.asked)?;
        columns::rows(formatter, row)
    }

    fn sum(&self, formatter: &mut fmt::Formatter<'_>, name: &str, counts: Counts) -> fmt::Result {
        let Counts { hold, fail, not_asked, unasked } = counts;
        write!(formatter, "{name}: ")?;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let holds = format!("{hold} behaviour{} hold{}", plural(hold), if hold == 1 { "s" } else { "" });
        write!(formatter, "{}", self.painted(if fail == 0 { GREEN } else { "0" }, &holds))?;
        if fail > 0 {
            let fails = format!("{fail} fail{}", if fail == 1 { "s" } else { "" });
            write!(formatter, ", {}", self.painted(RED, &fails))?;
        }
        if not_asked > 0 {
            write!(formatter, ", {}", self.painted(YELLOW, &format!("{not_asked} not asked here at all")))?;
        }
        if unasked > 0 {
            let things = format!("{unasked} thing{} that they want not asked here", plural(unasked));
            write!(formatter, "; {}", self.painted(YELLOW, &things))?;
        }
        writeln!(formatter)
    }

    fn mark(&self, state: State) -> String {
        match state {
            State::Holds => self.painted(GREEN, "ok  "),
            State::Fails => self.painted(RED, "FAIL"),
            State::NotAsked => self.painted(YELLOW, "?   "),
        }
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        match self.paint {
            Paint::Coloured if !text.is_empty() => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}

fn name_of(file: &str) -> &str {
    Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file)
}
