//! `switchyard check`: everything that is wrong with a site, with file and line.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use switchyard_config::Site;
use switchyard_maps::options::MapOptions;
use switchyard_maps::set::MapSet;

use crate::output::{Exit, Output};
use crate::texts;

/// Say what is wrong with a site: settings, templates, maps and behaviours, all of it at once
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing is wrong; 1 a setting or a map is; 2 the folder is no site, or a host has no settings at \
all: two hosts of one name, a role that does not exist, a hole without its fact.

Example:
  switchyard check site && echo fine")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml stands
    #[arg(value_name = "DIR")]
    site: PathBuf,
    /// Faults as a JSON array of {file, line, column, message} on standard output
    #[arg(long)]
    json: bool,
}

/// One fault, of a setting or of a map.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    pub(crate) file: String,
    /// From 1; 0 stands for the file itself.
    pub(crate) line: u32,
    column: u32,
    pub(crate) message: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let (hosts, faults) = faults_of(&arguments.site);
    if arguments.json {
        let faults: Vec<_> = faults.iter().map(Fault::json).collect();
        output.data(format_args!("{:#}\n", json!(faults)))?;
    } else {
        for fault in &faults {
            output.say(fault.line())?;
        }
        if faults.is_empty() {
            output
                .data(format_args!("{hosts} host{}, nothing wrong\n", if hosts == 1 { "" } else { "s" }))?;
        }
    }
    Ok(match Site::load(&arguments.site) {
        _ if faults.is_empty() => Exit::Fine,
        Ok(site) if site.is_whole() => Exit::Wrong,
        _ => Exit::Misuse,
    })
}

/// How many hosts a site has, and everything that is wrong with it.
pub(crate) fn faults_of(folder: &Path) -> (usize, BTreeSet<Fault>) {
    match Site::load(folder) {
        Ok(site) => {
            let settings = site.faults();
            let behaviours = switchyard_behaviour::load(&site).err().unwrap_or_default();
            let settings = settings.iter().chain(&behaviours).map(Fault::of_setting);
            (site.hosts.len(), settings.chain(faults_of_maps(&site)).collect())
        }
        Err(faults) => (0, faults.iter().map(Fault::of_setting).collect()),
    }
}

/// The maps of the site's folder, as each host would read them. Hosts share them: a fault is said once.
fn faults_of_maps(site: &Site) -> BTreeSet<Fault> {
    let mut faults = BTreeSet::new();
    let mut seen: Vec<MapOptions> = Vec::new();
    for host in &site.hosts {
        // What is wrong with the settings is said already.
        for options in texts::of_host(site, host).unwrap_or_default() {
            if seen.contains(&options) {
                continue;
            }
            if let Err(more) = MapSet::load(&options) {
                faults.extend(more.iter().map(Fault::of_map));
            }
            seen.push(options);
        }
    }
    faults
}

impl Fault {
    fn of_setting(fault: &switchyard_config::Fault) -> Self {
        Self {
            file: fault.place.file.to_string(),
            line: fault.place.line,
            column: fault.place.column,
            message: fault.message.clone(),
        }
    }

    fn of_map(fault: &switchyard_maps::fault::Fault) -> Self {
        Self {
            file: fault.file.display().to_string(),
            line: fault.line,
            column: fault.column,
            message: fault.message.clone(),
        }
    }

    pub(crate) fn line(&self) -> String {
        let Self { file, line, column, message } = self;
        if *line == 0 { format!("{file}: {message}") } else { format!("{file}:{line}:{column}: {message}") }
    }

    fn json(&self) -> serde_json::Value {
        let Self { file, line, column, message } = self;
        json!({ "file": file, "line": line, "column": column, "message": message })
    }
}
