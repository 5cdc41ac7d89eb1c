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
    /// A fleet: how soon a push is on a thousand hosts, and what that costs the hub (`-- --help` for more).
    Fleet {
        /// Handed on: --hosts N, --rounds N, --entries N, --whole-hosts N, --one, --json.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Builds and runs it.
pub(crate) fn run(bench: &Bench) -> Result<(), Failure> {
    peers::run()?;
    match bench {
        Bench::Relay { arguments } => {
            let folder = tree::target().join("bench");
            measure("relay", &["router"], &["--folder".into(), folder.into()], arguments)
        }
        Bench::Fleet { arguments } => measure("fleet", &["mapsync", "mx"], &[], arguments),
    }
}

/// Runs a benchmark with programs of ours, each told by an option of its name.
fn measure(name: &str, programs: &[&str], more: &[OsString], arguments: &[OsString]) -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["bench", "--locked", "--quiet", "--package", "switchyard-tests", "--bench", name, "--"]);
    for program in programs {
        let package = format!("switchyard-{program}");
        show(cargo().args(["build", "--locked", "--release", "--package", &package]))?;
        command.arg(format!("--{program}")).arg(tree::target().join("release").join(package));
    }
    show(command.args(more).args(arguments))
}
