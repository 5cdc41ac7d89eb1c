//! `switchyard queue show`: all that is known of a message.

use std::io;

use clap::Args;
use serde_json::json;
use switchyard_router::control::RowsAsked;
use switchyard_router::queue::row::Row;
use switchyard_router::queue::select::Selector;

use super::ask;
use super::which::Router;
use super::words;
use crate::output::{Exit, Output};

/// Show all that is known of some messages
#[derive(Debug, Args)]
#[command(after_help = "\
Every recipient is shown, with what became of it or what its last attempt came to, and where its mail goes by the \
maps of this moment.

Exit codes: 0 it was shown; 2 there is no such message, or it can't be asked.

Examples:
  switchyard queue show 3kBcDfGhJ2
  switchyard queue show 3kBcDfGhJ2 --json")]
pub(super) struct Arguments {
    /// The messages' ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// As JSON, one line a message
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    router: Router,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let select = Selector { ids: arguments.ids.clone(), ..Selector::default() };
    let named = select.queue_ids();
    // One that is named twice is shown once.
    let wanted = named.as_ref().map_or(0, Vec::len);
    let asked = named.and_then(|_| arguments.router.control());
    let (mut shown, mut written) = (0, Ok(()));
    let told = asked.and_then(|control| {
        let question = RowsAsked { select, all_recipients: true };
        let told = ask::rows(&control, &question, |row| {
            shown += 1;
            written = match arguments.json {
                true => output.data(format_args!("{}\n", json!(row))),
                false => output.data(page(row)),
            };
            written.is_ok()
        });
        told.map_err(|error| error.to_string())
    });
    written?;
    match told {
        Err(why) => output.say(why)?,
        Ok(()) if shown < wanted => {
            let missing = words::count((wanted - shown) as u64, "message");
            output.say(format_args!("{missing} asked for: not in the queue (any more)"))?;
        }
        Ok(()) => return Ok(Exit::Fine),
    }
    Ok(Exit::Misuse)
}

fn page(row: &Row) -> String {
    let mut text = format!("{}\n", row.id);
    let mut line = |name: &str, value: &str| text += &format!("  {name:<13} {value}\n");
    line("queue", row.queue.as_str());
    if let Some(hold) = &row.hold {
        line("on hold", &format!("by {}: {}", hold.by, hold.reason));
    }
    if row.released {
        line("released", "by hand: no line of a map holds it again");
    }
    for suspension in &row.suspended {
        let until = format!("until {:.0} (#{}): {}", suspension.until, suspension.number, suspension.reason);
        line("suspended", &until);
    }
    line("sender", &row.sender);
    line("came", &format!("{:.0} ({} ago) from {}", row.arrival, words::age(row.age), row.client));
    if row.priority != 0 {
        line("priority", &row.priority.to_string());
    }
    line("size", &words::octets(row.size));
    line("attempts", &row.attempts.to_string());
    if let Some(next) = row.next_attempt {
        line("next attempt", &format!("{next:.0}"));
    }
    for recipient in &row.recipients {
        line("recipient", &format!("{}, {}", recipient.address, recipient.state));
        if let Some(way) = &recipient.next_hop {
            line("", &format!("goes to {way}{}", if recipient.rerouted { ", rerouted by hand" } else { "" }));
        }
        if let Some(reply) = &recipient.last_reply {
            line("", reply);
        }
    }
    text
}
