//! A run as JUnit XML, as build servers read it: a suite for each of those that were asked, a class for each file.
//!
//! What could not be asked is a skipped case, or stands in a case's output, so that nobody takes it for done.

use std::fmt::Write as _;
use std::path::Path;

use super::{Report, Row};
use crate::judge::{State, Verdict};

impl Report {
    /// The whole document.
    #[must_use]
    pub fn junit(&self) -> String {
        let mut text =
            String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"behaviours\">\n");
        for (index, name) in self.asked.iter().enumerate() {
            let counts = self.counts(index);
            // Writing to a String can't fail.
            let _ = writeln!(
                text,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
                escaped(name),
                self.rows.len(),
                counts.fail,
                counts.not_asked
            );
            for row in &self.rows {
                if let Some(verdict) = row.verdicts.get(index) {
                    case(&mut text, row, verdict);
                }
            }
            text.push_str("  </testsuite>\n");
        }
        text.push_str("</testsuites>\n");
        text
    }
}

fn case(text: &mut String, row: &Row, verdict: &Verdict) {
    let place = &row.behaviour.place;
    let class = Path::new(&*place.file).file_stem().and_then(|stem| stem.to_str()).unwrap_or(&place.file);
    let seconds = verdict.milliseconds as f64 / 1000.0;
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{seconds:.3}\"",
        escaped(class),
        escaped(&row.behaviour.name),
        escaped(&place.file),
        place.line
    );
    let unasked: Vec<String> =
        verdict.unasked().map(|(finding, needs)| format!("{} not asked: {needs}", finding.key)).collect();
    let trouble = verdict.trouble.clone().into_iter();
    match verdict.state {
        State::NotAsked => {
            let why: Vec<String> = trouble.chain(unasked).collect();
            let _ = writeln!(
                text,
                ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                escaped(&why.join("; "))
            );
        }
        State::Fails => {
            let broken = verdict.broken().map(|finding| {
                format!(
                    "{}: wanted {}, was {} ({})",
                    finding.key, finding.wanted, finding.seen, finding.place
                )
            });
            let why: Vec<String> = trouble.chain(broken).collect();
            let head = why.first().map_or("", String::as_str);
            let _ = writeln!(
                text,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(head),
                escaped(&why.join("\n"))
            );
        }
        State::Holds if unasked.is_empty() => text.push_str("/>\n"),
        State::Holds => {
            let _ = writeln!(
                text,
                ">\n      <system-out>{}</system-out>\n    </testcase>",
                escaped(&unasked.join("\n"))
            );
        }
    }
}

/// XML 1.0 §2.4; what no XML may hold becomes `?`.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            _ if letter.is_control() => safe.push('?'),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_attribute() {
        assert_eq!(escaped("<a@b> & \"c\"\0\n"), "&lt;a@b&gt; &amp; &quot;c&quot;?&#10;");
    }
}
