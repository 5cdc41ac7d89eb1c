//! `switchyard fleet`: every host, with the generation it has in use and how it is; and what they answer when they are
//! asked ([`query`]).

mod query;

use clap::{Args, Subcommand};
use serde_json::json;
use switchyard_mapsync::client::{Fleet, FleetHost};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::status::State;

use super::{With, text, with_hubs};
use crate::output::{Exit, Output};

/// Show every host: the generation that it has in use, what it has ready, and what is wrong
#[derive(Debug, Args)]
#[command(after_help = "\
A host is listed from its first word to the hub on; one that has said nothing for a minute is called silent.

Exit codes, which are those of a Nagios plug-in too: 0 every host is well; 1 one refuses a generation, went back or is \
silent; 2 no hub can be asked.

Examples:
  switchyard fleet
  switchyard fleet --nagios
  switchyard fleet query generation mail=bob@example.org")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// As JSON
    #[arg(long, conflicts_with = "nagios")]
    json: bool,
    /// One line, for monitoring
    #[arg(long)]
    nagios: bool,
    #[command(flatten)]
    with: With,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Query(query::Arguments),
}

impl Arguments {
    pub(super) fn fleet(&self, output: &mut Output) -> Result<Exit, String> {
        if let Some(Verb::Query(query)) = &self.verb {
            return query.query(output);
        }
        let done = self.ask(output);
        match &done {
            // What watches reads one line, and that on standard output.
            Err(why) if self.nagios => {
                output.data(format_args!("SWITCHYARD CRITICAL: {}\n", printable(why))).map_err(text)?;
                Ok(Exit::Misuse)
            }
            _ => done,
        }
    }

    fn ask(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let mut admin = self.with.open()?.meet(output).await?;
            let fleet = admin.hub().fleet().await.map_err(text)?;
            let wrong = fleet.hosts.iter().filter(|host| word(host) != "well").count();
            if self.json {
                output.data(format_args!("{:#}\n", json!(fleet))).map_err(text)?;
            } else if self.nagios {
                let state = if wrong == 0 { "OK" } else { "WARNING" };
                let (count, generation) = (fleet.hosts.len(), fleet.generation);
                let line =
                    format!("SWITCHYARD {state}: {wrong} of {count} hosts unwell, generation {generation}\n");
                output.data(line).map_err(text)?;
            } else {
                output.data(page(&fleet)).map_err(text)?;
            }
            Ok(if wrong == 0 { Exit::Fine } else { Exit::Wrong })
        })
    }
}

/// A line for each host.
fn page(fleet: &Fleet) -> String {
    let Fleet { environment, generation, release, hosts, .. } = fleet;
    let hosts_are = if hosts.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", hosts.len()) };
    let mut page = format!("{environment}: generation {generation}, release {release}, {hosts_are}\n");
    let width = hosts.iter().map(|host| host.status.host.len()).max().unwrap_or_default();
    for host in hosts {
        let FleetHost { age, status } = host;
        let progress = &status.progress;
        let why = progress.reason.as_deref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
        page.push_str(&format!(
            "{:width$}  {:8}  uses {:>4}  ready {:>4}  {}{why} ({age} s ago)\n",
            printable(&status.host),
            printable(&status.role),
            number(progress.active),
            number(progress.staged),
            word(host),
        ));
    }
    page
}

fn number(head: Option<HeadRef>) -> String {
    head.map_or_else(|| "-".to_owned(), |head| head.generation.to_string())
}

/// How a host is, in a word.
fn word(host: &FleetHost) -> &'static str {
    match host.status.progress.state {
        _ if host.age > SILENT => "silent",
        State::Refused => "refuses",
        State::Returned => "went back",
        State::Settled | State::Fetching | State::Staging | State::Staged => "well",
    }
}

/// Hosts wrote it: nothing of it reaches the terminal as an order.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Seconds after which somebody should look: hosts speak every ten.
pub(super) const SILENT: u64 = 60;
