//! `switchyard completions`: what a shell completes the tool's own command line with.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::output::{Exit, Output};

/// Write the completions of this tool for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchyard completions bash > /etc/bash_completion.d/switchyard
  switchyard completions zsh > /usr/local/share/zsh/site-functions/_switchyard
  switchyard completions fish > ~/.config/fish/completions/switchyard.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let mut command = crate::Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "switchyard", &mut script);
    output.data(String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
