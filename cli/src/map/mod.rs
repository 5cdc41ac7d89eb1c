//! `switchyard map`: the maps themselves, in files or in a running daemon. One file a verb.

mod rollback;
mod stat;

use std::io;

use clap::{Args, Subcommand};

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
    Stat(stat::Arguments),
    Rollback(rollback::Arguments),
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    match &arguments.verb {
        Verb::Stat(arguments) => stat::run(arguments, output),
        Verb::Rollback(arguments) => rollback::run(arguments, output),
    }
}
