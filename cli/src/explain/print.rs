//! An explanation as a person reads it: a daemon, its decisions, and under each the tables that were asked.
//!
//! Columns are as wide as their widest word, over all of what is shown; a word that is much wider than the
//! others stands out of its column instead of moving it.

use std::fmt::{self, Display, Write as _};

use switchyard_maps::explain::{Answer, Asked, Explanation, Outcome, Step};

/// What is shown, whole.
pub(super) struct Page<'a>(pub(super) &'a [Explanation]);

/// The widths of the columns: table, key, value.
#[derive(Default)]
struct Widths([usize; 3]);

/// A column is no wider than this.
const WIDEST: usize = 40;

impl Widths {
    fn of(explanations: &[Explanation]) -> Self {
        let mut widths = Self::default();
        let steps = explanations.iter().flat_map(|explanation| &explanation.steps);
        for asked in steps.flat_map(|step| &step.asked) {
            for (width, word) in widths.0.iter_mut().zip(words(asked)) {
                let length = word.chars().count();
                if length <= WIDEST {
                    *width = (*width).max(length);
                }
            }
        }
        widths
    }
}

impl Display for Page<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = Widths::of(self.0);
        for (number, explanation) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_char('\n')?;
            }
            writeln!(formatter, "{} ({})", explanation.host, explanation.daemon)?;
            for step in &explanation.steps {
                write_step(formatter, step, &widths)?;
            }
        }
        Ok(())
    }
}

fn write_step(formatter: &mut fmt::Formatter<'_>, step: &Step, widths: &Widths) -> fmt::Result {
    writeln!(formatter, "  {} {}", step.stage, step.about)?;
    for (number, asked) in step.asked.iter().enumerate() {
        // Two rooms may ask the same for one decision; a person reads it once.
        if !step.asked.iter().take(number).any(|before| before == asked) {
            write_asked(formatter, asked, widths)?;
        }
    }
    writeln!(formatter, "    => {}{}", mark(step.outcome), step.says)?;
    step.list.iter().try_for_each(|line| writeln!(formatter, "       {line}"))
}

fn write_asked(formatter: &mut fmt::Formatter<'_>, asked: &Asked, widths: &Widths) -> fmt::Result {
    let Widths([table_width, key_width, value_width]) = *widths;
    let [table, key, value] = words(asked);
    let mut line = format!("    {table:table_width$}  {key:key_width$}  {value:value_width$}");
    if let Answer::Found { file, line: number, .. } = &asked.answer {
        // Writing to a String can't fail.
        let _ = write!(line, "  {}", Place { file, number: *number });
    }
    writeln!(formatter, "{}", line.trim_end())
}

/// Table, key and answer; a table that is named as its map is named once.
fn words(asked: &Asked) -> [String; 3] {
    let Asked { map, table, key, .. } = asked;
    let table = if map == table { map.clone() } else { format!("{map} {table}") };
    [table, key.clone(), said(asked)]
}

/// What a table said, in a word.
fn said(asked: &Asked) -> String {
    match &asked.answer {
        // A list without values: being in it is what counts.
        Answer::Found { value, .. } if value.is_empty() => "found".to_owned(),
        Answer::Found { value, .. } => value.clone(),
        Answer::NotFound => "-".to_owned(),
        Answer::Unavailable { why } => format!("cannot say: {why}"),
    }
}

/// What goes before the words of a decision.
fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::GoesOn => "",
        Outcome::Refused => "refused: ",
        Outcome::PutOff => "put off: ",
        Outcome::Unavailable => "nobody knows: ",
        Outcome::Discarded => "taken and dropped: ",
        Outcome::Held => "taken and held: ",
    }
}

struct Place<'a> {
    file: &'a str,
    number: u32,
}

impl Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => formatter.write_str(self.file),
            number => write!(formatter, "{}:{number}", self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(map: &str, key: &str, answer: Answer) -> Asked {
        Asked { map: map.into(), table: map.into(), key: key.into(), answer }
    }

    fn found(value: &str, line: u32) -> Answer {
        Answer::Found { value: value.into(), file: "maps/transport".into(), line }
    }

    #[test]
    fn a_page_is_aligned() {
        let step = |stage: &str, asked: Vec<Asked>, outcome, says: &str, list: &[&str]| Step {
            stage: stage.into(),
            about: "<a@example.org>".into(),
            asked,
            outcome,
            says: says.into(),
            list: list.iter().map(ToString::to_string).collect(),
        };
        let steps = vec![
            step(
                "recipient",
                vec![asked("recipients", "a@example.org", found("", 2))],
                Outcome::GoesOn,
                "250 Ok",
                &[],
            ),
            step(
                "route",
                vec![
                    asked("transport", "a@example.org", Answer::NotFound),
                    asked("transport", "a@example.org", Answer::NotFound),
                    asked("transport", "example.org", found("smtp:", 0)),
                ],
                Outcome::GoesOn,
                "smtp:",
                &["[192.0.2.1]:25"],
            ),
            step(
                "class",
                vec![Asked {
                    table: "cidr:gone".into(),
                    ..asked("relay_domains", "example.org", Answer::Unavailable { why: "gone".into() })
                }],
                Outcome::Unavailable,
                "451",
                &[],
            ),
        ];
        let explanation = Explanation {
            host: "h.example".into(),
            daemon: "mx".into(),
            address: None,
            steps,
            taken: Vec::new(),
        };
        let expected = "\
h.example (mx)
  recipient <a@example.org>
    recipients               a@example.org  found             maps/transport:2
    => 250 Ok
  route <a@example.org>
    transport                a@example.org  -
    transport                example.org    smtp:             maps/transport
    => smtp:
       [192.0.2.1]:25
  class <a@example.org>
    relay_domains cidr:gone  example.org    cannot say: gone
    => nobody knows: 451
";
        assert_eq!(Page(&[explanation]).to_string(), expected);
    }
}
