//! `switchyard release`: says which hosts use a generation that they have ready, or that nobody moves any more.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use switchyard_mapsync::admin::{Admin, Reach};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::ALL;
use switchyard_mapsync_protocol::trust::HeadRef;

use super::rollout::rolled_out;
use super::second::{at_once, countersign};
use super::watch::looked_on;
use super::{Office, With, text, with_hubs};
use crate::output::{Exit, Output};

/// Say which hosts use a generation that they have ready
#[derive(Debug, Args)]
#[command(after_help = "\
A host that has it ready uses it at once; one that has not, as soon as it has. A larger share holds the smaller one. \
With --undo the hosts that use it go back, each by itself and at once, to what they used before, and do not take this \
generation again; `switchyard rollback` takes all hosts to the files of any generation.

With --staged the hub does it by steps, and looks after each of them; `switchyard rollout` shows how far it is, and --halt or \
--undo ends it. --express is the same with less waiting between the steps.

With --all-at-once nobody goes first: what is wrong with it is wrong everywhere at once. So it needs two different keys for \
releases. Where `release_keys` names both, it is done; else the release is laid down beside push.toml, and another admin looks at it, \
signs it and puts it in force with --countersign. A hub with `rollout.second_signature` takes nothing else past the steps, but for \
hosts by name.

Who is meant is looked on until all use it, for two minutes at most.

Exit codes: 0 it is released, halted or undone; 1 it is, and a host refuses it or does not use it yet, or nobody can be asked, or \
it waits for another admin's signature; \
2 it is not, as far as is known, and why is said.

Examples:
  switchyard release 12 --canary mx1.example.org
  switchyard release 12 --percent 25
  switchyard release 12
  switchyard release 12 --staged
  switchyard release 12 --express
  switchyard release 12 --all-at-once
  switchyard release 12 --countersign release-12-7.json
  switchyard release 12 --halt
  switchyard release 12 --undo")]
pub(crate) struct Arguments {
    /// The generation
    #[arg(value_name = "N")]
    generation: u64,
    #[command(flatten)]
    hosts: Hosts,
    /// No host moves any more; who has moved stays
    #[arg(long, conflicts_with_all = ["canaries", "percent", "staged", "express", "all_at_once"])]
    halt: bool,
    /// No host moves any more, and who has moved goes back to what it used before
    #[arg(long, conflicts_with_all = ["canaries", "percent", "staged", "express", "all_at_once", "halt"])]
    undo: bool,
    /// Look at what another admin signed with --all-at-once, sign it too, and put it in force
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["canaries", "percent", "staged", "express", "all_at_once", "halt", "undo"])]
    countersign: Option<PathBuf>,
    #[command(flatten)]
    with: With,
}

/// Which hosts.
#[derive(Debug, Args)]
pub(super) struct Hosts {
    /// Only this host, and others that are named so
    #[arg(long = "canary", value_name = "HOST")]
    canaries: Vec<String>,
    /// Only so many of a hundred hosts, besides those that are named
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    percent: Option<u16>,
    /// By steps, which the hub goes as long as hosts stay well: one host of each role and site, then 1, 5, 25, 100 %
    #[arg(long, conflicts_with_all = ["canaries", "percent"])]
    staged: bool,
    /// By the same steps, but hosts must stay well for a third of the time only: 20 s for each step and not a minute
    #[arg(long, conflicts_with_all = ["canaries", "percent"])]
    express: bool,
    /// To all hosts at once, past every step and its gates; another admin must sign it too (--countersign)
    #[arg(long, conflicts_with_all = ["canaries", "percent", "staged", "express"])]
    all_at_once: bool,
}

impl Hosts {
    /// Releases it to them, at once or by steps.
    pub(super) async fn put_in_use(
        &self,
        office: &Office,
        admin: &mut Admin,
        at: HeadRef,
        keys: &[SecretKey],
        output: &mut Output,
    ) -> Result<Exit, String> {
        if self.staged || self.express {
            return rolled_out(office, admin, at, self.express, keys, output).await;
        }
        if self.all_at_once {
            return at_once(office, admin, at, keys, output).await;
        }
        released(admin, self.reach(office), at, keys, output).await
    }

    fn reach(&self, office: &Office) -> Reach {
        let permille = match self.percent {
            Some(percent) => percent * 10,
            None if self.canaries.is_empty() => ALL,
            None => 0,
        };
        Reach {
            permille,
            canaries: self.canaries.clone(),
            halted: false,
            undo: false,
            lifetime: office.lifetime(),
        }
    }
}

impl Arguments {
    pub(super) fn release(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let office = self.with.open()?;
            let keys = office.release_keys()?;
            if keys.is_empty() {
                return Err("`release_keys` names no key: somebody else releases".to_owned());
            }
            let mut admin = office.meet(output).await?;
            if let Some(file) = &self.countersign {
                return countersign(&mut admin, file, self.generation, &keys, output).await;
            }
            let (at, _) = admin.generation(self.generation).await.map_err(text)?;
            if !self.halt && !self.undo {
                return self.hosts.put_in_use(&office, &mut admin, at, &keys, output).await;
            }
            let reach = Reach { halted: self.halt, undo: self.undo, ..self.hosts.reach(&office) };
            released(&mut admin, reach, at, &keys, output).await
        })
    }
}

/// Signs a release, brings it, and says what it is.
async fn released(
    admin: &mut Admin,
    reach: Reach,
    at: HeadRef,
    keys: &[SecretKey],
    output: &mut Output,
) -> Result<Exit, String> {
    let whom = match &reach {
        Reach { undo: true, .. } => "undone: who uses it goes back".to_owned(),
        Reach { halted: true, .. } => "halted: no host moves any more".to_owned(),
        Reach { permille: ALL, .. } => "released to all hosts".to_owned(),
        Reach { permille: 0, canaries, .. } => format!("released to {}", canaries.join(", ")),
        Reach { permille, canaries, .. } if canaries.is_empty() => {
            format!("released to {} of a hundred hosts", permille / 10)
        }
        Reach { permille, canaries, .. } => {
            format!("released to {} of a hundred hosts, and to {}", permille / 10, canaries.join(", "))
        }
    };
    let days = reach.lifetime.as_secs() / DAY.as_secs();
    let sequence = admin.put_in_use(reach, at, keys).await.map_err(text)?;
    let told = format!("generation {}: {whom}, for {days} days (release {sequence})\n", at.generation);
    output.data(told).map_err(text)?;
    looked_on(admin, output).await
}

const DAY: Duration = Duration::from_secs(24 * 3600);
