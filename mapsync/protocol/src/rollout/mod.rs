//! Bringing a generation to all hosts by steps, as far as what they say is good: a state machine without I/O or clock.
//!
//! An admin signs a [`Plan`]: every step, a halt and an undoing. A hub that drives it shows [`Rollout::look`] the newest
//! release and what hosts said last, and publishes what the answer says. It can choose among what was signed, and hold
//! back; it cannot move a host that the admin did not mean to move. The way of a rollout:
//!
//! 1. Every host that is heard has the generation ready, and every host of the first step is heard. Then the first step.
//! 2. Every host that a step means has it in use, and stays well while the step bakes ([`Gates`]). Then the next one.
//! 3. A fault undoes the generation: a host that refuses it or goes back, a daemon that dies, more mail refused, put off or
//!    bounced than by the set of before, answers that differ by no line that changed.
//! 4. No word of a host that matters holds the step. A step that is held for too long halts.
//!
//! The newest release says which step is in force, so any hub takes over at any time and two at once do no harm: numbers
//! only rise, and a halt is above every step. Who takes over bakes the step anew. With no hub left nobody moves.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::head::HeadRef;
use crate::status::{State, Status};

mod gates;
mod plan;
mod watch;

pub use self::gates::Gates;
use self::plan::Part;
pub use self::plan::{BadPlan, Draft, Host, LONGEST, Plan, SHARES, STEPS, canaries, draw};
use self::watch::Watched;

/// What a host said last, and how long ago.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// What it said.
    pub status: &'a Status,
    /// How long ago.
    pub age: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing, for now.
    Hold(String),
    /// This release is to be published, and nothing else is done before it is the newest.
    Publish {
        /// Its number.
        sequence: u64,
        /// The envelope.
        octets: Vec<u8>,
        /// Why: which step, or what ends it.
        why: String,
    },
    /// The rollout has ended.
    Over(End),
}

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every host has it.
    Complete,
    /// Nobody moves any more.
    Halted,
    /// Whoever had it went back.
    Undone,
    /// An admin released something else since.
    Overtaken,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "it is everywhere",
            Self::Halted => "it is halted",
            Self::Undone => "it is undone",
            Self::Overtaken => "an admin released something else since",
        })
    }
}

/// A rollout, as one hub sees it.
#[derive(Debug)]
pub struct Rollout {
    plan: Plan,
    gates: Gates,
    hosts: BTreeMap<String, Watched>,
    stage: Stage,
}

/// Where it stands.
#[derive(Debug)]
struct Stage {
    /// The step in force; none before the first.
    step: Option<usize>,
    /// Since when, as this hub saw it.
    began: Duration,
    /// Since when every host that it means has the generation in use.
    settled: Option<Duration>,
}

/// Why a step is not passed.
enum Wait {
    /// Something is missing.
    For(String),
    /// Only time.
    Time(Duration),
}

impl Rollout {
    /// Begins to drive a plan, or takes it over. `now` is any clock that only goes forward, and the same in each call.
    pub fn new(plan: Plan, gates: Gates, now: Duration) -> Self {
        let stage = Stage { step: None, began: now, settled: None };
        Self { plan, gates, hosts: BTreeMap::new(), stage }
    }

    /// The plan that it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The step in force, from 1; 0 before the first.
    pub fn step(&self) -> usize {
        self.stage.step.map_or(0, |step| step + 1)
    }

    /// Looks at what hosts say. `newest` is the number of the newest release, 0 before the first; `listening` is for how
    /// long the hub has been hearing hosts.
    pub fn look(&mut self, newest: u64, words: &[Word<'_>], listening: Duration, now: Duration) -> Verdict {
        let step = match self.position(newest) {
            Ok(step) => step,
            Err(end) => return Verdict::Over(end),
        };
        if step != self.stage.step {
            self.stage = Stage { step, began: now, settled: None };
            self.hosts.values_mut().for_each(Watched::new_stage);
        }
        self.hear(words);
        if let Some(fault) = self.fault(words) {
            return publish(&self.plan.undo, fault);
        }
        let wait = match step {
            None => self.staged(words, listening),
            Some(step) => self.passed(step, words, listening, now),
        };
        let held = now.saturating_sub(self.stage.began);
        match wait {
            None => self.next(),
            Some(Wait::For(what)) if held >= self.gates.patience => {
                publish(&self.plan.halt, format!("held for {} s: {what}", held.as_secs()))
            }
            Some(Wait::For(what)) => Verdict::Hold(what),
            Some(Wait::Time(left)) => Verdict::Hold(format!("all is well; {} s to go", left.as_secs())),
        }
    }

    /// Which step the newest release is.
    fn position(&self, newest: u64) -> Result<Option<usize>, End> {
        let is = |part: &Part| part.release.sequence == newest;
        if is(&self.plan.halt) {
            return Err(End::Halted);
        }
        if is(&self.plan.undo) {
            return Err(End::Undone);
        }
        if newest > self.plan.last() {
            return Err(End::Overtaken);
        }
        Ok(self.plan.steps.iter().position(is))
    }

    fn next(&self) -> Verdict {
        let next = self.stage.step.map_or(0, |step| step + 1);
        match self.plan.steps.get(next) {
            Some(part) => publish(part, format!("step {} of {}", next + 1, self.plan.steps())),
            None => Verdict::Over(End::Complete),
        }
    }

    /// Counts what hosts did since they were heard last. Who is not listed any more is forgotten.
    fn hear(&mut self, words: &[Word<'_>]) {
        let target = self.plan.names();
        let mut before = std::mem::take(&mut self.hosts);
        for Word { status, age } in words {
            let mut watched = before.remove(&status.host).unwrap_or_default();
            watched.hear(status, target, *age <= self.gates.silence);
            self.hosts.insert(status.host.clone(), watched);
        }
    }

    /// What undoes the rollout.
    fn fault(&self, words: &[Word<'_>]) -> Option<String> {
        let target = self.plan.names();
        let refuses = |word: &&Word<'_>| {
            let progress = &word.status.progress;
            progress.wanted == Some(target) && matches!(progress.state, State::Refused | State::Returned)
        };
        let mut refusing = words.iter().filter(refuses);
        if let Some(word) = refusing.by_ref().nth(self.gates.refusals) {
            let why = word.status.progress.reason.as_deref().unwrap_or("it says no reason");
            return Some(format!("{} will not have it: {why}", word.status.host));
        }
        let over = |count: fn(&Watched) -> u64, most: u64| {
            let (host, watched) = self.hosts.iter().max_by_key(|(_, watched)| count(watched))?;
            (count(watched) > most).then_some((host, count(watched)))
        };
        if let Some((host, deaths)) = over(|watched| watched.deaths, self.gates.deaths) {
            return Some(format!("daemons died {deaths} times on {host}"));
        }
        if let Some((host, differing)) = over(|watched| watched.differing, self.gates.differing) {
            return Some(format!("{differing} answers differ on {host} that nobody meant"));
        }
        self.gates.worse(self.hosts.values())
    }

    /// What is missing before the first step.
    fn staged(&self, words: &[Word<'_>], listening: Duration) -> Option<Wait> {
        let target = self.plan.names();
        if let Some(wait) = self.unheard(0, words, listening) {
            return Some(wait);
        }
        let has = |status: &Status| [status.progress.staged, status.progress.active].contains(&Some(target));
        let mut missing = words.iter().filter(|word| self.is_heard(word) && !has(word.status));
        missing.next().map(|word| Wait::For(format!("{} does not have it ready", word.status.host)))
    }

    /// What is missing before the step after this one.
    fn passed(
        &mut self,
        step: usize,
        words: &[Word<'_>],
        listening: Duration,
        now: Duration,
    ) -> Option<Wait> {
        if let Some(wait) = self.unheard(step, words, listening) {
            return Some(wait);
        }
        let release = &self.plan.steps.get(step)?.release;
        let target = Some(self.plan.names());
        let is_meant = |word: &&Word<'_>| release.moves(&word.status.host);
        for word in words.iter().filter(is_meant) {
            let Word { status, .. } = word;
            // Who was silent before the step began is not waited for, unless it is named or has the generation.
            let is_asked = self.hosts.get(&status.host).is_some_and(|watched| watched.is_asked);
            if is_asked && !self.is_heard(word) {
                return Some(Wait::For(format!("no word of {}", status.host)));
            }
            if is_asked && status.progress.active != target {
                return Some(Wait::For(format!("{} does not have it in use", status.host)));
            }
        }
        let settled = *self.stage.settled.get_or_insert(now);
        if let Some(what) = self.gates.too_little(self.hosts.values()) {
            return Some(Wait::For(what));
        }
        let left = self.gates.bake.saturating_sub(now.saturating_sub(settled));
        (!left.is_zero()).then_some(Wait::Time(left))
    }

    /// Who must be heard: the hosts that the step names, and somebody at all.
    fn unheard(&self, step: usize, words: &[Word<'_>], listening: Duration) -> Option<Wait> {
        let heard = |host: &str| words.iter().any(|word| word.status.host == host && self.is_heard(word));
        let named = &self.plan.steps.get(step)?.release.canaries;
        if let Some(host) = named.iter().find(|host| !heard(host)) {
            return Some(Wait::For(format!("no word of {host}")));
        }
        if !words.iter().any(|word| self.is_heard(word)) {
            return Some(Wait::For("no word of any host".to_owned()));
        }
        let left = self.gates.silence.saturating_sub(listening);
        (!left.is_zero()).then_some(Wait::Time(left))
    }

    fn is_heard(&self, word: &Word<'_>) -> bool {
        word.age <= self.gates.silence
    }
}

fn publish(part: &Part, why: String) -> Verdict {
    Verdict::Publish { sequence: part.release.sequence, octets: part.octets.clone(), why }
}

/// The generation that a word speaks of as in use.
fn uses(status: &Status, target: HeadRef) -> bool {
    status.progress.active == Some(target)
}

#[cfg(test)]
mod tests;
