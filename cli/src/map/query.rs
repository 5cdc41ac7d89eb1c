//! `switchyard map query`: what a table, or a site's map, says to a key.
//!
//! A table is asked as `postmap -q` asks one: the key as it is, the value as it stands there. A site's map is
//! asked as its daemons ask it: all its tables, by every form of an address in Postfix's order.

mod of_map;

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

use clap::Args;
use serde_json::json;
use switchyard_maps::TableSpec;
use switchyard_maps::query::{RawAnswer, RawTable};
use tokio::runtime::Runtime;

use super::lines::DataLines;
use super::which;
use crate::output::{Exit, Output};
use of_map::Questions;

/// Ask a table, or a map of a site, for keys
#[derive(Debug, Args)]
#[command(after_help = "\
A table, named as in the settings (hash:transport, regexp:rules, socketmap:…), is asked as `postmap -q` asks it:
the key as it is, the value as it stands there. A map of a site is asked as the daemons ask it: every table, by \
every form of the address in Postfix's order.

One key gives its value; several, or - for keys on standard input, a line each: key, tab, value.

Exit codes: 0 found; 1 none of the keys is known; 2 it can't be told.

Examples:
  switchyard map query hash:/etc/postfix/transport example.org
  switchyard map query site transport bob+x@sub.example.org --json
  cut -d' ' -f1 addresses | switchyard map query regexp:rules -")]
pub(crate) struct Arguments {
    /// A table; or a site's folder, and then the name of its map
    #[arg(value_name = "TABLE|DIR")]
    what: String,
    /// The keys; - reads them from standard input, one a line; -- goes before one that starts with a dash
    #[arg(value_name = "[MAP] KEY", required = true)]
    keys: Vec<String>,
    /// An object a line: {key, answer: found|not_found|unavailable, value, file, line, why}
    #[arg(long)]
    json: bool,
}

/// Octets of a key on standard input.
const MAX_KEY: u64 = 64 * 1024;

/// What is asked.
enum Asked {
    Table(RawTable),
    Map(Questions),
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let (asked, keys) = match arguments.open(output) {
        Ok(opened) => opened,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let alone = keys.len() == 1 && keys.iter().all(|key| key != "-");
    let mut answers = Answers { runtime, asked, json: arguments.json, alone, found: false, why: None };
    let mut lines = DataLines::to(output);
    let ended = answers.all(keys, &mut lines);
    lines.end()?;
    ended?;
    if let Some(why) = answers.why {
        output.say(why)?;
        return Ok(Exit::Misuse);
    }
    Ok(if answers.found { Exit::Fine } else { Exit::Wrong })
}

impl Arguments {
    /// What is asked, and for which keys.
    fn open(&self, output: &mut Output) -> Result<(Asked, &[String]), String> {
        if !Path::new(&self.what).is_dir() {
            let table =
                TableSpec::parse(&self.what).map_err(|bad| format!("`{}` is no table: {bad}", self.what))?;
            let table = RawTable::open(&table, Path::new("")).map_err(|faults| faults.to_string())?;
            return Ok((Asked::Table(table), &self.keys));
        }
        let (map, keys) =
            self.keys.split_first().filter(|(_, keys)| !keys.is_empty()).ok_or_else(|| {
                format!("`{}` is a site's folder: a map and a key belong behind it", self.what)
            })?;
        let questions = Questions::open(Path::new(&self.what), which::which_map(map)?, output)?;
        Ok((Asked::Map(questions), keys))
    }
}

/// Answers on their way out.
struct Answers {
    runtime: Runtime,
    asked: Asked,
    json: bool,
    /// One key's value needs no key in front of it.
    alone: bool,
    /// Some key is known.
    found: bool,
    /// Why some key could not be told.
    why: Option<String>,
}

impl Answers {
    fn all(&mut self, keys: &[String], lines: &mut DataLines<'_>) -> io::Result<()> {
        for key in keys {
            let flow = if key == "-" { self.read(lines)? } else { self.one(key, lines) };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Keys from standard input, one a line, answered as they come.
    fn read(&mut self, lines: &mut DataLines<'_>) -> io::Result<ControlFlow<()>> {
        let mut input = BufReader::new(io::stdin().lock());
        let mut line = String::new();
        loop {
            line.clear();
            if (&mut input).take(MAX_KEY).read_line(&mut line)? == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let key = line.strip_suffix('\n').unwrap_or(&line);
            if self.one(key.strip_suffix('\r').unwrap_or(key), lines).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn one(&mut self, key: &str, lines: &mut DataLines<'_>) -> ControlFlow<()> {
        let answer = match &self.asked {
            Asked::Table(table) => Ok(self.runtime.block_on(table.ask(key))),
            Asked::Map(questions) => self.runtime.block_on(questions.ask(key)),
        };
        let answer = answer.unwrap_or_else(|why| RawAnswer::Unavailable(why.into()));
        match &answer {
            RawAnswer::Found { .. } => self.found = true,
            RawAnswer::NotFound => {}
            RawAnswer::Unavailable(why) => {
                self.why.get_or_insert_with(|| format!("{key}: {why}"));
            }
        }
        if self.json {
            return lines.line(line_of_json(key, &answer));
        }
        match answer {
            RawAnswer::Found { value, .. } if self.alone => lines.line(value),
            RawAnswer::Found { value, .. } => lines.line(format_args!("{key}\t{value}")),
            RawAnswer::NotFound | RawAnswer::Unavailable(_) => ControlFlow::Continue(()),
        }
    }
}

fn line_of_json(key: &str, answer: &RawAnswer) -> serde_json::Value {
    match answer {
        RawAnswer::Found { value, file, line } => {
            json!({ "key": key, "answer": "found", "value": value, "file": file.display().to_string(), "line": line })
        }
        RawAnswer::NotFound => json!({ "key": key, "answer": "not_found" }),
        RawAnswer::Unavailable(why) => json!({ "key": key, "answer": "unavailable", "why": &**why }),
    }
}
