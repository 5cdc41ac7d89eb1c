//! What a host does about what it hears: a state machine without I/O, clock or chance of its own.
//!
//! [`Agent::handle`] takes one [`Input`] and answers with the [`Action`]s to be done, in their order. Around it stands a
//! program that asks hubs, fetches, writes and moves the link, and tells how that went. The way of a generation:
//!
//! 1. A hub shows a head. Any hub's word is as good as another's: [`Trusted`] takes the highest, or says why not.
//! 2. What no set on disk has is fetched: the change of a table before the table, from one hub after the other.
//! 3. The set is staged: written aside, compiled, tested. Who finds it unfit refuses this head for good.
//! 4. A release that means this host flips it to a set that is staged.
//! 5. Should daemons die twice within a minute of that, or a release undo it, the host goes back to the set of before,
//!    one step and no further, and does not take this head again.
//!
//! With every hub gone, or everything expired, nothing moves and what is in use stays in use.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::head::{Head, HeadRef};
use crate::release::Release;
use crate::trust::{Refused, Trusted};
use crate::words::Timestamp;

mod fetch;
mod flip;
mod hear;
mod kept;
mod progress;
mod ready;
mod words;

use self::fetch::Fetch;
pub use self::fetch::Outcome;
pub use self::kept::Kept;
pub use self::progress::Alarm;
pub use self::words::{Action, Asked, Input, Set, Unfit};

/// The sets that stay on disk unless [`Agent::keep`] says otherwise; those that may be needed stay besides.
pub const SETS: usize = 4;

/// The longest rest after a failure, in milliseconds; the first is at most a second.
const REST: u64 = 300_000;

/// A host.
#[derive(Debug)]
pub struct Agent {
    host: String,
    kept: Kept,
    hubs: Vec<Heard>,
    /// The release in force, as a hub showed it since the start.
    release: Option<Release>,
    /// The heads that may be wanted: the released and the newest.
    known: BTreeMap<HeadRef, Head>,
    /// The hub that showed the newest head first.
    first: usize,
    sets: Vec<Set>,
    /// How many of them stay.
    most: usize,
    active: Option<HeadRef>,
    work: Work,
    /// The set that was begun last: fetched files are its own.
    planned: Option<HeadRef>,
    /// A flip that is under way.
    flipping: Option<HeadRef>,
    /// What failed, and is not tried again before the rest is over.
    resting: Option<HeadRef>,
    failures: u32,
    /// How often in a row hubs were asked anew for what came from another time.
    apart: u32,
    deaths: u32,
    trouble: Option<String>,
}

/// What is being made ready.
#[derive(Debug)]
enum Work {
    Idle,
    Fetching(Fetch),
    Staging(Set),
}

/// What a hub said.
#[derive(Debug, Default)]
struct Heard {
    /// Why its last message was not taken.
    refused: Option<String>,
    /// A message that may be taken when the answer to a question is here.
    doubt: Option<Doubt>,
    /// The head that it was asked for last.
    asked: Option<HeadRef>,
    /// A release whose head is asked for.
    pending: Option<Vec<u8>>,
    /// What it showed is of the future, or has expired: our clocks may be apart, and what it shows is asked for again.
    apart: bool,
}

/// A message that is not taken yet. What hubs show comes by several ways, so one may overtake what it needs.
#[derive(Debug)]
struct Doubt {
    /// Why it is refused if the hub does not have what was asked for.
    why: Refused,
    /// What it is.
    what: &'static str,
    asked: Asked,
}

impl Agent {
    /// A host with so many hubs, with what it kept and what is on its disk.
    ///
    /// Every hub is to be asked anew for its newest head and release then, whatever it showed before.
    pub fn start(host: String, hubs: usize, kept: Kept, sets: Vec<Set>, active: Option<HeadRef>) -> Self {
        Self {
            host,
            kept,
            hubs: (0..hubs).map(|_| Heard::default()).collect(),
            release: None,
            known: BTreeMap::new(),
            first: 0,
            sets,
            most: SETS,
            active,
            work: Work::Idle,
            planned: None,
            flipping: None,
            resting: None,
            failures: 0,
            apart: 0,
            deaths: 0,
            trouble: None,
        }
    }

    /// From the next input on so many sets stay on disk, and those that may be needed besides.
    pub fn keep(&mut self, sets: usize) {
        self.most = sets;
    }

    /// What is trusted.
    pub fn trusted(&self) -> &Trusted {
        &self.kept.trusted
    }

    /// What was kept last: a start goes on with it.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The set in use.
    pub fn active(&self) -> Option<HeadRef> {
        self.active
    }

    /// The set that this host goes back to, if it has to.
    pub fn previous(&self) -> Option<HeadRef> {
        let came = self.kept.flip.filter(|flip| Some(flip.to) == self.active);
        came.and_then(|flip| flip.from).filter(|from| self.has(*from))
    }

    /// Takes what happened, now; `chance` is any number, another one each time.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp, chance: u64) -> Vec<Action> {
        let (kept, progress) = (self.kept.clone(), self.progress());
        let mut actions = Vec::new();
        let failed = match input {
            Input::Head { hub, envelope } => {
                let taken = self.head(hub, envelope, now);
                self.heard((hub, "head"), taken, chance, &mut actions);
                None
            }
            Input::Release { hub, envelope } => {
                let taken = self.release(hub, envelope, now, &mut actions);
                self.heard((hub, "release"), taken, chance, &mut actions);
                None
            }
            Input::Root { hub, envelope } => {
                let taken = self.root(hub, envelope, &mut actions);
                self.heard((hub, "root"), taken, chance, &mut actions);
                None
            }
            Input::Lacks { hub, asked } => {
                self.lacks(hub, asked, &mut actions);
                None
            }
            Input::Fetched { hub, file, delta, outcome } => {
                self.fetched(hub, (file.hash, delta), outcome, &mut actions)
            }
            Input::Staged(outcome) => self.staged(outcome),
            Input::Flipped(outcome) => self.flipped(outcome),
            Input::Died => {
                self.died(now);
                None
            }
            Input::Rested => {
                self.resting = None;
                self.ask_again(&mut actions);
                None
            }
        };
        if let Some((head, why)) = failed {
            self.resting = Some(head);
            self.trouble = Some(why);
            actions.push(Action::Rest(rest(&mut self.failures, chance)));
        }
        self.flip(now, &mut actions);
        self.prune(&mut actions);
        self.prepare(&mut actions);
        if self.progress() != progress {
            actions.push(Action::Report);
        }
        if self.kept == kept {
            return actions;
        }
        // What cannot be kept must not be acted on.
        match self.kept.to_json() {
            Ok(octets) => actions.insert(0, Action::Keep(octets)),
            Err(_) => actions.clear(),
        }
        actions
    }

    fn has(&self, head: HeadRef) -> bool {
        self.sets.iter().any(|set| set.name == head)
    }

    fn went_well(&mut self) {
        (self.failures, self.trouble, self.resting) = (0, None, None);
    }
}

/// Any time up to twice as long as after the failure before: hosts that fail together do not come back together.
fn rest(failures: &mut u32, chance: u64) -> Duration {
    let most = 1000_u64.checked_shl(*failures).unwrap_or(REST).min(REST);
    *failures = failures.saturating_add(1).min(16);
    Duration::from_millis(chance % most + 1)
}

#[cfg(test)]
mod tests;
