//! What an admin signs for a rollout: its steps, and the two ways to end it.
//!
//! The steps are ordinary releases of one generation with numbers that follow one another, each for more hosts than the
//! one before. After them come one that halts and one that undoes. As a host never takes a release below its last one, the
//! two end a rollout for good, at whichever step it stands, and no hub needs a key.

mod draft;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::envelope::{Malformed, Signed};
use crate::head::HeadRef;
use crate::release::{ALL, CANARIES, Release, number};
use crate::root::Root;

pub use self::draft::Draft;

/// The most steps of a plan.
pub const STEPS: usize = 16;

/// The longest plan that is read.
pub const LONGEST: usize = 2 << 20;

/// How many of a thousand hosts a step is for, after the one for the canaries alone.
pub const SHARES: [u16; 4] = [10, 50, 250, ALL];

/// Why octets are no plan.
#[derive(Debug, thiserror::Error)]
pub enum BadPlan {
    /// Not in its form.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A release in it is not signed by enough keys.
    #[error("a release of it has {have} signatures of the keys for releases, and {need} must be")]
    TooFewSignatures {
        /// How many have signed.
        have: usize,
        /// How many must.
        need: usize,
    },
    /// Its releases do not make a rollout.
    #[error("{0}")]
    Rule(&'static str),
}

/// A host, as its admin knows it.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub role: &'a str,
    /// Where it stands.
    pub site: &'a str,
}

/// The hosts that go first: of each role at each site the one with the lowest number at this generation.
///
/// # Errors
/// When these are more than a release can name.
pub fn canaries<'a>(
    hosts: impl IntoIterator<Item = Host<'a>>,
    generation: u64,
) -> Result<Vec<String>, BadPlan> {
    let mut first: BTreeMap<_, (u64, &str)> = BTreeMap::new();
    for Host { name, role, site } in hosts {
        let candidate = (number(name, generation), name);
        first.entry((role, site)).and_modify(|best| *best = candidate.min(*best)).or_insert(candidate);
    }
    if first.len() > CANARIES {
        return Err(BadPlan::Rule("there are more roles and sites than a release can name hosts"));
    }
    Ok(first.into_values().map(|(_, name)| name.to_owned()).collect())
}

/// The releases that an admin is to sign, in their order: the steps, then the halt and the undoing.
///
/// `first` says for whom, which generation, until when, and from which number on; its canaries are alone in the first
/// step. If it names none, the smallest share goes first. A step that moves none of these hosts is left out.
pub fn draw(first: &Release, hosts: &[&str]) -> Vec<Release> {
    let alone = (!first.canaries.is_empty()).then_some(0);
    let mut drawn: Vec<Release> = Vec::new();
    let next = |drawn: &[Release]| first.sequence.saturating_add(drawn.len() as u64);
    for permille in alone.into_iter().chain(SHARES) {
        let step = Release { sequence: next(&drawn), permille, halted: false, undo: false, ..first.clone() };
        let moved = |release: &Release| hosts.iter().filter(|host| release.moves(host)).count();
        let before = drawn.last().map_or(0, moved);
        // The last step is for hosts, too, that nobody knows of.
        if permille == ALL || moved(&step) > before {
            drawn.push(step);
        }
    }
    for undo in [false, true] {
        let end = Release {
            sequence: next(&drawn),
            permille: 0,
            canaries: Vec::new(),
            halted: true,
            undo,
            ..first.clone()
        };
        drawn.push(end);
    }
    drawn
}

/// A rollout as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    express: bool,
    pub(super) steps: Vec<Part>,
    pub(super) halt: Part,
    pub(super) undo: Part,
}

/// One release of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) release: Release,
    signed: Signed,
    pub(super) octets: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    steps: Vec<Signed>,
    halt: Signed,
    undo: Signed,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    express: bool,
}

impl Wire {
    /// The steps, then the halt and the undoing.
    fn of(mut releases: Vec<Signed>) -> Result<Self, BadPlan> {
        let few = BadPlan::Rule("a plan has at least one step, a halt and an undoing");
        let (Some(undo), Some(halt)) = (releases.pop(), releases.pop()) else { return Err(few) };
        Ok(Self { steps: releases, halt, undo, express: false })
    }

    fn from_json(octets: &[u8]) -> Result<Self, BadPlan> {
        if octets.len() > LONGEST {
            return Err(Malformed::TooLong(octets.len()).into());
        }
        Ok(serde_json::from_slice(octets).map_err(Malformed::from)?)
    }
}

impl Plan {
    /// Puts together what [`draw`] gave and an admin signed, in the same order.
    ///
    /// # Errors
    /// When a signature is missing, or the releases make no rollout.
    pub fn new(releases: Vec<Signed>, root: &Root) -> Result<Self, BadPlan> {
        Self::read(Wire::of(releases)?, root, root.roles.release.threshold)
    }

    /// Reads a plan, and checks all of it.
    ///
    /// # Errors
    /// When it is not in its form, not signed by the keys in force, or no rollout.
    pub fn from_json(octets: &[u8], root: &Root) -> Result<Self, BadPlan> {
        Self::read(Wire::from_json(octets)?, root, root.roles.release.threshold)
    }

    /// Whether octets are meant to be a plan, and not a single release; all the rest of it is yet to be seen.
    #[must_use]
    pub fn is_one(octets: &[u8]) -> bool {
        Wire::from_json(octets).is_ok()
    }

    /// The plan as it travels.
    ///
    /// # Errors
    /// Never, for a plan that was read.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        let steps = self.steps.iter().map(|part| part.signed.clone()).collect();
        let (halt, undo) = (self.halt.signed.clone(), self.undo.signed.clone());
        let wire = Wire { steps, halt, undo, express: self.express };
        Ok(serde_json::to_vec(&wire)?)
    }

    /// The same plan, in a hurry or not: all its steps and gates stay, and each bakes for a shorter time
    /// ([`Gates::express`](super::Gates::express)). It is not signed, for a hub could be hasty in any case.
    #[must_use]
    pub fn with_express(self, express: bool) -> Self {
        Self { express, ..self }
    }

    /// Whether its steps bake for a shorter time.
    pub fn is_express(&self) -> bool {
        self.express
    }

    /// What it puts in use.
    pub fn names(&self) -> HeadRef {
        self.halt.release.names()
    }

    /// The highest number in it: the next release of an admin must be above.
    pub fn last(&self) -> u64 {
        self.undo.release.sequence
    }

    /// The lowest number in it.
    pub fn first(&self) -> u64 {
        self.steps.first().map_or(0, |part| part.release.sequence)
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// What a step says; they are counted from 1.
    pub fn step(&self, step: usize) -> Option<&Release> {
        self.steps.get(step.checked_sub(1)?).map(|part| &part.release)
    }

    /// Whether a release is one of its own, and not another one of the same number.
    pub fn holds(&self, release: &Release) -> bool {
        self.steps.iter().chain([&self.halt, &self.undo]).any(|part| part.release == *release)
    }

    /// Each release of it must have so many signatures.
    fn read(wire: Wire, root: &Root, need: usize) -> Result<Self, BadPlan> {
        if wire.steps.is_empty() || wire.steps.len() > STEPS {
            return Err(BadPlan::Rule("a plan has at least one step, and at most sixteen"));
        }
        let steps =
            wire.steps.into_iter().map(|signed| Part::read(signed, root, need)).collect::<Result<_, _>>()?;
        let (halt, undo) = (Part::read(wire.halt, root, need)?, Part::read(wire.undo, root, need)?);
        let plan = Self { express: wire.express, steps, halt, undo };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), BadPlan> {
        let all = || self.steps.iter().chain([&self.halt, &self.undo]).map(|part| &part.release);
        if !all().all(|release| release.names() == self.names()) {
            return Err(BadPlan::Rule("all releases of a plan are of one generation"));
        }
        let follows = |(a, b): (&Release, &Release)| a.sequence.checked_add(1) == Some(b.sequence);
        if !all().zip(all().skip(1)).all(follows) {
            return Err(BadPlan::Rule("the numbers of a plan follow one another"));
        }
        let wider = |(a, b): (&Part, &Part)| {
            let (a, b) = (&a.release, &b.release);
            a.permille <= b.permille && a.canaries.iter().all(|host| b.moves(host))
        };
        if !self.steps.iter().zip(self.steps.iter().skip(1)).all(wider) {
            return Err(BadPlan::Rule("each step of a plan holds the one before"));
        }
        let is_step = |part: &Part| !part.release.halted;
        let is_whole = self.steps.iter().all(is_step)
            && self.halt.release.halted
            && !self.halt.release.undo
            && self.undo.release.undo;
        if is_whole {
            return Ok(());
        }
        Err(BadPlan::Rule("a plan has steps that move hosts, then a halt, then an undoing"))
    }
}

impl Part {
    fn read(signed: Signed, root: &Root, need: usize) -> Result<Self, BadPlan> {
        signed.expect(crate::envelope::Type::Release)?;
        // As in every message: the signatures are counted before the payload is read.
        let have = signed.signers(&root.roles.release.keys);
        if have < need {
            return Err(BadPlan::TooFewSignatures { have, need });
        }
        let release: Release = signed.read()?;
        if release.environment != root.environment {
            return Err(BadPlan::Rule("a plan for another environment"));
        }
        let octets = signed.to_json()?;
        Ok(Self { release, signed, octets })
    }
}
