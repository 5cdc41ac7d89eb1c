//! `switchyard queue list`: a line a message, or counts by what they have in common.

use std::io;

use clap::{Args, ValueEnum};
use serde_json::json;
use switchyard_router::control::{GroupsAsked, RowsAsked};
use switchyard_router::queue::row::{AGES, GroupBy, Groups, Row};

use super::ask;
use super::which::{Router, Which};
use super::words;
use crate::output::{Exit, Output};

/// List the mail that waits, or count it
#[derive(Debug, Args)]
#[command(after_help = "\
Counts by --by are messages: one with recipients in two domains counts in both, and once in the total. The columns \
are ages in minutes, as in qshape: `20` are those from 10 to 20 minutes old. With --json each message is one line of \
JSON.

Exit codes: 0 it was listed; 2 nothing is selected, or it can't be asked.

Examples:
  switchyard queue list
  switchyard queue list --by domain --top 20
  switchyard queue list --by reply --next-hop '[mx1]:25'
  switchyard queue list --queue deferred --older 2h --last-reply '4.7.*' --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Count instead, by this
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// The largest so many groups
    #[arg(long, value_name = "COUNT", requires = "by", default_value_t = 50)]
    top: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    router: Router,
}

/// What is counted by, as a word of the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Domain,
    Sender,
    NextHop,
    Reply,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let found = match arguments.by {
        Some(by) => grouped(arguments, by, output)?,
        None => listed(arguments, output)?,
    };
    match found {
        Ok(0) => output.say("nothing in the queue is selected")?,
        Ok(_) => return Ok(Exit::Fine),
        Err(why) => output.say(why)?,
    }
    Ok(Exit::Misuse)
}

fn grouped(arguments: &Arguments, by: By, output: &mut Output) -> io::Result<Result<u64, String>> {
    let by = match by {
        By::Domain => GroupBy::Domain,
        By::Sender => GroupBy::Sender,
        By::NextHop => GroupBy::NextHop,
        By::Reply => GroupBy::Reply,
    };
    let asked = arguments.which.selector().and_then(|select| {
        let control = arguments.router.control()?;
        let question = GroupsAsked { select, by, top: arguments.top };
        control.post::<Groups>("/queue/groups", &question).map_err(|error| error.to_string())
    });
    let groups = match asked {
        Ok(groups) => groups,
        Err(why) => return Ok(Err(why)),
    };
    if arguments.json {
        output.data(format_args!("{:#}\n", json!(groups)))?;
    } else if groups.messages > 0 {
        output.data(table(&groups))?;
    }
    Ok(Ok(groups.messages))
}

/// The counts as qshape(1) shows them.
fn table(groups: &Groups) -> String {
    let name = |name: &str| if name.is_empty() { "-".to_owned() } else { name.to_owned() };
    let width = groups.groups.iter().map(|group| group.name.chars().count()).max().unwrap_or(0).clamp(10, 60);
    let mut text = format!("{:>width$} {:>8}", "", "messages");
    for minutes in AGES {
        text += &format!(" {minutes:>6}");
    }
    text += &format!(" {:>6}\n", format!("{}+", AGES[AGES.len() - 1]));
    for group in &groups.groups {
        text += &format!("{:>width$} {:>8}", name(&group.name), group.messages);
        for count in group.ages {
            text += &format!(" {count:>6}");
        }
        text.push('\n');
    }
    let (messages, recipients) =
        (words::count(groups.messages, "message"), words::count(groups.recipients, "recipient"));
    text += &format!("{messages} to {recipients}");
    let shown = groups.groups.len() as u64;
    if groups.count > shown {
        text += &format!("; {} more of {} are not shown", groups.count - shown, groups.count);
    }
    text + "\n"
}

fn listed(arguments: &Arguments, output: &mut Output) -> io::Result<Result<u64, String>> {
    let asked = arguments.which.selector().and_then(|select| Ok((select, arguments.router.control()?)));
    let (select, control) = match asked {
        Ok(asked) => asked,
        Err(why) => return Ok(Err(why)),
    };
    let (mut messages, mut size, mut written) = (0, 0, Ok(()));
    let told = ask::rows(&control, &RowsAsked { select, all_recipients: false }, |row| {
        messages += 1;
        size += row.size;
        written = match arguments.json {
            true => output.data(format_args!("{}\n", json!(row))),
            false => output.data(lines(row)),
        };
        written.is_ok()
    });
    written?;
    if let Err(why) = told {
        return Ok(Err(why.to_string()));
    }
    if !arguments.json && messages > 0 {
        output.data(format_args!("{}, {}\n", words::count(messages, "message"), words::octets(size)))?;
    }
    Ok(Ok(messages))
}

/// A message as mailq(1) would show it: what it is, then what it waits for.
fn lines(row: &Row) -> String {
    let mut text = format!(
        "{}  {:<8} {:>8} {:>9}  {}\n",
        row.id,
        row.queue.as_str(),
        words::age(row.age),
        words::octets(row.size),
        row.sender
    );
    if let Some(hold) = &row.hold {
        text += &format!("            on hold by {}: {}\n", hold.by, hold.reason);
    }
    for suspension in &row.suspended {
        text += &format!(
            "            suspended until {:.0} (#{}): {}\n",
            suspension.until, suspension.number, suspension.reason
        );
    }
    for recipient in &row.recipients {
        let by_hand = if recipient.rerouted { " (rerouted)" } else { "" };
        let way = recipient.next_hop.as_deref().map(|way| format!(" via {way}{by_hand}")).unwrap_or_default();
        let reply = recipient.last_reply.as_deref().map(|reply| format!(": {reply}")).unwrap_or_default();
        text += &format!("            {}{way}{reply}\n", recipient.address);
    }
    let more = row.meant.saturating_sub(row.recipients.len());
    if more > 0 {
        text += &format!("            and {more} more\n");
    }
    text
}
