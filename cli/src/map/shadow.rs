//! `switchyard map shadow`: what a candidate would have said otherwise.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchyard_maps::shadow::{Differing, Example, Kind, Report};

use crate::control::Control;
use crate::output::{Exit, Output};

/// Show how a daemon's candidate set differs from the one in use, by the questions of real mail
#[derive(Debug, Args)]
#[command(after_help = "\
A daemon that is told of a candidate (`maps.candidate`) puts every question to both sets; only the one in use \
decides. Intended is a difference where the change touched the line that answered; look at the others first.

  route         both know, and lead elsewhere
  verdict       one takes the mail, the other refuses it
  not found     one of them does not know the key
  unavailable   one of them can't say

Exit codes: 0 no unexpected difference; 1 there are some; 2 it can't be told.

Example:
  switchyard map shadow --daemon /run/switchyard-router/control.sock")]
pub(crate) struct Arguments {
    /// The daemon's control socket
    #[arg(long, value_name = "SOCKET")]
    daemon: PathBuf,
    /// The report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let report: Report = match Control::new(&arguments.daemon).get("/maps/shadow") {
        Ok(report) => report,
        Err(error) => {
            output.say(error)?;
            return Ok(Exit::Misuse);
        }
    };
    if arguments.json {
        output.data(format_args!("{:#}\n", json!(report)))?;
    } else {
        output.data(text(&report))?;
    }
    let unexpected = report.differing.values().any(|differing| differing.unexpected > 0);
    Ok(if unexpected { Exit::Wrong } else { Exit::Fine })
}

/// The report for people: counts, then examples, those that nobody meant first.
fn text(report: &Report) -> String {
    let Report { asked, same, differing, examples } = report;
    let mut text = format!("{asked} questions, {same} answered alike\n");
    if differing.is_empty() {
        return text;
    }
    // Writing to a String can't fail.
    let _ = writeln!(text, "\n{:<13} {:>10} {:>10}", "", "unexpected", "intended");
    for kind in Kind::ALL {
        let Differing { intended, unexpected } = differing.get(&kind).copied().unwrap_or_default();
        let _ = writeln!(text, "{:<13} {unexpected:>10} {intended:>10}", word(kind));
    }
    for (intended, head) in [(false, "unexpected"), (true, "intended")] {
        let mut shown = examples.iter().filter(|example| example.intended == intended).peekable();
        if shown.peek().is_some() {
            let _ = writeln!(text, "\n{head}:");
        }
        for Example { map, asked, live, candidate, kind, .. } in shown {
            let _ = writeln!(
                text,
                "  {map} {asked} ({})\n    in use:    {live}\n    candidate: {candidate}",
                word(*kind)
            );
        }
    }
    text
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => "not found",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unexpected_differences_come_first() {
        let example = |asked: &str, intended| Example {
            map: "transport".into(),
            asked: asked.into(),
            live: "smtp:a (t:1)".into(),
            candidate: "not found".into(),
            kind: Kind::NotFound,
            intended,
        };
        let report = Report {
            asked: 9,
            same: 6,
            differing: [(Kind::NotFound, Differing { intended: 2, unexpected: 1 })].into(),
            examples: vec![example("a@b.example", true), example("c@d.example", false)],
        };
        let expected = "\
9 questions, 6 answered alike

              unexpected   intended
route                  0          0
verdict                0          0
not found              1          2
unavailable            0          0

unexpected:
  transport c@d.example (not found)
    in use:    smtp:a (t:1)
    candidate: not found

intended:
  transport a@b.example (not found)
    in use:    smtp:a (t:1)
    candidate: not found
";
        assert_eq!(text(&report), expected);
        assert_eq!(text(&Report::default()), "0 questions, 0 answered alike\n");
    }
}
