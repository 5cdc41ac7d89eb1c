//! `switchyard import postfix`: a Postfix configuration becomes a site's folder.
//!
//! The way: `main_cf` and `master_cf` are read as Postfix reads them; `translate` makes a `draft` of a site of
//! them, takes the `tables` they name along, and leaves a note in the `report` for each setting; `tried` lets
//! the maps' own compiler read the draft, and makes comments of the lines that it refuses. The folder is put
//! in its place when it is whole.
//!
//! Invariant kept here: nothing is dropped without a word. Each line of main.cf and each line of a table that
//! does not do here what it did there stands in the report, with the reason.

mod defaults;
mod draft;
mod lines;
mod main_cf;
mod master_cf;
mod report;
mod tables;
mod translate;
mod tree;
mod tried;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::folder::{put_in_place, refuse_full};
use crate::output::{Exit, Output};
use report::Fate;
use translate::Import;

/// Make a site's folder out of another mail system's configuration
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    Postfix(Question),
}

/// From Postfix: main.cf, master.cf and the tables they name
///
/// Nothing is dropped without a word: what did not carry over is listed with its place and the reason, here
/// and in IMPORT.md of the new site. The new site passes `switchyard check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  switchyard import postfix /etc/postfix                 tell what would become of each setting
  switchyard import postfix /etc/postfix --out site      make the site's folder
  switchyard import postfix copy/etc/postfix --root copy --out site --address 192.0.2.25")]
pub(crate) struct Question {
    /// The folder of main.cf: /etc/postfix, or a copy of it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The folder to make; it must be empty or not there
    #[arg(long, value_name = "SITE")]
    out: Option<PathBuf>,
    /// Where a copy of the machine's root lies: other absolute paths are looked up in it
    #[arg(long, value_name = "PATH")]
    root: Option<PathBuf>,
    /// The daemons to make a site of; by the configuration without it
    #[arg(long, value_name = "ROLES")]
    role: Option<Roles>,
    /// The host's own addresses, where main.cf does not name them
    #[arg(long = "address", value_name = "IP")]
    addresses: Vec<IpAddr>,
    /// The host's full name, where main.cf does not name it
    #[arg(long, value_name = "NAME")]
    host_name: Option<String>,
    /// What became of each setting, as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// The daemons of the new site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Roles {
    /// An mx that takes mail from the world, and a router behind it on the same machine.
    Both,
    /// An mx alone; the routers stand elsewhere.
    Mx,
    /// A router alone: a smart host, a relay inside.
    Router,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let From::Postfix(question) = &arguments.from;
    match postfix(question, output) {
        Ok(exit) => Ok(exit),
        Err(why) => {
            output.say(why)?;
            Ok(Exit::Misuse)
        }
    }
}

/// Files of maps from this many octets on are read with a word about it.
const LARGE: usize = 16 << 20;

fn postfix(question: &Question, output: &mut Output) -> Result<Exit, String> {
    if let Some(out) = &question.out {
        refuse_full(out)?;
    }
    let mut import = read(question)?;
    import.run().map_err(|why| format!("{}: {why}", question.folder.join("main.cf").display()))?;

    let parent =
        question.out.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    let making = match (&question.out, parent) {
        (None, _) => tempfile::tempdir(),
        (Some(_), parent) => {
            tempfile::Builder::new().prefix(".import").tempdir_in(parent.unwrap_or(Path::new(".")))
        }
    };
    let out = question.out.as_deref().unwrap_or(Path::new("the new site"));
    let cannot = |error: io::Error| format!("{}: cannot be made: {error}", out.display());
    let making = making.map_err(cannot)?;
    let mut draft = std::mem::replace(&mut import.draft, draft::Draft::new());
    let octets: usize = draft.files.values().map(Vec::len).sum();
    if octets >= LARGE {
        let said =
            format!("{} map files, {} MiB: reading them takes a while", draft.files.len(), octets >> 20);
        output.say(said).map_err(|error| error.to_string())?;
    }
    draft.write(making.path()).map_err(cannot)?;
    let refused = std::mem::take(&mut import.tables.refused);
    let faults = tried::try_maps(making.path(), &mut draft.files, &refused, &mut import.report);
    let faults = faults.map_err(cannot)?;
    import.report.sort();
    let text = import
        .report
        .markdown(&question.folder.display().to_string(), &next_steps(&import, faults.is_empty()));
    draft::write(&making.path().join("IMPORT.md"), text.as_bytes()).map_err(cannot)?;
    if question.out.is_some() {
        put_in_place(making, out).map_err(cannot)?;
    }
    tell(question, &import.report, &faults, output).map_err(|error| error.to_string())
}

fn read(question: &Question) -> Result<Import<'_>, String> {
    let main = question.folder.join("main.cf");
    let lines = lines::load(&main).map_err(|error| format!("{}: cannot be read: {error}", main.display()))?;
    let mut main = main_cf::MainCf::read(&lines);
    let master = question.folder.join("master.cf");
    let mut services = Vec::new();
    match lines::load(&master) {
        Ok(lines) => {
            let (found, odd) = master_cf::read(&lines);
            services = found;
            main.odd.extend(odd);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{}: cannot be read: {error}", master.display())),
    }
    let mut import = Import {
        question,
        tree: tree::Tree::new(&question.folder, question.root.as_deref()),
        main,
        services,
        draft: draft::Draft::new(),
        report: report::Report::default(),
        tables: tables::Tables::default(),
        maps: BTreeMap::new(),
        parents: BTreeSet::new(),
    };
    import.overlay();
    Ok(import)
}

/// What the person does next.
fn next_steps(import: &Import<'_>, passes: bool) -> Vec<String> {
    let mut steps = Vec::new();
    if !passes {
        steps.push("Mend what `switchyard check` says: this site does not pass yet.".to_owned());
    }
    if import.report.of(Fate::Dropped).next().is_some() {
        steps.push("Read what was not carried over, below, and decide about each.".to_owned());
    }
    steps.push("Look at `site.toml`: names, addresses and facts.".to_owned());
    steps.push(
        "Ask the maps some questions with `switchyard map query`, and compare with `postmap -q`.".to_owned(),
    );
    steps.push("Run `switchyard check` on this folder, then `switchyard render` for each host.".to_owned());
    steps
}

fn tell(
    question: &Question,
    report: &report::Report,
    faults: &[String],
    output: &mut Output,
) -> io::Result<Exit> {
    if question.json {
        let mut told = report.json();
        told["site"] = json!(question.out);
        told["faults"] = json!(faults);
        output.data(format_args!("{told:#}\n"))?;
    } else {
        let notes = report.of(Fate::Dropped).chain(report.of(Fate::Changed));
        let notes: String = notes.map(|note| format!("{note}\n")).collect();
        output.data(format_args!("{notes}{}\n", report.counts()))?;
        if let Some(out) = &question.out {
            output.data(format_args!("{} tells all of it\n", out.join("IMPORT.md").display()))?;
        }
    }
    for fault in faults {
        output.say(fault)?;
    }
    Ok(if faults.is_empty() { Exit::Fine } else { Exit::Wrong })
}
