//! `switchyard queue suspend` and `resume`: mail that is not tried for a while.

use std::io;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use switchyard_router::control::ResumeAsked;
use switchyard_router::queue::order::Order;
use switchyard_router::queue::select::Selector;
use switchyard_router::queue::suspend::Suspension;

use super::order::{Common, Told};
use super::which::Router;
use super::words::{self, count};
use crate::output::{Exit, Output};

/// Don't try some mail for a while, mail that comes meanwhile included
#[derive(Debug, Args)]
#[command(after_help = "\
A suspension outlives a restart and ends by itself. What it means is not tried, does not count as delayed and is \
not given up; afterwards it is tried for a day at least, however old it is. Other recipients of the same message are \
tried. `--list` shows the suspensions in force, \
`switchyard queue resume` ends them.

Exit codes: 0 it was done; 2 it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue suspend --next-hop '[mx1]:25' --for 2h --reason 'mx1 is being moved'
  switchyard queue suspend --sender 'bulk@*' --for 1d --reason 'asking the customer' --dry-run
  switchyard queue suspend --list")]
pub(super) struct Suspend {
    /// For how long: 30m, 2h, 3d
    #[arg(long = "for", value_name = "TIME", value_parser = words::time, required_unless_present = "list")]
    time: Option<Duration>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", required_unless_present = "list")]
    reason: Option<String>,
    /// Show the suspensions in force
    #[arg(long, conflicts_with_all = ["time", "reason", "all", "dry_run"])]
    list: bool,
    #[command(flatten)]
    common: Common,
}

/// End suspensions: what they kept is tried now
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it was done; 2 there is no such suspension, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue resume 3
  switchyard queue resume --all")]
pub(super) struct Resume {
    /// The suspensions' numbers, as `switchyard queue suspend --list` has them
    #[arg(value_name = "NUMBER", required_unless_present = "all")]
    numbers: Vec<u32>,
    /// All suspensions
    #[arg(long, conflicts_with = "numbers")]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    router: Router,
}

impl Suspend {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let (Some(time), Some(reason)) = (self.time, &self.reason) else { return self.list(output) };
        let told = Told {
            done: "suspended",
            later: "being delivered right now: what is left of it is suspended",
            before: "gone meanwhile",
            of_none: Some("no mail in the queue is meant now; mail that comes is suspended"),
        };
        self.common.carry_out(
            Order::Suspend { seconds: time.as_secs(), reason: reason.clone() },
            &told,
            output,
        )
    }

    fn list(&self, output: &mut Output) -> io::Result<Exit> {
        let asked = self.common.router.control().and_then(|control| {
            control.get::<Vec<Suspension>>("/queue/suspensions").map_err(|error| error.to_string())
        });
        show(asked, self.common.json, "nothing is suspended", output)
    }
}

impl Resume {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let question = ResumeAsked { numbers: (!self.all).then(|| self.numbers.clone()) };
        let ended = self.router.control().map(|control| control.order("/queue/resume", &question));
        let ended: Result<Vec<Suspension>, String> = match ended {
            Ok(Err(error)) => {
                output.say(&error)?;
                return Ok(error.exit());
            }
            Ok(Ok(ended)) => Ok(ended),
            Err(why) => Err(why),
        };
        if let Ok(ended) = &ended
            && ended.is_empty()
        {
            output.say("nothing is suspended; nothing was changed")?;
            return Ok(Exit::Misuse);
        }
        if let Ok(ended) = &ended
            && !self.json
        {
            output.data(format_args!(
                "ended, and what they kept is due now: {}\n",
                count(ended.len() as u64, "suspension")
            ))?;
        }
        show(ended, self.json, "nothing is suspended", output)
    }
}

fn show(
    asked: Result<Vec<Suspension>, String>,
    json: bool,
    none: &str,
    output: &mut Output,
) -> io::Result<Exit> {
    match asked {
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
        Ok(list) if json => output.data(format_args!("{:#}\n", json!(list)))?,
        Ok(list) if list.is_empty() => output.data(format_args!("{none}\n"))?,
        Ok(list) => list.iter().try_for_each(|suspension| output.data(line(suspension)))?,
    }
    Ok(Exit::Fine)
}

fn line(suspension: &Suspension) -> String {
    let Suspension { number, select, reason, since, until } = suspension;
    format!("#{number}  until {until:.0} (since {since:.0})\n    {}\n    {reason}\n", in_words(select))
}

/// A selector as the command line would have it.
fn in_words(select: &Selector) -> String {
    let patterns = [
        ("sender", &select.sender),
        ("recipient", &select.recipient),
        ("domain", &select.domain),
        ("next-hop", &select.next_hop),
        ("last-reply", &select.last_reply),
    ];
    let mut words: Vec<String> = select.ids.clone();
    words.extend(
        patterns
            .iter()
            .filter_map(|(name, pattern)| pattern.as_ref().map(|text| format!("--{name} '{text}'"))),
    );
    let ages = [("older", select.older), ("younger", select.younger)];
    words.extend(ages.iter().filter_map(|(name, age)| age.map(|age| format!("--{name} {age}s"))));
    let sizes = [("larger", select.larger), ("smaller", select.smaller)];
    words.extend(sizes.iter().filter_map(|(name, size)| size.map(|size| format!("--{name} {size}B"))));
    if words.is_empty() { "all mail".to_owned() } else { words.join(" ") }
}
