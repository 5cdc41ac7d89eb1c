//! Running another program and saying plainly how it failed.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// A chore that did not come out right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program is not there, or could not be started.
    #[error("cannot run {program}: {source}")]
    Start {
        /// As it was called.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program ran and said no.
    #[error("`{command}` failed: {status}{output}")]
    Program {
        /// The whole command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it had to say, when it was not shown as it came.
        output: String,
    },
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A program's answer is not what it was asked for.
    #[error("{0}")]
    Answer(String),
    /// What a check found, one finding a line.
    #[error("{}", .0.join("\n"))]
    Findings(Vec<String>),
}

impl Failure {
    /// For `map_err` on file work.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}

/// Fine when nothing was found.
pub(crate) fn findings(found: Vec<String>) -> Result<(), Failure> {
    if found.is_empty() { Ok(()) } else { Err(Failure::Findings(found)) }
}

/// A command that starts in the root of the repository.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::tree::root());
    command
}

/// Cargo, the one that runs us.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs it with its output shown as it comes.
pub(crate) fn show(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|source| start_failure(command, source))?;
    if status.success() { Ok(()) } else { Err(program_failure(command, status, String::new())) }
}

/// Runs it and hands back what it wrote to its standard output.
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|source| start_failure(command, source))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = format!("\n{text}{}", String::from_utf8_lossy(&output.stderr));
    Err(program_failure(command, output.status, said.trim_end().to_owned()))
}

fn start_failure(command: &Command, source: io::Error) -> Failure {
    Failure::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn program_failure(command: &Command, status: ExitStatus, output: String) -> Failure {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    Failure::Program { command: line, status, output }
}
