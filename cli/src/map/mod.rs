//! `switchyard map`: the maps themselves, in files or in a running daemon. One file a verb.

mod accept;
mod compile;
mod diff;
mod dump;
mod grep;
mod lines;
mod progress;
mod query;
mod rollback;
mod shadow;
mod stat;
mod which;

use std::io;
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;
use switchyard_maps::control::PutInUse;

use crate::control::Control;
use crate::output::{Exit, Output};

/// Ask, show and compare maps: in files, or in a running daemon
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Query(query::Arguments),
    Diff(diff::Arguments),
    Dump(dump::Arguments),
    Grep(grep::Arguments),
    Compile(compile::Arguments),
    Stat(stat::Arguments),
    Shadow(shadow::Arguments),
    Accept(accept::Arguments),
    Rollback(rollback::Arguments),
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    match &arguments.verb {
        Verb::Query(arguments) => query::run(arguments, output),
        Verb::Compile(arguments) => compile::run(arguments, output),
        Verb::Diff(arguments) => diff::run(arguments, output),
        Verb::Dump(arguments) => dump::run(arguments, output),
        Verb::Grep(arguments) => grep::run(arguments, output),
        Verb::Stat(arguments) => stat::run(arguments, output),
        Verb::Shadow(arguments) => shadow::run(arguments, output),
        Verb::Accept(arguments) => accept::run(arguments, output),
        Verb::Rollback(arguments) => rollback::run(arguments, output),
    }
}

/// Asks a daemon to put another set in use, and tells that it did.
fn put_in_use(socket: &Path, path: &str, json: bool, told: &str, output: &mut Output) -> io::Result<Exit> {
    match Control::new(socket).order::<PutInUse>(path, &()) {
        Ok(done) if json => output.data(format_args!("{:#}\n", json!(done)))?,
        Ok(PutInUse { generation: Some(generation) }) => {
            output.data(format_args!("{told}, as generation {generation}\n"))?;
        }
        Ok(PutInUse { generation: None }) => {
            output.data(
                "accepted: it comes with its settings when they are reloaded (`switchyard reload`)\n",
            )?;
        }
        Err(error) => {
            output.say(&error)?;
            return Ok(error.exit());
        }
    }
    Ok(Exit::Fine)
}
