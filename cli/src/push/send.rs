//! `switchyard push`: a site, checked and signed, to a hub.

use std::path::PathBuf;

use clap::Args;
use switchyard_mapsync::admin::{Admin, Brought, Wish};
use switchyard_mapsync::site::{SiteFile, pack, spelling};
use switchyard_mapsync_protocol::head::{self, Kind};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::trust::HeadRef;

use super::check::{Checked, check, too_much};
use super::desk::Desk;
use super::release::Hosts;
use super::stages::Stages;
use super::{With, text, with_hubs};
use crate::output::{Exit, Output};
use crate::progress;

/// Check a site, sign it, and bring it to a hub; hosts get it ready, and use it when it is released
#[derive(Debug, Args)]
#[command(after_help = "\
The site is checked (`switchyard check`) and its behaviours are asked (`switchyard behave`) before anything is signed; \
every host does it again before it uses it. What takes more of a map away than `maps.max_removed` allows, or changes \
more than `maps.max_changed`, needs --accept. With `release_keys` in push.toml it is released too, to all hosts or to \
those of --canary; without, or with --no-release, it waits for `switchyard release`.

What was pushed from here is remembered beside the settings (push.ENVIRONMENT.seen.json), so that no number is signed twice: \
a hub that shows less than that gets nothing, but for one that has lost all, with --hub-lost.

A site that has not changed is signed anew when less than half of `days` is left to the newest generation: push now and \
then, by a timer for instance, and none expires.

Exit codes: 0 it is pushed and released as wished, or the hub has the same already; 1 the site is wrong, or a host refuses \
it, or somebody else was faster, or only a part was done: look, and push again; 2 nothing was pushed, and why is said; \
3 it is pushed and its rollout has begun, and the end was not heard: `switchyard rollout --watch` looks on.

Examples:
  switchyard push site --note 'new mailboxes for sales'
  switchyard push site --note 'new relay' --canary mx1.example.org
  switchyard push site --note 'another filter' --staged
  switchyard push site --note 'a route that is needed now' --express
  switchyard push site --dry-run")]
pub(crate) struct Arguments {
    /// The site's folder: where site.toml stands
    #[arg(value_name = "DIR")]
    site: PathBuf,
    /// Why, for those who read the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    hosts: Hosts,
    /// Sign and bring it, and let others release it
    #[arg(long, conflicts_with_all = ["canaries", "staged", "express", "all_at_once"])]
    no_release: bool,
    /// Push although more of a map goes or changes than may at once
    #[arg(long)]
    accept: bool,
    /// The hub has lost what it had: go on after the newest generation that was seen from here
    #[arg(long)]
    hub_lost: bool,
    /// Say what would be pushed, and push nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    with: With,
}

impl Arguments {
    pub(super) fn push(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let office = self.with.open()?;
            let push_keys = office.push_keys()?;
            let keys = office.release_keys()?;
            let mut stages = Stages::begin();
            match check(&self.site, output).await? {
                Checked::Good(what) => output.say(what).map_err(text)?,
                Checked::Bad => return Ok(Exit::Wrong),
            }
            let files = match pack(&self.site) {
                Ok(files) => files,
                Err(faults) => {
                    faults.iter().try_for_each(|fault| output.say(fault)).map_err(text)?;
                    return Ok(Exit::Wrong);
                }
            };
            stages.done("checked");
            let admin = office.meet(output).await?;
            let mut desk = Desk { office: &office, admin, keys, output };
            if !self.dry_run {
                office.bring_unsure(&mut desk.admin, &files, desk.output).await?;
            }
            let before = desk.admin.newest().map(|(at, head)| (*at, head.files.clone()));
            let differences = differences(before.as_ref().map_or(&[][..], |(_, files)| files), &files);
            if differences.is_empty()
                && let Some((at, _)) = before
            {
                let what = format!("generation {} says the same\n", at.generation);
                desk.output.data(what).map_err(text)?;
                if !desk.admin.newest_wears_out(office.lifetime()) {
                    let is_ours = desk.admin.newest_is_by(&push_keys);
                    return self.the_same(&mut desk, at, is_ours).await;
                }
                let days = office.settings.days;
                let what = format!("it expires soon, and is signed anew for {days} days");
                desk.output.say(what).map_err(text)?;
            }
            desk.output.data(differences.concat()).map_err(text)?;
            for line in whole(before.as_ref().map_or(&[][..], |(_, files)| files), &files) {
                desk.output.say(line).map_err(text)?;
            }
            if !self.accept
                && let Some((_, before)) = desk.admin.newest().cloned()
            {
                let told = too_much(&mut desk.admin, &before, &files, &self.site).await?;
                told.iter().try_for_each(|line| desk.output.say(line)).map_err(text)?;
                if !told.is_empty() {
                    let what = "too much would change at once: push with --accept if it shall";
                    desk.output.say(what).map_err(text)?;
                    return Ok(Exit::Wrong);
                }
            }
            if self.dry_run {
                return Ok(Exit::Fine);
            }
            stages.done("compared");
            bring(&mut desk.admin, &files, desk.output).await?;
            stages.done("brought");
            let Some(at) = self.signed(&mut desk, &files, &push_keys).await? else {
                return Ok(Exit::Wrong);
            };
            stages.done("signed and taken");
            desk.output.say(&stages).map_err(text)?;
            self.release(&mut desk, at).await
        })
    }

    /// Nothing is to be pushed. The push of before may have ended early: what was left of it is done now.
    async fn the_same(&self, desk: &mut Desk<'_>, at: HeadRef, is_ours: bool) -> Result<Exit, String> {
        let number = at.generation;
        let what = match desk.admin.release() {
            Some(release) if release.names() == at && release.halted => {
                let what =
                    if release.undo { "undone: switchyard rollback" } else { "halted: switchyard release" };
                format!("it is {what} {number}")
            }
            Some(release) if release.names() == at => return Ok(Exit::Fine),
            _ if self.dry_run => return Ok(Exit::Fine),
            // Its steps say how far it goes; a release of ours would bring it to all at once.
            _ if desk.admin.plan().is_some_and(|plan| plan.names() == at) => format!(
                "it is in the steps of a rollout: switchyard rollout; for all hosts at once: switchyard release {number}"
            ),
            _ if is_ours || self.no_release || desk.keys.is_empty() => return self.release(desk, at).await,
            _ => format!("somebody else signed it, and it is not released: switchyard release {number}"),
        };
        desk.output.say(what).map_err(text)?;
        Ok(Exit::Wrong)
    }

    /// Releases what was pushed, if that is for us to do now.
    async fn release(&self, desk: &mut Desk<'_>, at: HeadRef) -> Result<Exit, String> {
        let number = at.generation;
        if self.no_release || desk.keys.is_empty() {
            let what =
                format!("hosts have it ready when they have fetched it: switchyard release {number}\n");
            desk.output.data(what).map_err(text)?;
            return Ok(Exit::Fine);
        }
        match self.hosts.put_in_use(desk, at).await {
            Err(why) => {
                let what = format!(
                    "{why}\ngeneration {number} is pushed, and as far as is known not released: push again, or \
                     switchyard release {number}"
                );
                desk.output.say(what).map_err(text)?;
                Ok(Exit::Wrong)
            }
            told => told,
        }
    }

    /// Signs and pushes; none when somebody else was faster, or no hub's answer is known.
    async fn signed(
        &self,
        desk: &mut Desk<'_>,
        files: &[SiteFile],
        keys: &[SecretKey],
    ) -> Result<Option<HeadRef>, String> {
        let wish = Wish {
            author: desk.office.settings.author.clone(),
            note: self.note.clone(),
            lifetime: desk.office.lifetime(),
            files: files.iter().map(|file| file.file.clone()).collect(),
            hub_is_lost: self.hub_lost,
        };
        let why = match desk.admin.push(wish, keys).await {
            Ok(at) => {
                desk.say_lost()?;
                let what = format!("generation {}: {} files, {}\n", at.generation, files.len(), at.hash);
                desk.output.data(what).map_err(text)?;
                return Ok(Some(at));
            }
            Err(error) if error.lost_the_race() => {
                format!("{error}\nsomebody else pushed meanwhile: switchyard log, and push again")
            }
            Err(error) if error.is_unsure() => format!(
                "{error}\nwhether the hubs have it is not known: push again, and it is brought as it was signed"
            ),
            Err(error) => return Err(error.to_string()),
        };
        desk.output.say(why).map_err(text)?;
        Ok(None)
    }
}

async fn bring(admin: &mut Admin, files: &[SiteFile], output: &mut Output) -> Result<(), String> {
    let bar = progress::bar(
        files.iter().map(|file| file.file.bytes).sum(),
        "{bar:30} {bytes}/{total_bytes} {wide_msg}",
    );
    let (mut count, mut octets) = (0, 0);
    let brought = admin.bring(files, |file, brought| {
        bar.set_message(file.path.to_string());
        bar.inc(file.bytes);
        if brought == Brought::Now {
            count += 1;
            octets += file.bytes;
        }
    });
    let brought = brought.await;
    bar.finish_and_clear();
    brought.map_err(text)?;
    output.say(format_args!("{count} files brought, {octets} octets")).map_err(text)
}

/// A line for each file that is new, gone or another.
fn differences(before: &[head::File], now: &[SiteFile]) -> Vec<String> {
    let gone = before.iter().filter(|old| !now.iter().any(|new| new.file.path == old.path));
    let gone = gone.map(|old| format!("- {}\n", old.path));
    let other = now.iter().filter_map(|new| match before.iter().find(|old| old.path == new.file.path) {
        None => Some(format!("+ {} ({} octets)\n", new.file.path, new.file.bytes)),
        Some(old) if old.hash != new.file.hash => {
            Some(format!("~ {} ({} octets, before {})\n", new.file.path, new.file.bytes, old.bytes))
        }
        Some(_) => None,
    });
    other.chain(gone).collect()
}

/// A line for each large table that has changed and travels whole, because it is not in the spelling that tables have.
fn whole(before: &[head::File], now: &[SiteFile]) -> Vec<String> {
    let is_whole = |new: &&SiteFile| {
        let was_there = before.iter().any(|old| old.path == new.file.path && old.hash != new.file.hash);
        was_there && new.file.kind == Kind::Text && new.file.bytes >= LARGE
    };
    let told = |new: &SiteFile| {
        let why = spelling(&new.at).err()?;
        let path = &new.file.path;
        Some(format!(
            "{path}: every host fetches the whole of it, for it is no sorted table: {why} (docs/push.md)"
        ))
    };
    now.iter().filter(is_whole).filter_map(told).collect()
}

/// From this size on it matters whether what changed travels, or the whole.
const LARGE: u64 = 1 << 20;
