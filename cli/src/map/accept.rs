//! `switchyard map accept`: a set that was refused because it changes too much is put in use after all.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::put_in_use;
use crate::output::{Exit, Output};

/// Put a set in use that a daemon refused because too much would change at once
#[derive(Debug, Args)]
#[command(after_help = "\
`switchyard map stat` says what is not in use and why, `switchyard map diff` what would change. Only the set \
that was read and refused is taken: files that have changed since then are a new set. A set that was refused with a \
reload of the settings comes with them: reload once more.

Example:
  switchyard map accept --daemon /run/switchyard-router/control.sock")]
pub(crate) struct Arguments {
    /// The daemon's control socket
    #[arg(long, value_name = "SOCKET")]
    daemon: PathBuf,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    put_in_use(&arguments.daemon, "/maps/accept", arguments.json, "the refused set is in use", output)
}
