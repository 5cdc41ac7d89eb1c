//! The project's own chores, run as `cargo xtask CHORE`: nothing to install, everything a person runs is
//! what CI runs.
//!
//! [`ci`] is the whole gate and calls the others: [`peers`] brings the mail software the tests talk to,
//! [`floors`] holds the layout, [`docs`] makes and checks the documents that come out of the sources,
//! [`units`] checks the systemd units. [`mod@bench`] compares the router
//! with Postfix on this machine.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore speaks to the person who runs it")]

mod bench;
mod ci;
mod docs;
mod floors;
mod peers;
mod run;
mod tree;
mod units;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything a change must pass; what `.ci/run` calls.
    Ci {
        /// Run only the steps whose name holds this word.
        #[arg(long)]
        only: Option<String>,
    },
    /// Print the floors, and check that no crate reaches upwards or names what it may not.
    Floors,
    /// Install the mail software that the tests talk to, and unpack the messages they send.
    Peers,
    /// Make what is made from the sources: docs/rfcs.md, metrics.md, settings.md, schema/.
    Docs {
        /// Change nothing; fail when a document is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Verify the systemd units and their exposure.
    Units,
    /// Measure, against a peer and in alternating rounds.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Ci { only } => return ci::run(only.as_deref()),
        Chore::Floors => floors::run(),
        Chore::Peers => peers::run(),
        Chore::Docs { check: true } => docs::check(),
        Chore::Docs { check: false } => docs::write(),
        Chore::Units => units::run(),
        Chore::Bench(bench) => bench::run(&bench),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
