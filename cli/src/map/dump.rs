//! `switchyard map dump`: all entries, in the order they stand in.

use std::io;
use std::ops::ControlFlow;

use clap::Args;

use super::lines::DataLines;
use super::which::Which;
use crate::output::{Exit, Output};

/// Write all entries of a table, or of a site's maps, in the order they stand in
#[derive(Debug, Args)]
#[command(after_help = "\
A line is a key, a tab and its value, as in the text, with continued lines joined; several tables have a \
comment in front of each. Tables without entries of their own (static:, socketmap: and the like) are passed by.

Exit codes: 0 all is written; 2 a table can't be read.

Examples:
  switchyard map dump site transport
  switchyard map dump hash:/etc/postfix/transport --json | head")]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// An object a line: {map, table, key, value, file, line}
    #[arg(long)]
    json: bool,
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let tables = match arguments.which.tables() {
        Ok(tables) => tables,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    for table in &tables {
        let mut lines = DataLines::to(output);
        let json = arguments.json;
        // As a comment, so that a dump of one table is a text of that table.
        let headed =
            if tables.len() > 1 && !json { lines.line(format_args!("# {}", table.name())) } else { GO_ON };
        let listed = match headed {
            ControlFlow::Continue(()) => {
                table.each(|entry| if json { lines.json(table, &entry) } else { lines.plain(&entry) })
            }
            ControlFlow::Break(()) => Ok(()),
        };
        lines.end()?;
        if let Err(error) = listed {
            output.say(error)?;
            return Ok(Exit::Misuse);
        }
    }
    Ok(Exit::Fine)
}
