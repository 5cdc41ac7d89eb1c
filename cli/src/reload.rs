//! `switchyard reload`: a running daemon reads its settings again, and says what came of it.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchyard_daemon::reload::Reloaded;

use crate::control::Control;
use crate::output::{Exit, Output};

/// Let a running daemon read its settings again, whole or not at all
#[derive(Debug, Args)]
#[command(after_help = "\
What SIGHUP does, with an answer: exit code 0 when the new settings hold, 1 when they were refused and the old ones \
hold; 2 when the daemon cannot be asked; 3 when it was told to and its answer did not come: it goes on there. What \
takes a restart is named, and keeps its old value. `switchyard render --diff` says beforehand which settings do.

Example:
  switchyard reload --daemon /run/switchyard-mx/control.sock")]
pub(crate) struct Arguments {
    /// The daemon's control socket
    #[arg(long, value_name = "SOCKET")]
    daemon: PathBuf,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let reloaded: Reloaded = match Control::new(&arguments.daemon).order("/settings/reload", &()) {
        Ok(reloaded) => reloaded,
        Err(error) => {
            output.say(&error)?;
            return Ok(error.exit());
        }
    };
    if arguments.json {
        output.data(format_args!("{:#}\n", json!(reloaded)))?;
    }
    match &reloaded.error {
        Some(error) => {
            output.say(format_args!("refused, and the old settings hold:\n{error}"))?;
            Ok(Exit::Wrong)
        }
        None => {
            for setting in &reloaded.held {
                output.say(format_args!("{setting}: takes a restart; the old value holds"))?;
            }
            if !arguments.json {
                output.data("the new settings hold\n")?;
            }
            Ok(Exit::Fine)
        }
    }
}
