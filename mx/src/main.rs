//! `switchyard-mx --config FILE [--check]`: the inbound MX front as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    switchyard_daemon::program::run::<switchyard_mx::Mx>(std::env::args_os())
}
