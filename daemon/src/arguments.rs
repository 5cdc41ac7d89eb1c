//! A daemon's command line: one settings file, run or only checked.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

/// What a daemon was called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The settings file.
    pub config: PathBuf,
    /// Read the settings and what they name, say all faults, and end.
    pub check: bool,
}

impl Arguments {
    /// Reads the command line; `--help` and `--version` answer and end the process, and so does a misuse,
    /// with exit code 2.
    pub fn parse(
        program: &'static str,
        about: &'static str,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Self {
        let matches = command(program, about).get_matches_from(arguments);
        Self {
            // Required, so it is there.
            config: matches.get_one::<PathBuf>("config").cloned().unwrap_or_default(),
            check: matches.get_flag("check"),
        }
    }
}

/// The command line of a daemon, for its manual page.
#[must_use]
pub fn command(program: &'static str, about: &'static str) -> Command {
    Command::new(program)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The settings, as `switchyard render` writes them"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Read the settings and the files they name, say every fault, and end"),
        )
        .after_help(format!(
            "Exit codes: 0 fine, 1 a fault was found, 2 misuse.\n\nExample: {program} --config /etc/switchyard/{}.toml --check",
            program.rsplit(['-', ' ']).next().unwrap_or_default()
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_read() {
        command("switchyard-router", "x").debug_assert();
        let words = ["switchyard-router", "--config", "a.toml", "--check"].map(OsString::from);
        let arguments = Arguments::parse("switchyard-router", "x", words);
        assert_eq!(arguments, Arguments { config: "a.toml".into(), check: true });
    }
}
