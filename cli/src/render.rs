//! `switchyard render`: the effective settings of a host.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use switchyard_config::render::{Origins, render};
use switchyard_config::{Faults, Site};

use crate::output::{Exit, Output};

/// Write the effective settings of a host, as its daemon takes them
#[derive(Debug, Args)]
#[command(after_help = "Example:
  switchyard render site --host mx1 --origin
  switchyard render site --host mx1 --out /etc/switchyard/mx.toml")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml stands
    #[arg(value_name = "DIR")]
    site: PathBuf,
    /// The host's full name, or its first label
    #[arg(long, value_name = "NAME")]
    host: String,
    /// Say beside each value which file and line gave it
    #[arg(long)]
    origin: bool,
    /// Write to this file, whole or not at all, instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let text = match effective(arguments) {
        Ok(text) => text,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    let Some(path) = &arguments.out else {
        output.data(text)?;
        return Ok(Exit::Fine);
    };
    match replace(path, &text) {
        Ok(()) => Ok(Exit::Fine),
        Err(error) => {
            output.say(format_args!("{}: cannot be written: {error}", path.display()))?;
            Ok(Exit::Misuse)
        }
    }
}

/// The text, if the host's daemon would take it.
fn effective(arguments: &Arguments) -> Result<String, Faults> {
    let site = Site::load(&arguments.site)?;
    let host = site.host(&arguments.host).map_err(|error| site.fault(error))?;
    site.settings(host)?;
    let origins = if arguments.origin { Origins::Shown } else { Origins::Hidden };
    Ok(render(&site.document(host, None)?, origins))
}

/// Puts a file in the place of another, so that a daemon that reads it sees the one or the other.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable by the daemon's own user: no setting is a secret, keys stand in files of their own.
    let mode = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix(".render").permissions(mode).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
