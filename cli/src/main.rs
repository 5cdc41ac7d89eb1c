//! The operator's tool.
//!
//! One verb, one file. A verb does its work through [`Output`] and gives an [`Exit`]: 0 all is fine, 1
//! something was found wrong, 2 the question itself was wrong and nothing was changed, 3 a daemon was given an order
//! and its end was not heard. Faults go to standard error with file and line; data goes to standard output, as text
//! for people or, with `--json`, for programs.

#![forbid(unsafe_code)]

mod behave;
mod check;
mod completions;
mod control;
mod explain;
mod folder;
mod import;
mod init;
mod key;
mod man;
mod map;
mod output;
mod progress;
mod push;
mod queue;
mod reload;
mod render;
mod schema;
mod texts;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::{Exit, Output};

/// Switchyard's tool for the people who run it.
#[derive(Debug, Parser)]
#[command(name = "switchyard", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Behave(behave::Arguments),
    Check(check::Arguments),
    Completions(completions::Arguments),
    Diff(push::DiffArguments),
    Explain(explain::Arguments),
    Fleet(push::FleetArguments),
    Import(import::Arguments),
    Init(init::Arguments),
    Key(key::Arguments),
    Log(push::LogArguments),
    Man(man::Arguments),
    Map(map::Arguments),
    Push(push::PushArguments),
    Queue(queue::Arguments),
    Release(push::ReleaseArguments),
    Reload(reload::Arguments),
    Render(render::Arguments),
    Rollback(push::RollbackArguments),
    Rollout(push::RolloutArguments),
    Schema(schema::Arguments),
    Up(up::Arguments),
}

fn main() -> ExitCode {
    let exit = match &Arguments::parse().verb {
        Verb::Behave(arguments) => behave::run(arguments, &mut Output::standard()),
        Verb::Check(arguments) => check::run(arguments, &mut Output::standard()),
        Verb::Completions(arguments) => completions::run(arguments, &mut Output::standard()),
        Verb::Diff(arguments) => push::diff(arguments, &mut Output::standard()),
        Verb::Explain(arguments) => explain::run(arguments, &mut Output::standard()),
        Verb::Fleet(arguments) => push::fleet(arguments, &mut Output::standard()),
        Verb::Import(arguments) => import::run(arguments, &mut Output::standard()),
        Verb::Init(arguments) => init::run(arguments, &mut Output::standard()),
        Verb::Key(arguments) => key::run(arguments, &mut Output::standard()),
        Verb::Log(arguments) => push::log(arguments, &mut Output::standard()),
        Verb::Man(arguments) => man::run(arguments, &mut Output::standard()),
        Verb::Map(arguments) => map::run(arguments, &mut Output::standard()),
        Verb::Push(arguments) => push::push(arguments, &mut Output::standard()),
        Verb::Queue(arguments) => queue::run(arguments, &mut Output::standard()),
        Verb::Release(arguments) => push::release(arguments, &mut Output::standard()),
        Verb::Reload(arguments) => reload::run(arguments, &mut Output::standard()),
        Verb::Render(arguments) => render::run(arguments, &mut Output::standard()),
        Verb::Rollback(arguments) => push::rollback(arguments, &mut Output::standard()),
        Verb::Rollout(arguments) => push::rollout(arguments, &mut Output::standard()),
        Verb::Schema(arguments) => schema::run(arguments, &mut Output::standard()),
        // Its daemons write to the terminal while it runs.
        Verb::Up(arguments) => up::run(arguments),
    };
    // Nobody reads on (`switchyard render … | head`): no fault of ours, and nothing left to say.
    exit.unwrap_or(Exit::Misuse).into()
}
