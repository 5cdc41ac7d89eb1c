//! `switchyard release`: says which hosts use a generation that they have ready, or that nobody moves any more.

use std::path::PathBuf;

use clap::Args;
use switchyard_mapsync::admin::{First, Reach, Signing};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::release::{ALL, Release};

use super::desk::Desk;
use super::fleet::printable;
use super::watch::looked_on;
use super::{Office, With, date, text, with_hubs};
use crate::output::{Exit, Output};

/// Say which hosts use a generation that they have ready
#[derive(Debug, Args)]
#[command(after_help = "\
A host that has it ready uses it at once; one that has not, as soon as it has. A larger share holds the smaller one. \
With --undo the hosts that use it go back, each by itself and at once, to what they used before, and do not take this \
generation again; who that is, and to what, is said first (--dry-run: and nothing is done). What is not released and no host has \
is not undone. \
`switchyard rollback` takes all hosts to the files of any generation.

With --staged the hub does it by steps, and looks after each of them; `switchyard rollout` shows how far it is, and --halt or \
--undo ends it. --express is the same with less waiting between the steps.

With --all-at-once nobody goes first: what is wrong with it is wrong everywhere at once. So it needs two different keys for \
releases. Where `release_keys` names both, it is done; else the release is laid down beside push.toml, and another admin \
looks at it, signs it and puts it in force with --countersign (--dry-run: only looks at it). A hub with `rollout.second_signature` takes nothing else past the steps, but for \
hosts by name. Where the root asks for two signatures of each release (`--release-threshold 2`), all of this goes the same way: \
steps, halts and undoings too are laid down, and another admin signs them with --countersign, \
after they were shown who goes back, and to what.

Who is meant is looked on until all use it, for two minutes at most.

Exit codes: 0 it is released, halted or undone; 1 it is, and a host refuses it or does not use it yet, or nobody can be asked, or \
it waits for another admin's signature, or it was overtaken before it was known; \
2 it is not, as far as is known, and why is said; 3 a rollout has begun, and its end was not heard: it goes on.

Examples:
  switchyard release 12 --canary mx1.example.org
  switchyard release 12 --percent 25
  switchyard release 12
  switchyard release 12 --staged
  switchyard release 12 --express
  switchyard release 12 --all-at-once
  switchyard release 12 --countersign release-12-7.json --dry-run
  switchyard release 12 --countersign release-12-7.json
  switchyard release 12 --halt
  switchyard release 12 --undo --dry-run
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
    #[arg(long, group = "looks",
        conflicts_with_all = ["canaries", "percent", "staged", "express", "all_at_once", "halt"])]
    undo: bool,
    /// With --undo: say who would go back, and to what; with --countersign: what would be signed. Change nothing
    #[arg(long, requires = "looks")]
    dry_run: bool,
    /// With --undo: although it is not what is released, and the hub knows of no host that has it
    #[arg(long, requires = "undo")]
    yes: bool,
    /// Look at what another admin signed and laid down, sign it too, and put it in force
    #[arg(long, value_name = "FILE", group = "looks",
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
    pub(super) async fn put_in_use(&self, desk: &mut Desk<'_>, at: HeadRef) -> Result<Exit, String> {
        let (is_rollout, alone) = (self.staged || self.express, !self.all_at_once);
        let reach = self.reach(desk.office);
        if desk.admin.waits_for_another(alone, &desk.keys) {
            let what = if is_rollout { "rollout" } else { "release" };
            let is_the_same = |first: &First| self.is_the_same(&reach, first);
            if let Some(file) = desk.waits_already(what, at, is_the_same).await {
                return desk.say_waits(&file, at.generation);
            }
        }
        if is_rollout {
            return desk.roll_out(at, self.express).await;
        }
        desk.release(reach, at, alone).await
    }

    /// Whether what was signed before is for these hosts.
    fn is_the_same(&self, reach: &Reach, first: &First) -> bool {
        match first {
            First::Release { release, .. } => {
                !release.halted && release.permille == reach.permille && release.canaries == reach.canaries
            }
            First::Rollout(draft) => draft.plan().is_express() == self.express,
        }
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
            // Who only looks needs none.
            let keys = if self.dry_run { Vec::new() } else { office.release_keys()? };
            if keys.is_empty() && !self.dry_run {
                return Err("`release_keys` names no key: somebody else releases".to_owned());
            }
            let admin = office.meet(output).await?;
            let mut desk = Desk { office: &office, admin, keys, output };
            if let Some(file) = &self.countersign {
                return desk.countersign(file, self.generation, self.dry_run).await;
            }
            let (at, _) = desk.admin.generation(self.generation).await.map_err(text)?;
            if self.undo && !desk.looked_before(at, self.yes).await? {
                return Ok(Exit::Misuse);
            }
            match (self.dry_run, self.halt || self.undo) {
                (true, _) => Ok(Exit::Fine),
                (false, false) => self.hosts.put_in_use(&mut desk, at).await,
                (false, true) => {
                    let reach = Reach { halted: self.halt, undo: self.undo, ..self.hosts.reach(&office) };
                    desk.release(reach, at, true).await
                }
            }
        })
    }
}

impl Desk<'_> {
    /// Signs a release, brings it if it is signed by enough, and says what it is; one that is not `alone` two must
    /// sign.
    async fn release(&mut self, reach: Reach, at: HeadRef, alone: bool) -> Result<Exit, String> {
        match self.admin.put_in_use(reach, at, alone, &self.keys).await {
            Err(error) => self.not_in_force(&error),
            Ok(Signing::InForce(_)) => self.released(alone).await,
            Ok(Signing::Waits { sequence, envelope }) => {
                let file = self.office.waiting("release", at.generation, sequence);
                self.lay_down(&file, at.generation, &envelope)
            }
        }
    }

    /// The release is at the hub: says what it is, and looks on.
    pub(super) async fn released(&mut self, alone: bool) -> Result<Exit, String> {
        self.say_lost()?;
        let Some(release) = self.admin.release() else { return Ok(Exit::Fine) };
        let Release { sequence, generation, expires, .. } = release;
        let (whom, until) = (whom(release, alone), date(*expires));
        let told = format!("generation {generation}: {whom}, until {until} (release {sequence})\n");
        self.output.data(told).map_err(text)?;
        looked_on(&mut self.admin, self.output).await
    }
}

/// Which hosts, in words; without `alone` it went past every step.
pub(super) fn whom(release: &Release, alone: bool) -> String {
    let Release { permille, canaries, halted, undo, .. } = release;
    let named = printable(&canaries.join(", "));
    match (undo, halted, *permille) {
        (true, ..) => "undone: who uses it goes back".to_owned(),
        (false, true, _) => "halted: no host moves any more".to_owned(),
        (false, false, ALL) if alone => "released to all hosts".to_owned(),
        (false, false, ALL) => "released to all hosts at once".to_owned(),
        (false, false, 0) => format!("released to {named}"),
        (false, false, permille) => {
            let also = if named.is_empty() { named } else { format!(", and to {named}") };
            format!("released to {} of a hundred hosts{also}", f64::from(permille) / 10.0)
        }
    }
}
