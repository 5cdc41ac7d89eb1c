//! `switchyard map stat`: what is in a set.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchyard_maps::control::Shown;

use crate::control::Control;
use crate::output::{Exit, Output};

/// Say what is in a set of maps
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is fine; 1 newer files are bad and not in use; 2 it can't be told.

Example:
  switchyard map stat --daemon /run/switchyard-router/control.sock")]
pub(crate) struct Arguments {
    /// The daemon's control socket
    #[arg(long, value_name = "SOCKET")]
    daemon: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let shown: Shown = match Control::new(&arguments.daemon).get("/maps") {
        Ok(shown) => shown,
        Err(error) => {
            output.say(error)?;
            return Ok(Exit::Misuse);
        }
    };
    if arguments.json {
        output.data(format_args!("{:#}\n", json!(shown)))?;
    } else {
        output.data(format_args!("generation {}\n", shown.generation))?;
        for map in &shown.maps {
            output.data(format_args!("{:<20} {:>10} entries\n", map.map, map.entries))?;
        }
        shown.faults.iter().try_for_each(|fault| output.say(format_args!("not in use: {fault}")))?;
    }
    Ok(if shown.faults.is_empty() { Exit::Fine } else { Exit::Wrong })
}
