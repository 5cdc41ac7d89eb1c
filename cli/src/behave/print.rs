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

    /// The same of several: side by side where they differ, where one fails, or where something could not be asked.
    fn beside(&self, formatter: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
        let marks: Vec<String> = row.verdicts.iter().map(|verdict| self.mark(verdict.state)).collect();
        write!(formatter, "  {} {}", marks.join(" "), row.behaviour.name)?;
        let is_well = |verdict: &Verdict| verdict.state == State::Holds && verdict.unasked().next().is_none();
        let is_well = row.verdicts.iter().all(is_well);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchyard_behaviour::{Finding, Holds};
    use switchyard_config::Site;

    use super::*;

    #[test]
    fn what_was_not_asked_is_shown_for_several_as_for_one() {
        let site = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/templates/example-site");
        let mut behaviours = switchyard_behaviour::load(&Site::load(Path::new(site)).unwrap()).unwrap();
        let behaviour = behaviours.remove(0);
        let finding = |key: &str, holds: Holds| Finding {
            key: key.into(),
            place: "b.toml:1".into(),
            wanted: "250".into(),
            seen: "250".into(),
            holds,
        };
        let findings =
            vec![finding("reply", Holds::Yes), finding("arrives", Holds::NotAsked("needs a catcher".into()))];
        let verdict =
            Verdict { state: State::Holds, findings, ..Verdict::trouble("", Duration::from_millis(1)) };
        let verdict = Verdict { trouble: None, ..verdict };
        for many in [1, 2] {
            let asked = (0..many).map(|number| format!("server{number}")).collect();
            let rows = vec![Row { behaviour: behaviour.clone(), verdicts: vec![verdict.clone(); many] }];
            let page = Page { report: &Report { asked, rows }, paint: Paint::Plain }.to_string();
            assert_eq!(page.matches("needs a catcher").count(), many, "{page}");
        }
    }
}
