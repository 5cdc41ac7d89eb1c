//! `switchyard-router`: the SMTP router as a service.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use switchyard_daemon::program;
use switchyard_router::Router;

fn main() -> ExitCode {
    program::run::<Router>(std::env::args_os())
}
