//! `switchyard rollout`, and `--staged`: a generation by steps, which the hub goes as long as hosts stay well.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use switchyard_mapsync::admin::{Admin, Signing};
use switchyard_mapsync::client::{Course, FleetHost, Standing};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::rollout::{Host, Plan};

use super::desk::Desk;
use super::fleet::{SILENT, printable};
use super::{With, text, with_hubs};
use crate::output::{Exit, Output};
use crate::progress;

/// Show how far the last rollout is, what it waits for, or how it ended
#[derive(Debug, Args)]
#[command(after_help = "\
A rollout begins with `switchyard push --staged` or `switchyard release N --staged` (or --express, which waits less). The hub goes from step to step by itself; \
`switchyard release N --halt` ends it where it stands, and with --undo its hosts go back.

Exit codes: 0 it goes on or is complete, or there is none; 1 it was halted or undone; 2 no hub can be asked.

Examples:
  switchyard rollout
  switchyard rollout --watch
  switchyard rollout --json")]
pub(crate) struct Arguments {
    /// Look on until it is over
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    with: With,
}

impl Arguments {
    pub(super) fn rollout(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let mut admin = self.with.open()?.meet(output).await?;
            let (Some(plan), Some(standing)) =
                (admin.plan().cloned(), admin.hub().rollout().await.map_err(text)?)
            else {
                let none = if self.json { "null\n" } else { "no rollout\n" };
                output.data(none).map_err(text)?;
                return Ok(Exit::Fine);
            };
            if self.watch && standing.state == Course::Goes {
                return watch(&mut admin, &plan, output).await;
            }
            if self.json {
                output.data(format_args!("{:#}\n", json!(standing))).map_err(text)?;
            } else {
                let hosts = admin.hub().fleet().await.map_err(text)?.hosts;
                output.data(page(&standing, &plan, &hosts)).map_err(text)?;
            }
            Ok(exit(standing.state))
        })
    }
}

impl Desk<'_> {
    /// Signs a rollout for the hosts that are heard; brings it if it is signed by enough, and looks on.
    pub(super) async fn roll_out(&mut self, at: HeadRef, express: bool) -> Result<Exit, String> {
        let fleet = self.admin.hub().fleet().await.map_err(text)?.hosts;
        let hosts: Vec<Host<'_>> = fleet.iter().filter(|host| host.age <= SILENT).map(known).collect();
        if hosts.is_empty() {
            return Err(
                "no host has said a word to the hub within a minute, and a rollout goes by what hosts say: \
                release it with --canary or --percent, or look after the hosts"
                    .to_owned(),
            );
        }
        let lifetime = self.office.lifetime();
        match self.admin.roll_out(at, &hosts, lifetime, express, &self.keys).await {
            Err(error) => self.not_in_force(&error),
            Ok(Signing::InForce(_)) => self.begun().await,
            Ok(Signing::Waits { sequence, envelope }) => {
                let file = self.office.waiting("rollout", at.generation, sequence);
                self.lay_down(&file, at.generation, &envelope)
            }
        }
    }

    /// The rollout is at the hub: says what it is, and looks on.
    pub(super) async fn begun(&mut self) -> Result<Exit, String> {
        self.say_lost()?;
        let Some(plan) = self.admin.plan().cloned() else { return Ok(Exit::Fine) };
        self.output.data(drawn(&plan)).map_err(text)?;
        watch(&mut self.admin, &plan, self.output).await
    }
}

/// How many steps, and by which releases.
pub(super) fn drawn(plan: &Plan) -> String {
    let (first, last) = (plan.first(), plan.last());
    let steps = counted(plan.steps(), "step");
    let pace = if plan.is_express() { " in a hurry" } else { "" };
    format!("generation {}: {steps}{pace}, as releases {first} to {last}\n", plan.names().generation)
}

fn known(host: &FleetHost) -> Host<'_> {
    let status = &host.status;
    Host { name: &status.host, role: &status.role, site: &status.site }
}

/// Looks on until the rollout is over, and says each step.
async fn watch(admin: &mut Admin, plan: &Plan, output: &mut Output) -> Result<Exit, String> {
    let bar = progress::bar(0, "{bar:30} {pos}/{len} hosts {elapsed} {wide_msg}");
    let (mut step, mut began) = (0, Instant::now());
    let ended = loop {
        let looked = async {
            let standing = admin.hub().rollout().await?;
            Ok::<_, switchyard_mapsync::client::ClientError>((standing, admin.hub().fleet().await?.hosts))
        };
        let (standing, hosts) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                bar.finish_and_clear();
                let what = format!("{error}\nthe rollout goes on without us: switchyard rollout --watch");
                output.say(what).map_err(text)?;
                return Ok(Exit::GoesOn);
            }
        };
        // The hub may not have begun yet.
        if let Some(standing) = standing.filter(|standing| standing.plan >= plan.last()) {
            bar.set_length(hosts.len() as u64);
            bar.set_position(using(plan, &hosts) as u64);
            bar.set_message(printable(&standing.why));
            if standing.step > step {
                let line = in_words(plan, standing.step, &hosts);
                bar.suspend(|| output.data(format_args!("{line}, after {:.1?}\n", began.elapsed())))
                    .map_err(text)?;
                (step, began) = (standing.step, Instant::now());
            }
            if standing.state != Course::Goes {
                break standing;
            }
        }
        tokio::time::sleep(LOOK).await;
    };
    bar.finish_and_clear();
    let (name, why) = (word(ended.state), printable(&ended.why));
    let told = format!("generation {}: {name} after {:.1?}: {why}", plan.names().generation, began.elapsed());
    match exit(ended.state) {
        Exit::Fine => output.data(format_args!("{told}\n")).map_err(text)?,
        _ => output.say(told).map_err(text)?,
    }
    Ok(exit(ended.state))
}

/// Where it stands, and a line for each step.
fn page(standing: &Standing, plan: &Plan, hosts: &[FleetHost]) -> String {
    let Standing { generation, step, steps, state, why, .. } = standing;
    let at = match state {
        Course::Goes if plan.is_express() => format!("step {step} of {steps}, in a hurry"),
        Course::Goes => format!("step {step} of {steps}"),
        _ => word(*state).to_owned(),
    };
    let mut page = format!("generation {generation}: {at}: {}\n", printable(why));
    for step in 1..=plan.steps() {
        page.push_str(&format!("{}\n", in_words(plan, step, hosts)));
    }
    page
}

/// A step: how many hosts it means, and how many of them use it.
fn in_words(plan: &Plan, step: usize, hosts: &[FleetHost]) -> String {
    let is_meant = |host: &&FleetHost| plan.step(step).is_some_and(|step| step.moves(&host.status.host));
    let meant: Vec<_> = hosts.iter().filter(is_meant).cloned().collect();
    let (hosts, steps, using) = (counted(meant.len(), "host"), plan.steps(), using(plan, &meant));
    format!("step {step} of {steps}: {hosts}, {using} of them with it")
}

fn using(plan: &Plan, hosts: &[FleetHost]) -> usize {
    hosts.iter().filter(|host| host.status.progress.active == Some(plan.names())).count()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn word(course: Course) -> &'static str {
    match course {
        Course::Goes => "goes on",
        Course::Complete => "complete",
        Course::Halted => "halted",
        Course::Undone => "undone",
        Course::Overtaken => "overtaken",
    }
}

/// An admin who releases something else knows why.
fn exit(course: Course) -> Exit {
    match course {
        Course::Goes | Course::Complete | Course::Overtaken => Exit::Fine,
        Course::Halted | Course::Undone => Exit::Wrong,
    }
}

/// How often the hub is asked.
const LOOK: Duration = Duration::from_millis(200);
