//! `switchyard map grep`: the entries in which a pattern stands.

use std::io;
use std::ops::ControlFlow;

use clap::Args;
use regex::RegexBuilder;

use super::lines::DataLines;
use super::which::{Which, place};
use crate::output::{Exit, Output};

/// Write the entries whose key or value matches a regular expression
#[derive(Debug, Args)]
#[command(after_help = "\
A line is a file and a line in it, the key and its value. The pattern is not anchored, and blind to case. It sees the entries as they stand: what a rule's pattern would \
match is a question for `switchyard map query`.

Exit codes: 0 something matches; 1 nothing does; 2 the question is wrong.

Examples:
  switchyard map grep '@example\\.org$' site
  switchyard map grep 'lmtp:' site transport --json")]
pub(crate) struct Arguments {
    /// What to look for, as the Rust crate regex reads it
    #[arg(value_name = "PATTERN")]
    pattern: String,
    #[command(flatten)]
    which: Which,
    /// Look at keys only
    #[arg(long)]
    keys: bool,
    /// An object a line: {map, table, key, value, file, line}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let pattern = RegexBuilder::new(&arguments.pattern).case_insensitive(true).build();
    let read = pattern.map_err(|error| error.to_string());
    let (pattern, tables) = match read.and_then(|pattern| Ok((pattern, arguments.which.tables()?))) {
        Ok(both) => both,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    let mut found = false;
    for table in &tables {
        let mut lines = DataLines::to(output);
        let listed = table.each(|entry| {
            if !pattern.is_match(entry.key) && (arguments.keys || !pattern.is_match(entry.value)) {
                return ControlFlow::Continue(());
            }
            found = true;
            if arguments.json {
                return lines.json(table, &entry);
            }
            let line = format!("{}: {}  {}", place(table, entry.line), entry.key, entry.value);
            lines.line(line.trim_end())
        });
        lines.end()?;
        if let Err(error) = listed {
            output.say(error)?;
            return Ok(Exit::Misuse);
        }
    }
    Ok(if found { Exit::Fine } else { Exit::Wrong })
}
