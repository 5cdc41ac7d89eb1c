//! `switchyard map compile`: a host's maps as a set that a daemon opens in constant time.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchyard_config::Site;
use switchyard_config::site::Role;
use switchyard_maps::installed::{self, Manifest};

use super::progress::Waiting;
use super::stat;
use crate::output::{Exit, Output};
use crate::texts;

/// Compile a site's maps into a set: a folder that daemons open as it is
#[derive(Debug, Args)]
#[command(after_help = "\
Same maps, same octets. The folder is new or empty, and is a set once its manifest stands in it, which is \
written last, when all of the rest has been read back and verified. Give its path to `maps.set`, best as a link \
that is moved from one set to the next.

Exit codes: 0 the set stands there; 1 something is wrong with the maps; 2 it can't be written.

Example:
  switchyard map compile site --out /var/lib/switchyard/sets/7")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml stands
    #[arg(value_name = "DIR")]
    site: PathBuf,
    /// The folder of the set
    #[arg(long, value_name = "SET")]
    out: PathBuf,
    /// The host whose maps they are; without it the first router, or the first host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The manifest as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let (exit, why) = match arguments.compile() {
        Ok(manifest) => {
            output.data(arguments.told(&manifest))?;
            return Ok(Exit::Fine);
        }
        Err(Failure::Question(why)) => (Exit::Misuse, why),
        Err(Failure::Maps(why)) => (Exit::Wrong, why),
    };
    output.say(why)?;
    Ok(exit)
}

/// Why there is no set.
enum Failure {
    /// It can't be made.
    Question(String),
    /// Something is wrong with the maps.
    Maps(String),
}

fn question(error: impl Display) -> Failure {
    Failure::Question(error.to_string())
}

impl Arguments {
    fn compile(&self) -> Result<Manifest, Failure> {
        let site = Site::load(&self.site).map_err(question)?;
        let host = match &self.host {
            Some(name) => Some(site.host(name).map_err(|error| question(site.fault(error)))?),
            None => site
                .hosts
                .iter()
                .find(|host| host.role == Role::Router)
                .or(site.hosts.iter().find(|host| host.role.is_of_mail())),
        };
        let Some(host) = host else {
            return Err(Failure::Question("mail passes no host of the site".to_owned()));
        };
        let options = texts::options(&site, site.settings(host).map_err(question)?);
        let _waiting = Waiting::for_("compiling the maps");
        installed::install(&options, &self.out).map_err(|error| match error {
            installed::InstallError::Maps(faults) => Failure::Maps(faults.to_string()),
            installed::InstallError::Disk { .. } => Failure::Question(error.to_string()),
        })
    }

    fn told(&self, manifest: &Manifest) -> String {
        if self.json { format!("{:#}\n", json!(manifest)) } else { stat::lines_of(manifest) }
    }
}
