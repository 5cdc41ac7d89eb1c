//! `switchyard release N --countersign FILE`: what one admin has signed and laid down, another one looks at (of what
//! is undone also at who goes back, and to what), signs as well and puts in force.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use switchyard_mapsync::admin::{First, Signing};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::release::ALL;
use switchyard_mapsync_protocol::{Timestamp, rollout};

use super::desk::Desk;
use super::fleet::printable;
use super::release::whom;
use super::rollout::drawn;
use super::{Office, date, text};
use crate::output::Exit;

impl Desk<'_> {
    /// Shows what another admin signed; signs it as well and brings it, unless it is only to be looked at.
    pub(super) async fn countersign(
        &mut self,
        file: &Path,
        generation: u64,
        only_look: bool,
    ) -> Result<Exit, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let envelope = read(file).map_err(|error| failed(&error))?;
        let looked = self.admin.look_at_first(&envelope, generation).await;
        let (first, head) = looked.map_err(|error| failed(&error))?;
        let (author, note, made) = (printable(&head.author), printable(&head.note), date(head.created));
        self.output
            .data(format_args!("generation {generation} by {author}, {made}: {note}\n"))
            .map_err(text)?;
        self.output.data(in_words(&first, self.admin.needs_second())).map_err(text)?;
        if !self.admin.needs_second() && !is_past_all_steps(&first) {
            let why = "signs what needs no second signature; only a release to all hosts at once does";
            return Err(failed(&why));
        }
        if let First::Release { release, .. } = &first
            && release.undo
        {
            // The other one wished it, whoever has it: here it is only said.
            self.looked_before(release.names(), true).await?;
        }
        if only_look {
            return Ok(Exit::Fine);
        }
        match self.admin.sign_as_second(first, &self.keys).await {
            Err(error) => self.not_in_force(&error).map_err(|why| failed(&why)),
            Ok(Signing::Waits { envelope, .. }) => {
                self.lay_down(&file.with_added_extension("signed"), generation, &envelope)
            }
            Ok(Signing::InForce(sequence)) => self.in_force(sequence).await,
        }
    }

    /// What is in force now is a rollout or a single release.
    async fn in_force(&mut self, sequence: u64) -> Result<Exit, String> {
        if self.admin.plan().is_some_and(|plan| plan.last() == sequence) {
            return self.begun().await;
        }
        let alone = self.admin.needs_second();
        self.released(alone).await
    }

    /// Lays down what waits for one more signature.
    pub(super) fn lay_down(&mut self, file: &Path, generation: u64, envelope: &[u8]) -> Result<Exit, String> {
        let written = File::create_new(file).and_then(|mut file| file.write_all(envelope));
        written.map_err(|error| format!("{}: {error}", file.display()))?;
        self.say_waits(file, generation)
    }

    /// What was laid down before, says the same, and can still be signed: a push that is repeated signs no more of
    /// them.
    pub(super) async fn waits_already(
        &mut self,
        what: &str,
        at: HeadRef,
        is_the_same: impl Fn(&First) -> bool,
    ) -> Option<PathBuf> {
        for sequence in self.office.all_waiting(what, at.generation) {
            let file = self.office.waiting(what, at.generation, sequence);
            let Ok(envelope) = read(&file) else { continue };
            let Ok((first, _)) = self.admin.look_at_first(&envelope, at.generation).await else { continue };
            if is_the_same(&first) && self.office.now < expires(&first) {
                return Some(file);
            }
        }
        None
    }

    /// Somebody else is to sign it, and how.
    pub(super) fn say_waits(&mut self, file: &Path, generation: u64) -> Result<Exit, String> {
        let file = file.display();
        let what = format!(
            "it is not in force yet: it needs one more signature. Hand {file} to another admin, for\n  \
             switchyard release {generation} --countersign {file}"
        );
        self.output.say(what).map_err(text)?;
        Ok(Exit::Wrong)
    }
}

impl Office {
    /// Where a release or a rollout waits for a second signature: beside the settings.
    pub(super) fn waiting(&self, what: &str, generation: u64, sequence: u64) -> PathBuf {
        self.memory.with_file_name(format!("{what}-{generation}-{sequence}.json"))
    }

    /// The numbers of all that wait so, the last ones first.
    fn all_waiting(&self, what: &str, generation: u64) -> Vec<u64> {
        let folder = match self.memory.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let start = format!("{what}-{generation}-");
        let sequence = |file: fs::DirEntry| {
            let name = file.file_name();
            name.to_str()?.strip_prefix(&start)?.strip_suffix(".json")?.parse().ok()
        };
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut waiting: Vec<u64> = files.filter_map(sequence).collect();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        waiting.truncate(WAITING);
        waiting
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut envelope = Vec::new();
    File::open(file)?.take(MOST).read_to_end(&mut envelope)?;
    Ok(envelope)
}

/// Until when it moves anybody.
fn expires(first: &First) -> Timestamp {
    match first {
        First::Release { release, .. } => release.expires,
        First::Rollout(draft) => draft.plan().step(1).map_or(Timestamp(0), |step| step.expires),
    }
}

/// What the second one is about to sign.
fn in_words(first: &First, alone: bool) -> String {
    match first {
        First::Release { release, .. } => {
            let whom = whom(release, alone);
            format!("release {}: {whom}, until {}\n", release.sequence, date(release.expires))
        }
        First::Rollout(draft) => {
            let plan = draft.plan();
            let (first, until) =
                plan.step(1).map(|step| (whom(step, alone), date(step.expires))).unwrap_or_default();
            format!("{}the first step: {first}, until {until}\n", drawn(plan))
        }
    }
}

/// The one thing for which two must sign whatever the root says.
fn is_past_all_steps(first: &First) -> bool {
    match first {
        First::Release { release, .. } => !release.halted && !release.undo && release.permille == ALL,
        First::Rollout(_) => false,
    }
}

/// Octets that are read: one more is too long.
const MOST: u64 = rollout::LONGEST as u64 + 1;
/// Files of one generation that are looked at.
const WAITING: usize = 16;
