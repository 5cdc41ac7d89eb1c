//! `switchyard map rollback`: a daemon goes back to the set before.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::put_in_use;
use crate::output::{Exit, Output};

/// Put a running daemon's set before this one in use again, until its files change
#[derive(Debug, Args)]
#[command(after_help = "\
Once more brings back the set that was left. The files stay as they are: mend them, or the next change of any \
of them puts all of them in use.

Example:
  switchyard map rollback --daemon /run/switchyard-router/control.sock")]
pub(crate) struct Arguments {
    /// The daemon's control socket
    #[arg(long, value_name = "SOCKET")]
    daemon: PathBuf,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    put_in_use(&arguments.daemon, "/maps/rollback", arguments.json, "the set before is in use again", output)
}
