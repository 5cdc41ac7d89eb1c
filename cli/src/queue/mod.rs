//! `switchyard queue`: mail that waits in a running router, shown and ordered about. One file a verb, or a family
//! of verbs.

mod ask;
mod list;
mod order;
mod show;
mod suspend;
mod which;
mod words;

use std::io;

use clap::{Args, Subcommand};

use crate::output::{Exit, Output};

/// Show the mail that waits in a router, and act on it
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Messages are selected by fields that must all fit: --sender 'bulk@*' --domain example.org --older 2h. In a pattern \
* stands for any text and ? for one character. Every verb that changes something takes --dry-run.

Examples:
  switchyard queue list --by domain
  switchyard queue hold --sender 'bulk@*' --reason 'asking the customer'
  switchyard queue retry --next-hop '[mx1]:25'
  switchyard queue bounce --domain exmaple.org --reason 'no such domain' --dry-run"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::Arguments),
    Show(show::Arguments),
    Hold(order::Hold),
    Release(order::Release),
    Retry(order::Retry),
    Reroute(order::Reroute),
    Bounce(order::Bounce),
    Delete(order::Delete),
    Suspend(suspend::Suspend),
    Resume(suspend::Resume),
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    match &arguments.verb {
        Verb::List(arguments) => list::run(arguments, output),
        Verb::Show(arguments) => show::run(arguments, output),
        Verb::Hold(arguments) => arguments.run(output),
        Verb::Release(arguments) => arguments.run(output),
        Verb::Retry(arguments) => arguments.run(output),
        Verb::Reroute(arguments) => arguments.run(output),
        Verb::Bounce(arguments) => arguments.run(output),
        Verb::Delete(arguments) => arguments.run(output),
        Verb::Suspend(arguments) => arguments.run(output),
        Verb::Resume(arguments) => arguments.run(output),
    }
}
