//! Benchmarks: built here in release, run by their own programs.

use std::ffi::OsString;

use clap::Subcommand;

use crate::peers;
use crate::run::{Failure, cargo, show};
use crate::tree;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Durable relay: messages a second and CPU a message, router and Postfix in turn (`-- --help` for more).
    Relay {
        /// Handed on: --rounds N, --messages N, --sessions N, --length N, --kept, --json.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Builds and runs it.
pub(crate) fn run(bench: &Bench) -> Result<(), Failure> {
    let Bench::Relay { arguments } = bench;
    peers::run()?;
    show(cargo().args(["build", "--locked", "--release", "--package", "switchyard-router"]))?;
    let mut command = cargo();
    command.args(["bench", "--locked", "--quiet", "--package", "switchyard-tests", "--bench", "relay", "--"]);
    command.arg("--router").arg(tree::target().join("release/switchyard-router"));
    command.arg("--folder").arg(tree::target().join("bench"));
    show(command.args(arguments))
}
