//! What a host finds out about itself: each check has one answer, by the set in use as it lies on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchyard_behaviour::way::Way;
use switchyard_config::site::{Daemon, HostSettings};
use switchyard_config::{MxSettings, RouterSettings, Settings as _, Site};
use switchyard_maps::explain::{Explanation, Outcome, Question, Step};
use switchyard_maps::installed::Later;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::question::{Check, Finding};
use switchyard_mapsync_protocol::status::{State, Status};

use crate::agent::disk::Disk;
use crate::agent::host::{Known, MAPS, SITE};
use crate::agent::stage::Set;
use crate::agent::texts::{Text, Texts, measure};
use crate::proof::prove_over;

/// One finding for each check, in their order.
pub(super) async fn all(
    disk: &Arc<Disk>,
    status: Option<&Status>,
    now: Timestamp,
    checks: &[Check],
) -> Vec<Finding> {
    let mut looking = Looking { disk, status, now, set: set(disk), way: None };
    let mut findings = Vec::with_capacity(checks.len());
    for check in checks {
        findings.push(looking.find(check).await);
    }
    findings
}

/// The set in use, and its folder.
fn set(disk: &Disk) -> Option<(PathBuf, Set)> {
    let folder = disk.set(&disk.in_use()?);
    let set = Set::read(&folder).ok()?;
    Some((folder, set))
}

/// A host that looks at itself.
struct Looking<'a> {
    disk: &'a Arc<Disk>,
    status: Option<&'a Status>,
    now: Timestamp,
    set: Option<(PathBuf, Set)>,
    /// What its daemon would do, opened for the first check that needs it.
    way: Option<Result<Way, String>>,
}

impl Looking<'_> {
    async fn find(&mut self, check: &Check) -> Finding {
        match (check, self.status, &self.set) {
            (Check::Version, ..) => Finding::fine(env!("CARGO_PKG_VERSION")),
            (Check::Unknown, ..) => Finding::unknown("this agent does not know such a check"),
            (Check::State | Check::Disk | Check::Deaths, None, _) => {
                Finding::unknown("the agent has just started")
            }
            (Check::State, Some(status), _) => state(status),
            (Check::Disk, Some(status), _) => Finding::fine(status.disk_free.to_string()),
            (Check::Deaths, Some(status), _) => Finding::fine(status.counters.deaths.to_string()),
            (_, _, None) => Finding::wrong("no generation is in use"),
            (Check::Generation, _, Some((_, set))) => Finding::fine(set.name.generation.to_string()),
            (Check::Age, _, Some((_, set))) => age(set, self.now),
            (Check::File { path }, _, Some((folder, set))) => file(self.disk, folder, set, path.as_str()),
            (Check::Behaviours, _, Some((folder, set))) => behaviours(self.disk, folder, set).await,
            (Check::Mail { .. }, _, Some((_, set))) if !has_mail(&set.daemon) => {
                Finding::fine("no mail passes this host")
            }
            (Check::Mail { to, from }, ..) => self.mail(to, from.as_deref()).await,
        }
    }

    /// What becomes of a message at this host's daemon.
    async fn mail(&mut self, to: &str, from: Option<&str>) -> Finding {
        let question =
            Question { from: from.map(str::to_owned), to: vec![to.to_owned()], ..Question::default() };
        let message = match question.read() {
            Ok(message) => message,
            Err(error) => return Finding::unknown(error.to_string()),
        };
        let way = self.way.get_or_insert_with(|| way(self.disk, self.set.as_ref().map(|(_, set)| set)));
        let way = match way {
            Ok(way) => way,
            Err(why) => return Finding::unknown(&*why),
        };
        match way.explain(&message).await {
            Ok(explanations) => explanations.first().map_or_else(|| Finding::unknown("nothing"), became),
            Err(error) => Finding::unknown(error.to_string()),
        }
    }
}

/// What the agent does about the newest generation.
fn state(status: &Status) -> Finding {
    let progress = &status.progress;
    let wanted = progress.wanted.map_or(0, |wanted| wanted.generation);
    let why = progress.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    match progress.state {
        State::Settled => Finding::fine(format!("settled{why}")),
        State::Fetching => Finding::fine(format!("fetches {wanted}{why}")),
        State::Staging => Finding::fine(format!("makes {wanted}{why}")),
        State::Staged => Finding::fine(format!("has {wanted} ready{why}")),
        State::Refused => Finding::wrong(format!("refuses {wanted}{why}")),
        State::Returned => Finding::wrong(format!("went back from {wanted}{why}")),
    }
}

/// How old the generation is, and how long it is taken.
fn age(set: &Set, now: Timestamp) -> Finding {
    let age = now.0.saturating_sub(set.head.created.0);
    match set.head.expires.0.saturating_sub(now.0) {
        0 => Finding::wrong(format!("{age} s, expired")),
        left => Finding::fine(format!("{age} s, {left} s left")),
    }
}

/// Whether a file is on the disk as it was signed.
fn file(disk: &Disk, folder: &Path, set: &Set, path: &str) -> Finding {
    let Some(file) = set.head.files.iter().find(|file| file.path.as_str() == path) else {
        return Finding::wrong("not a file of this generation");
    };
    if file.bytes > LARGEST {
        return Finding::unknown(format!("{} octets, too large to be looked through", file.bytes));
    }
    let text = Text { set: folder.to_owned(), file: file.clone() };
    let at = match text.brought_sound(disk) {
        Ok(at) => at,
        Err(error) => return Finding::unknown(format!("cannot be put in its place: {error}")),
    };
    match measure(&at, file.bytes) {
        Ok(hash) if hash == file.hash => Finding::fine(hash.to_string()),
        Ok(hash) => Finding::wrong(format!("{hash}, and {} was signed", file.hash)),
        Err(error) => Finding::wrong(format!("cannot be read: {error}")),
    }
}

async fn behaviours(disk: &Arc<Disk>, folder: &Path, set: &Set) -> Finding {
    let site = match Site::load(&folder.join(SITE)) {
        Ok(site) => site,
        Err(faults) => return Finding::wrong(faults.to_string()),
    };
    // By its own maps; and a text that is not as it was signed is told, not read.
    let files = &set.head.files;
    let texts = Texts::of(disk, folder, files);
    let later: Arc<dyn Later> = Arc::clone(&texts) as _;
    let known = Known { files, later: Some(later), ..Known::default() };
    let proved = prove_over(&site, &known.over(folder, Some(folder.join(MAPS)))).await;
    if let Some(why) = texts.failed() {
        return Finding::unknown(why);
    }
    match proved {
        Ok(proof) if !proof.broken.is_empty() => Finding::wrong(proof.broken.join("; ")),
        Ok(proof) if !proof.unasked.is_empty() => Finding::unknown(proof.unasked.join("; ")),
        Ok(proof) => Finding::fine(format!("{} hold", proof.hold)),
        Err(why) => Finding::wrong(why),
    }
}

/// Whether mail passes a daemon: none does a hub.
fn has_mail(daemon: &str) -> bool {
    daemon != Daemon::Hub.as_str()
}

/// The daemon of this host, with the settings and maps that it reads.
fn way(disk: &Disk, set: Option<&Set>) -> Result<Way, String> {
    let daemon = set.map(|set| set.daemon.as_str()).unwrap_or_default();
    let at = disk.current().join(format!("{daemon}.toml"));
    let settings = match daemon {
        "mx" => MxSettings::load(&at).map(|settings| HostSettings::Mx(Box::new(settings))),
        "router" => RouterSettings::load(&at).map(|settings| HostSettings::Router(Box::new(settings))),
        other => return Err(format!("how mail passes its daemon ({other}) is not known here")),
    };
    settings.map(Way::running).map_err(|faults| faults.to_string())
}

/// What becomes of a message, in a line: where it ends or is stopped.
fn became(explanation: &Explanation) -> Finding {
    let stops = |step: &&Step| step.outcome != Outcome::GoesOn;
    if let Some(step) = explanation.steps.iter().find(stops) {
        let says = &step.says;
        return match step.outcome {
            Outcome::Unavailable => Finding::unknown(says),
            Outcome::Refused => Finding::fine(format!("refused: {says}")),
            Outcome::PutOff => Finding::fine(format!("put off: {says}")),
            Outcome::Discarded => Finding::fine(format!("taken and dropped: {says}")),
            Outcome::Held => Finding::fine(format!("taken and held: {says}")),
            Outcome::GoesOn => Finding::fine(says),
        };
    }
    let routes: Vec<String> =
        explanation.steps.iter().filter(|step| step.stage == "route").map(route).collect();
    if !routes.is_empty() {
        return Finding::fine(routes.join(", "));
    }
    let last = explanation.steps.iter().rev().find(|step| step.stage == "recipient");
    Finding::fine(last.map_or("taken", |step| step.says.as_str()))
}

fn route(step: &Step) -> String {
    format!("{} to {}", step.about, step.says)
}

/// Octets of a file that is looked through.
const LARGEST: u64 = 256 << 20;

#[cfg(test)]
mod tests;
