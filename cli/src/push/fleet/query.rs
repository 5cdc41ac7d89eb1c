//! `switchyard fleet query`: checks put to all hosts at once, and what they answer, alike answers together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use switchyard_mapsync::client::Heard;
use switchyard_mapsync_protocol::question::{Answer, Check, Finding, LONGEST_WAIT, Outcome, Question};

use super::super::{With, text, with_hubs};
use super::printable;
use crate::output::{Exit, Output};
use crate::progress::bar;

/// Ask all hosts at once
#[derive(Debug, Args)]
#[command(after_help = "\
Checks:
  generation      the generation in use
  age             seconds since it was signed, and for how long it is taken still
  state           what the agent does about the newest generation
  version         the agent's version
  disk            octets left where sets are kept
  deaths          how often the daemon ended by itself since the agent started
  behaviours      whether the site does what its behaviours say, by the files there
  file=PATH       the hash of a file as it lies on the disk; wrong where another was signed
  mail=ADDRESS    what becomes of mail to it there, by the settings and maps in use
  mail=TO,FROM    the same from this sender; nothing after the comma is the null reverse-path

Nothing else can be asked, and nothing on a host changes by it. Hosts of one role that answer alike stand in one line; where \
they do not, those who differ are named. A host that has said nothing to the hub for a minute is not waited for.

Exit codes: 0 all hosts answered, nothing is wrong, and hosts of one role say the same (but for age, disk and deaths); \
1 a host says otherwise, or is silent; 2 no hub can be asked.

Examples:
  switchyard fleet query generation state
  switchyard fleet query mail=bob@example.org mail=nobody@example.org --host mx1.example.org
  switchyard fleet query file=maps/transport behaviours --wait 30
  switchyard fleet query age disk --json")]
pub(crate) struct Arguments {
    /// What each host is to find out
    #[arg(value_name = "CHECK", required = true, value_parser = check)]
    checks: Vec<Check>,
    /// Only this host, and others that are named so
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Seconds to wait for the last answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=LONGEST_WAIT))]
    wait: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    with: With,
}

/// What the hosts said.
#[derive(Debug, Default)]
struct Told {
    hosts: usize,
    answers: Vec<Answer>,
    silent: Vec<String>,
}

impl Arguments {
    pub(crate) fn query(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let mut admin = self.with.open()?.meet(output).await?;
            let question =
                Question { checks: self.checks.clone(), hosts: self.hosts.clone(), wait: self.wait };
            let (mut told, start) = (Told::default(), Instant::now());
            let bar = bar(0, "{bar:30} {pos}/{len} hosts {elapsed}");
            let asked = admin.hub().ask(&question, |heard| match heard {
                Heard::Asked { hosts } => {
                    told.hosts = hosts;
                    bar.set_length(hosts as u64);
                }
                Heard::Answer(answer) => {
                    told.answers.push(*answer);
                    bar.inc(1);
                }
                Heard::End { silent } => told.silent = silent,
            });
            let asked = asked.await;
            bar.finish_and_clear();
            asked.map_err(text)?;
            told.answers.sort_by(|a, b| a.host.cmp(&b.host));
            let took = start.elapsed();
            if self.json {
                let json = told.json(&self.checks, took);
                output.data(format_args!("{json:#}\n")).map_err(text)?;
            } else {
                output.data(told.page(&self.checks, took)).map_err(text)?;
            }
            Ok(if told.is_well(&self.checks) { Exit::Fine } else { Exit::Wrong })
        })
    }
}

/// Reads a check as a person writes it.
fn check(word: &str) -> Result<Check, String> {
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let check = match (name, value) {
        ("generation", None) => Check::Generation,
        ("age", None) => Check::Age,
        ("state", None) => Check::State,
        ("version", None) => Check::Version,
        ("disk", None) => Check::Disk,
        ("deaths", None) => Check::Deaths,
        ("behaviours", None) => Check::Behaviours,
        ("file", Some(path)) => Check::File { path: path.to_owned().try_into().map_err(text)? },
        ("mail", Some(words)) => {
            let (to, from) = words.split_once(',').map_or((words, None), |(to, from)| (to, Some(from)));
            Check::Mail { to: to.to_owned(), from: from.map(str::to_owned) }
        }
        ("file" | "mail", None) => return Err(format!("`{name}=` of what?")),
        _ => return Err("no check: --help lists them".to_owned()),
    };
    Ok(check)
}

/// A check as a person writes it.
fn name(check: &Check) -> String {
    match check {
        Check::Generation => "generation".to_owned(),
        Check::Age => "age".to_owned(),
        Check::Version => "version".to_owned(),
        Check::State => "state".to_owned(),
        Check::Disk => "disk".to_owned(),
        Check::Deaths => "deaths".to_owned(),
        Check::Behaviours => "behaviours".to_owned(),
        Check::File { path } => format!("file={}", path.as_str()),
        Check::Mail { to, from: None } => format!("mail={to}"),
        Check::Mail { to, from: Some(from) } => format!("mail={to},{from}"),
        Check::Unknown => "unknown".to_owned(),
    }
}

/// Who says the same, of one role.
type Alike<'a> = BTreeMap<&'a Finding, Vec<&'a str>>;

impl Told {
    /// What was found by one check: by role, then by what was said.
    fn findings(&self, place: usize) -> BTreeMap<&str, Alike<'_>> {
        let mut roles: BTreeMap<&str, Alike<'_>> = BTreeMap::new();
        for answer in &self.answers {
            if let Some(finding) = answer.findings.get(place) {
                let alike = roles.entry(&answer.role).or_default();
                alike.entry(finding).or_default().push(&answer.host);
            }
        }
        roles
    }

    fn is_well(&self, checks: &[Check]) -> bool {
        let is_fine = |finding: &Finding| finding.outcome == Outcome::Fine;
        let is_alike = |(place, check): (usize, &Check)| {
            !check.is_compared() || self.findings(place).values().all(|alike| alike.len() <= 1)
        };
        self.silent.is_empty()
            && self.answers.iter().all(|answer| answer.findings.iter().all(is_fine))
            && checks.iter().enumerate().all(is_alike)
    }

    fn page(&self, checks: &[Check], took: Duration) -> String {
        let mut page = String::new();
        for (place, check) in checks.iter().enumerate() {
            page.push_str(&format!("{}\n", name(check)));
            for (role, alike) in self.findings(place) {
                // Most say it first; of those who do not, people want to know who.
                let mut alike: Vec<_> = alike.into_iter().collect();
                alike.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
                let are_compared = check.is_compared() && alike.len() > 1;
                for (place, (finding, hosts)) in alike.into_iter().enumerate() {
                    page.push_str(&line(
                        role,
                        finding,
                        &hosts,
                        place > 0 || !check.is_compared(),
                        are_compared,
                    ));
                }
            }
        }
        let (answered, waited) = (self.answers.len(), self.hosts.max(self.answers.len()));
        page.push_str(&format!("{answered} of {waited} hosts answered within {took:.1?}\n"));
        if !self.silent.is_empty() {
            page.push_str(&format!("silent: {}\n", some(self.silent.iter().map(String::as_str))));
        }
        page
    }

    fn json(&self, checks: &[Check], took: Duration) -> serde_json::Value {
        let hosts = self
            .answers
            .iter()
            .map(|answer| json!({ "host": answer.host, "role": answer.role, "findings": answer.findings }));
        json!({
            "checks": checks,
            "hosts": hosts.collect::<Vec<_>>(),
            "silent": self.silent,
            "well": self.is_well(checks),
            "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// Hosts of one role that say the same.
fn line(role: &str, finding: &Finding, hosts: &[&str], is_named: bool, is_split: bool) -> String {
    let mark = match finding.outcome {
        Outcome::Fine => "",
        Outcome::Wrong => "WRONG: ",
        Outcome::Unknown => "not known: ",
    };
    let names = match hosts {
        [one] => format!(" ({})", printable(one)),
        _ if is_named || is_split || finding.outcome != Outcome::Fine => {
            format!(" ({})", some(hosts.iter().copied()))
        }
        _ => String::new(),
    };
    let (count, role) = (hosts.len(), if role.is_empty() { "host" } else { role });
    format!("  {count:>5} {}: {mark}{}{names}\n", printable(role), printable(&finding.says))
}

/// The first few names.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let left = names.len().saturating_sub(NAMED);
    let mut words: Vec<String> = names.take(NAMED).map(printable).collect();
    if left > 0 {
        words.push(format!("and {left} more"));
    }
    words.join(", ")
}

/// Hosts that are named in a line.
const NAMED: usize = 8;

#[cfg(test)]
mod tests;
