//! `switchyard-milter --config FILE [--check]`: the suite's filter as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    switchyard_daemon::program::run::<switchyard_milter::Filter>(std::env::args_os())
}
