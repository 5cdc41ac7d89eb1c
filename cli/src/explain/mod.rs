//! `switchyard explain`: what becomes of a message, and which line of which map says so.
//!
//! A daemon explains itself; for a site's folder its rooms are called here, with the settings and maps that
//! the folder gives its hosts ([`folder`]). Both give the same [`Explanation`], and [`mod@print`] shows it.

mod folder;
mod print;

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchyard_maps::explain::{Explanation, Question};

use crate::control::Control;
use crate::output::{Exit, Output};
use print::Page;

/// Say what becomes of a message: every table asked, what answered, and what is decided
#[derive(Debug, Args)]
#[command(after_help = "\
Reads as: a map, its table, the key it was asked, what it said (- is no), and where that stands. Below each \
group of questions stands the decision, after =>. Nothing is sent, and no name is looked up in the DNS.

Exit codes: 0 it is known what becomes of the message; 1 a map can't be asked; 2 the question is wrong.

Examples:
  switchyard explain site --to bob@example.org
  switchyard explain site --to bob@example.org --from ann@example.net --client 192.0.2.7
  switchyard explain site --host router1 --to bob@example.org --json
  switchyard explain --daemon /run/switchyard-router/control.sock --to bob@example.org")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml stands
    #[arg(value_name = "DIR", required_unless_present = "daemon")]
    site: Option<PathBuf>,
    /// Ask a running daemon on its control socket instead; give it again for the next one on the message's way
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["site", "host"])]
    daemon: Vec<PathBuf>,
    /// Only what this host does; without it the site's first mx, then its first router
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// A recipient's address; repeatable
    #[arg(long, value_name = "ADDRESS", required = true)]
    to: Vec<String>,
    /// The sender's address; "" or <> for the null reverse-path
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Where the client connects from
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// The client's name in the DNS
    #[arg(long, value_name = "NAME")]
    client_name: Option<String>,
    /// What the client says in EHLO
    #[arg(long, value_name = "NAME")]
    helo: Option<String>,
    /// The explanations as a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let explanations = match arguments.explain(output) {
        Ok(explanations) => explanations,
        Err(why) => {
            output.say(why)?;
            return Ok(Exit::Misuse);
        }
    };
    if arguments.json {
        output.data(format_args!("{:#}\n", json!(explanations)))?;
    } else {
        output.data(Page(&explanations))?;
    }
    let unavailable = explanations.iter().any(Explanation::is_unavailable);
    Ok(if unavailable { Exit::Wrong } else { Exit::Fine })
}

impl Arguments {
    fn explain(&self, output: &mut Output) -> Result<Vec<Explanation>, String> {
        let question = self.question();
        // Read here as well, so that a slip is told before any map is read.
        let message = question.read().map_err(text)?;
        match &self.site {
            Some(site) => folder::explain(site, self.host.as_deref(), &message, output),
            None => self.ask(question),
        }
    }

    fn question(&self) -> Question {
        Question {
            client: self.client,
            name: self.client_name.clone(),
            helo: self.helo.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
        }
    }

    /// One daemon after the other; what the one does not take, the next never sees.
    fn ask(&self, mut question: Question) -> Result<Vec<Explanation>, String> {
        let mut explanations: Vec<Explanation> = Vec::new();
        for socket in &self.daemon {
            if let Some(before) = explanations.last() {
                question.to.clone_from(&before.taken);
                (question.client, question.helo) = (before.address, Some(before.host.clone()));
                question.name = None;
            }
            if question.to.is_empty() {
                break;
            }
            explanations.push(Control::new(socket).post("/explain", &question).map_err(text)?);
        }
        Ok(explanations)
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
