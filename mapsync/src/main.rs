//! `switchyard-mapsync hub|agent --config FILE [--check]`: the hub, or the agent, as a program.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use switchyard_daemon::program::{Daemon, run};
use switchyard_mapsync::agent::Agent;
use switchyard_mapsync::hub::Hub;

const USAGE: &str = "\
Spreads maps and settings over the hosts of a site.

Usage: switchyard-mapsync hub|agent --config FILE [--check]

  hub    Keeps what admins signed, tells every host, and hands out the files
  agent  Takes what admins signed, proves it on this host, and puts it in use

`switchyard-mapsync hub --help` and `switchyard-mapsync agent --help` say more.

Exit codes: 0 fine, 1 a fault was found, 2 misuse.

Example: switchyard-mapsync hub --config /etc/switchyard/hub.toml
";

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let part = words.next().unwrap_or_default();
    let named = |name: &str| std::iter::once(OsString::from(name));
    match part.to_str() {
        Some("hub") => run::<Hub>(named(Hub::NAME).chain(words)),
        Some("agent") => run::<Agent>(named(Agent::NAME).chain(words)),
        Some("--help" | "-h" | "help") => said(&mut io::stdout(), USAGE, ExitCode::SUCCESS),
        Some("--version" | "-V") => {
            let version = concat!("switchyard-mapsync ", env!("CARGO_PKG_VERSION"), "\n");
            said(&mut io::stdout(), version, ExitCode::SUCCESS)
        }
        _ => said(&mut io::stderr(), USAGE, ExitCode::from(2)),
    }
}

fn said(to: &mut dyn io::Write, text: &str, code: ExitCode) -> ExitCode {
    // Who has closed our output needs no words.
    let _best_effort = to.write_all(text.as_bytes());
    code
}
