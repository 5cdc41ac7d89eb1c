//! `switchyard render`: the effective settings of a host, and how they differ from others.
//!
//! The settings are made once, of the site's folder, and are those that the host's daemon would take; then
//! they are written out, as TOML or JSON, held against older ones ([`mod@diff`]), or laid down as the folders
//! that hosts are restored from ([`mod@into`]).

mod diff;
mod into;

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use switchyard_config::Site;
use switchyard_config::document::Document;
use switchyard_config::render::{Origins, origins, render};
use switchyard_config::site::{Daemon, Host};

use crate::output::{Exit, Output};

/// Write the effective settings of a host, as its daemon takes them
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 fine, with --diff no difference; 1 there are differences; 2 nothing was written, and why is said.

Examples:
  switchyard render site --host mx1 --origin
  switchyard render site --host mx1 --out /etc/switchyard/mx.toml
  switchyard render site --host mx1 --diff /etc/switchyard/mx.toml
  switchyard render site --host mx1 --diff site.before --json
  switchyard render site --host mx1 --diff /run/switchyard-mx/control.sock
  switchyard render site --host router1 --of milter --origin
  switchyard render site --host mx1 --into mx1.etc && scp -r mx1.etc/. root@mx1:/etc/switchyard/")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml stands
    #[arg(value_name = "DIR")]
    site: PathBuf,
    /// The host's full name, or its first label
    #[arg(long, value_name = "NAME", required_unless_present = "into")]
    host: Option<String>,
    /// Of which daemon of the host; without it, of the one that its role names
    #[arg(long, value_name = "DAEMON", value_parser = daemon, conflicts_with = "into")]
    of: Option<Daemon>,
    /// Say beside each value which file and line gave it
    #[arg(long)]
    origin: bool,
    /// As a JSON object: the host and its settings, its differences, or the folders that were made
    #[arg(long)]
    json: bool,
    /// Say which settings are not as in OLD, and whether a running daemon takes each: OLD is the control socket of
    /// the running daemon, a settings file, or the folder of a site in which the host has the same name
    #[arg(long, value_name = "OLD", conflicts_with_all = ["out", "into"])]
    diff: Option<PathBuf>,
    /// Write to this file, whole or not at all, instead of to standard output
    #[arg(long, value_name = "FILE", conflicts_with = "into")]
    out: Option<PathBuf>,
    /// Make this folder: what the host has in /etc/switchyard, the settings of all its daemons and the maps; without
    /// --host a folder for every host, under its name
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

/// The settings of a host's daemon, found good.
struct Rendered<'a> {
    host: &'a Host,
    daemon: Daemon,
    document: Document,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    match arguments.render(output) {
        Ok(exit) => Ok(exit),
        Err(why) => {
            output.say(why)?;
            Ok(Exit::Misuse)
        }
    }
}

impl Arguments {
    fn render(&self, output: &mut Output) -> Result<Exit, String> {
        let site = Site::load(&self.site).map_err(text)?;
        let hosts: Vec<&Host> = match &self.host {
            Some(name) => vec![site.host(name).map_err(|error| text(site.fault(error)))?],
            None => site.hosts.iter().collect(),
        };
        if let Some(folder) = &self.into {
            let all = hosts.into_iter().map(|host| {
                let daemons = site.daemons(host).into_iter();
                daemons.map(|daemon| Rendered::of(&site, host, daemon)).collect()
            });
            return self.lay_down(&site, &all.collect::<Result<Vec<_>, _>>()?, folder, output);
        }
        // Without --into there is a host, and one.
        let Some(host) = hosts.first() else { return Ok(Exit::Fine) };
        let rendered = Rendered::of(&site, host, self.daemon_of(&site, host)?)?;
        match &self.diff {
            Some(old) => self.differ(&rendered, old, output),
            None => self.write(&rendered, &site, output),
        }
    }

    /// The one that is asked for, if the host runs it.
    fn daemon_of(&self, site: &Site, host: &Host) -> Result<Daemon, String> {
        let runs = site.daemons(host);
        match self.of {
            None => Ok(host.role.runs()),
            Some(daemon) if runs.contains(&daemon) => Ok(daemon),
            Some(daemon) => {
                let runs: Vec<&str> = runs.iter().map(|daemon| daemon.as_str()).collect();
                let (name, asked, runs) = (&host.name, daemon.as_str(), runs.join(", "));
                Err(text(site.fault(format!("`{name}` runs no `{asked}`; it runs {runs}"))))
            }
        }
    }

    fn write(&self, rendered: &Rendered<'_>, site: &Site, output: &mut Output) -> Result<Exit, String> {
        let settings =
            if self.json { rendered.json(site, self.origins())? } else { rendered.toml(self.origins()) };
        match &self.out {
            None => output.data(settings).map_err(text)?,
            Some(path) => replace(path, &settings)
                .map_err(|error| format!("{}: cannot be written: {error}", path.display()))?,
        }
        Ok(Exit::Fine)
    }

    const fn origins(&self) -> Origins {
        if self.origin { Origins::Shown } else { Origins::Hidden }
    }
}

impl<'a> Rendered<'a> {
    fn of(site: &Site, host: &'a Host, daemon: Daemon) -> Result<Self, String> {
        let document = site.document_of(host, daemon, None).map_err(text)?;
        daemon.effective(&document, None).map_err(text)?;
        Ok(Self { host, daemon, document })
    }

    fn toml(&self, origins: Origins) -> String {
        render(&self.document, origins)
    }

    fn json(&self, site: &Site, shown: Origins) -> Result<String, String> {
        let settings: Value = toml::from_str(&self.toml(Origins::Hidden)).map_err(text)?;
        let mut told = json!({
            "host": self.host.name.as_str(),
            "role": self.host.role.as_str(),
            "daemon": self.daemon.as_str(),
            "daemons": site.daemons(self.host).iter().map(|daemon| daemon.as_str()).collect::<Vec<_>>(),
            "settings": settings,
        });
        if shown == Origins::Shown {
            let origins = origins(&self.document).into_iter().map(|(name, origin)| (name, json!(origin)));
            told["origins"] = Value::Object(origins.collect::<Map<_, _>>());
        }
        Ok(format!("{told:#}\n"))
    }
}

fn daemon(word: &str) -> Result<Daemon, String> {
    let known: Vec<&str> = Daemon::ALL.iter().map(|daemon| daemon.as_str()).collect();
    let found = Daemon::ALL.into_iter().find(|daemon| daemon.as_str() == word);
    found.ok_or_else(|| format!("no such daemon; there are {}", known.join(", ")))
}

/// Puts a file in the place of another, so that a daemon that reads it sees the one or the other.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable by the daemon's own user: no setting is a secret, keys stand in files of their own.
    let mode = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix(".render").permissions(mode).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
