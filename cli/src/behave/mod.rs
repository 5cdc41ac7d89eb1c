//! `switchyard behave`: the behaviours of a site, asked of its maps and settings or of mail servers.
//!
//! The work is done by [`switchyard_behaviour`]; here is what a person gives and gets: [`mod@print`] shows a run,
//! [`progress`] how far it has come.

mod columns;
mod print;
mod progress;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use switchyard_behaviour::live::catch::CatchError;
use switchyard_behaviour::live::target::named;
use switchyard_behaviour::live::{Catchers, Live, Pace, Standing, Target};
use switchyard_behaviour::offline::Offline;
use switchyard_behaviour::report::{Report, Row};
use switchyard_behaviour::{Behaviour, load};
use switchyard_config::Site;
use switchyard_config::site::Role;

use crate::output::{Exit, Output};
use print::Paint;
use progress::Progress;

/// Ask a site's behaviours of its maps and settings, or of mail servers
#[derive(Debug, Args)]
#[command(after_help = "\
Behaviours stand in DIR/behaviours/*.toml: what is said to a mail server, and what must come of it.

Exit codes: 0 everything that was asked holds; 1 something does not; 2 nothing could be asked.

Examples:
  switchyard behave site
  switchyard behave site --only '*refused*' --json
  switchyard behave site --against mx1.example.org:25
  switchyard behave site --against old=192.0.2.1:25 --against new=192.0.2.2:25 \\
      --catch mailboxes=192.0.2.9:2424
  switchyard behave switchyard-up/site --against 127.0.0.1:2525 --maildir mailboxes=switchyard-up/mail")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml and behaviours/ stand
    #[arg(value_name = "DIR")]
    site: PathBuf,
    /// Only behaviours of this role: mx, router or outbound
    #[arg(long, value_name = "ROLE", value_parser = Role::of_mail)]
    role: Option<Role>,
    /// Only behaviours whose name fits; * stands for anything
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Ask this mail server, by real dialogue; give it again to see several side by side
    #[arg(long, value_name = "[NAME=]HOST:PORT")]
    against: Vec<String>,
    /// Listen here, SMTP and LMTP, for what the servers deliver; NAME is the place that `arrives` asks for
    #[arg(long, value_name = "[NAME=]ADDRESS:PORT", requires = "against", value_parser = catcher)]
    catch: Vec<(String, SocketAddr)>,
    /// Look into the Maildirs below DIR as well: each is named by its mailbox's address
    #[arg(long, value_name = "[NAME=]DIR", requires = "against")]
    maildir: Vec<String>,
    /// The servers wait for a PROXY header: speak by it as the client that a behaviour names
    #[arg(long, requires = "against")]
    proxy_protocol: bool,
    /// What can't be asked here counts as wrong
    #[arg(long)]
    strict: bool,
    /// The run as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Write the run as JUnit XML to this file as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A behaviour's end, at the latest.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let report = match arguments.report(output) {
        Ok(report) => report,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    if let Some(path) = &arguments.junit {
        let written = File::create(path).and_then(|mut file| file.write_all(report.junit().as_bytes()));
        if let Err(error) = written {
            output.say(format_args!("{}: {error}", path.display()))?;
            return Ok(Exit::Misuse);
        }
    }
    if arguments.json {
        output.data(format_args!("{:#}\n", report.json()))?;
    } else {
        output.data(print::Page { report: &report, paint: Paint::of_output() })?;
    }
    let counts: Vec<_> = (0..report.asked.len()).map(|asked| report.counts(asked)).collect();
    let nothing_asked = counts.iter().all(|counts| counts.hold + counts.fail == 0);
    let wrong = |unasked: usize, fail: usize| fail > 0 || (arguments.strict && unasked > 0);
    Ok(if counts.iter().any(|counts| wrong(counts.unasked + counts.not_asked, counts.fail)) {
        Exit::Wrong
    } else if nothing_asked {
        Exit::Misuse
    } else {
        Exit::Fine
    })
}

impl Arguments {
    fn report(&self, output: &mut Output) -> Result<Report, String> {
        let site = Site::load(&self.site).map_err(text)?;
        let behaviours = self.chosen(&site)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(text)?;
        match self.against.is_empty() {
            true => runtime.block_on(self.offline(&site, behaviours, output)),
            false => runtime.block_on(self.live(behaviours, output)),
        }
    }

    /// The behaviours that are to be asked; none is a slip.
    fn chosen(&self, site: &Site) -> Result<Vec<Behaviour>, String> {
        let mut behaviours = load(site).map_err(text)?;
        if behaviours.is_empty() {
            let folder = site.folder.join(switchyard_behaviour::language::FOLDER);
            return Err(format!(
                "{}: no behaviour stands here: write one into a file NAME.toml",
                folder.display()
            ));
        }
        let only = self.only.as_deref().map(switchyard_behaviour::pattern::Pattern::new);
        behaviours.retain(|behaviour| {
            self.role.is_none_or(|role| role == behaviour.role)
                && only.as_ref().is_none_or(|only| only.matches(&behaviour.name))
        });
        match behaviours.is_empty() {
            true => Err("no behaviour has this role and a name that fits --only".to_owned()),
            false => Ok(behaviours),
        }
    }

    async fn offline(
        &self,
        site: &Site,
        behaviours: Vec<Behaviour>,
        output: &mut Output,
    ) -> Result<Report, String> {
        let offline = Offline::load(site, &behaviours, DEADLINE).map_err(text)?;
        for fault in offline.faults() {
            output.say(fault).map_err(text)?;
        }
        let progress = Progress::of(behaviours.len());
        let mut rows = Vec::new();
        for behaviour in behaviours {
            let verdicts = vec![offline.run(&behaviour).await];
            progress.one_more(&behaviour.name);
            rows.push(Row { behaviour, verdicts });
        }
        Ok(Report { asked: vec!["maps".to_owned()], rows })
    }
}

impl Arguments {
    /// By real dialogue with each of the servers.
    async fn live(&self, behaviours: Vec<Behaviour>, output: &mut Output) -> Result<Report, String> {
        let roles: BTreeSet<&str> = behaviours.iter().map(|behaviour| behaviour.role.as_str()).collect();
        if roles.len() > 1 {
            let roles: Vec<&str> = roles.into_iter().collect();
            return Err(format!(
                "these behaviours are of the roles {}: say with --role which of them the server fills",
                roles.join(" and ")
            ));
        }
        let mut targets: Vec<Target> = Vec::new();
        for words in &self.against {
            let target = Target::find(words).await.map_err(text)?;
            if targets.iter().any(|other| other.name == target.name) {
                return Err(format!(
                    "two servers are named `{}`: write --against NAME=HOST:PORT",
                    target.name
                ));
            }
            targets.push(target);
        }
        let catchers = self.catchers().map_err(text)?;
        let standing = if self.proxy_protocol { Standing::Proxy } else { Standing::Xclient };
        let live = Live { targets: &targets, catchers: catchers.as_ref(), standing, pace: Pace::default() };
        let progress = Progress::of(behaviours.len() * targets.len());
        let verdicts = live.run(&behaviours, |behaviour, _, _| progress.one_more(&behaviour.name)).await;
        drop(progress);
        if let Some(catchers) = catchers {
            if let strangers @ 1.. = catchers.strangers() {
                let said = format!(
                    "{strangers} messages came to the catchers that are none of this run's, and were dropped"
                );
                output.say(said).map_err(text)?;
            }
            catchers.end().await;
        }
        let rows = behaviours.into_iter().zip(verdicts);
        let rows = rows.map(|(behaviour, verdicts)| Row { behaviour, verdicts }).collect();
        Ok(Report { asked: targets.into_iter().map(|target| target.name).collect(), rows })
    }
}

impl Arguments {
    /// Whatever looks at what the servers deliver; none where nothing was asked for.
    fn catchers(&self) -> Result<Option<Catchers>, CatchError> {
        if self.catch.is_empty() && self.maildir.is_empty() {
            return Ok(None);
        }
        let mut catchers = Catchers::listen(&self.catch)?;
        for words in &self.maildir {
            let (name, folder) = named(words);
            catchers.watch(name.unwrap_or("maildir"), Path::new(folder))?;
        }
        Ok(Some(catchers))
    }
}

/// `NAME=ADDRESS:PORT`, or without a name.
fn catcher(words: &str) -> Result<(String, SocketAddr), String> {
    let (name, address) = named(words);
    let address = address.parse().map_err(|_| "ADDRESS:PORT is needed, 127.0.0.1:2424 say".to_owned())?;
    Ok((name.unwrap_or("catcher").to_owned(), address))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Paint {
    /// Colours where a person looks at them and wants them (<https://no-color.org>).
    fn of_output() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !unwanted { Self::Coloured } else { Self::Plain }
    }
}
