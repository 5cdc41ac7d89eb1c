//! `switchyard init`: a new site, small and commented, that passes `switchyard check`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use switchyard_config::example::FILES;
use switchyard_smtp::address::Domain;

use crate::check;
use crate::folder::Making;
use crate::output::{Exit, Output};

/// Make a new site: a small, commented folder to begin with
#[derive(Debug, Args)]
#[command(after_help = "\
The folder appears whole or not at all; one in which something stands is left alone (exit code 2).

Examples:
  switchyard init site && switchyard check site
  switchyard init site --domain example.com")]
pub(crate) struct Arguments {
    /// The folder to make; it must be empty or not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The domain whose mail the site takes, in place of example.org
    #[arg(long, value_name = "NAME", value_parser = domain)]
    domain: Option<Domain>,
}

fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).map_err(|error| format!("no domain name: {error}"))
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    match arguments.make() {
        Ok(()) => {
            output.data(arguments.made())?;
            Ok(Exit::Fine)
        }
        Err(why) => {
            output.say(why)?;
            Ok(Exit::Misuse)
        }
    }
}

impl Arguments {
    fn make(&self) -> Result<(), String> {
        let making = Making::begin(&self.folder)?;
        for (name, text) in FILES {
            making.write(Path::new(name), self.own(text).as_bytes())?;
        }
        // With a domain of somebody's choice it is another site than the one that was tested.
        let (_, faults) = check::faults_of(making.path());
        if !faults.is_empty() {
            let faults: BTreeSet<String> = faults.into_iter().map(|fault| fault.message).collect();
            let faults: Vec<String> = faults.into_iter().collect();
            return Err(format!("{}: not made: {}", self.folder.display(), faults.join("; ")));
        }
        making.finish()
    }

    /// The example's text, with the site's own domain.
    fn own(&self, text: &str) -> String {
        self.domain.as_ref().map_or_else(|| text.to_owned(), |domain| text.replace(EXAMPLE, domain.as_str()))
    }

    /// What lies there now, and what to try next.
    fn made(&self) -> String {
        let folder = self.folder.display();
        let domain = self.domain.as_ref().map_or(EXAMPLE, Domain::as_str);
        let width = FILES.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = format!("{folder} is a site now:\n");
        for (name, content) in FILES {
            // Each file says in its first line what it is.
            let first = self.own(content.lines().next().unwrap_or_default());
            text.push_str(&format!("  {name:<width$}  {}\n", first.trim_start_matches(['#', ' '])));
        }
        text.push_str(&format!(
            "Edit it, then:\n  \
             switchyard check {folder}\n  \
             switchyard explain {folder} --to alice@{domain}\n  \
             switchyard behave {folder}\n  \
             switchyard render {folder} --host mx1 --origin\n"
        ));
        text
    }
}

/// The domain of the embedded example.
const EXAMPLE: &str = "example.org";
