//! A candidate beside the set in use: every question is put to both, the one in use answers, and what the
//! candidate would have said otherwise is counted.
//!
//! A difference is *intended* when a line that answered, in one set or the other, is one that the change touched, or
//! its table is new or gone: then the admin meant it. The rest is what a change does that nobody thought of: a line
//! for everybody that comes or goes, a rule whose value cannot be used, a map that cannot be asked. A turn from
//! "taken" to "refused" or back is its own kind, since that is the one that loses mail. A table that draws its
//! answers (`randmap:`) is the same where it is in both sets, whatever each draws.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounter;
use serde::{Deserialize, Serialize};
use switchyard_smtp::address::Mailbox;

use crate::access::Access;
use crate::answer::{Answer, Found};
use crate::entry::Route;
use crate::name::{MapName, Values};
use crate::set::{MapSet, Slot, Verified};
use crate::trace::{Asked, Said};

/// Examples kept of each kind of difference.
const MAX_EXAMPLES: usize = 20;

/// How two answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Both know, and say different things.
    Route,
    /// One takes the mail, the other refuses it.
    Verdict,
    /// One of them knows nothing of it.
    NotFound,
    /// One of them cannot say.
    Unavailable,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Route, Self::Verdict, Self::NotFound, Self::Unavailable];

    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Verdict => "verdict",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
        }
    }
}

/// How often something differed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// Where the change touched the line that answered.
    pub intended: u64,
    /// Elsewhere.
    pub unexpected: u64,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The map.
    pub map: String,
    /// What was asked.
    pub asked: String,
    /// What the set in use says, with its line.
    pub live: String,
    /// What the candidate says.
    pub candidate: String,
    /// How they differ.
    pub kind: Kind,
    /// Whether the change touched the line that answered.
    pub intended: bool,
}

/// What was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Questions put to both.
    pub asked: u64,
    /// Answered alike.
    pub same: u64,
    /// Answered otherwise.
    pub differing: BTreeMap<Kind, Differing>,
    /// Some of those, unexpected ones first kept.
    pub examples: Vec<Example>,
}

/// A candidate, and how it does.
#[derive(Debug)]
pub struct Shadow {
    pub(crate) set: MapSet,
    /// Tells it from other candidates ([`installed::identity`](crate::installed::identity)).
    pub(crate) identity: String,
    report: Mutex<Report>,
    /// Counts what nobody meant.
    unexpected: Option<IntCounter>,
}

impl Shadow {
    pub(crate) fn new(set: Verified<MapSet>, identity: String, unexpected: Option<IntCounter>) -> Self {
        Self { set: set.into_inner(), identity, report: Mutex::default(), unexpected }
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn same(&self) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.asked += 1;
        report.same += 1;
    }

    /// Notes a difference.
    pub(crate) fn differs(&self, example: Example) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.asked += 1;
        let counts = report.differing.entry(example.kind).or_default();
        if example.intended {
            counts.intended += 1;
        } else {
            counts.unexpected += 1;
            if let Some(unexpected) = &self.unexpected {
                unexpected.inc();
            }
        }
        let alike = |kept: &Example| kept.kind == example.kind && kept.intended == example.intended;
        let known = |kept: &Example| kept.map == example.map && kept.asked == example.asked;
        if report.examples.iter().filter(|kept| alike(kept)).count() < MAX_EXAMPLES
            && !report.examples.iter().any(known)
        {
            report.examples.push(example);
        }
    }
}

/// Answers that can be compared and shown.
pub(crate) trait Compared: PartialEq {
    /// As a person reads it.
    fn show(&self) -> String;
    /// True when mail is refused by it.
    fn refuses(&self) -> bool {
        false
    }
}

impl Compared for Route {
    fn show(&self) -> String {
        self.to_string()
    }
    fn refuses(&self) -> bool {
        matches!(self, Self::Refuse(_) | Self::Defer(_) | Self::Discard(_))
    }
}

impl Compared for Access {
    fn show(&self) -> String {
        self.to_string()
    }
    fn refuses(&self) -> bool {
        matches!(self, Self::Refuse(_) | Self::DeferIfReject(_) | Self::DeferIfPermit(_) | Self::Discard(_))
    }
}

impl Compared for () {
    fn show(&self) -> String {
        "listed".to_owned()
    }
}

impl Compared for Mailbox {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Compared for Vec<Mailbox> {
    fn show(&self) -> String {
        self.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Compared for std::sync::Arc<str> {
    fn show(&self) -> String {
        self.to_string()
    }
    /// Who has moved takes no mail.
    fn refuses(&self) -> bool {
        true
    }
}

/// How two answers differ; none when they do not. Which line says it is no difference.
pub(crate) fn compare<T: Compared>(
    map: MapName,
    live: &Answer<Found<T>>,
    candidate: &Answer<Found<T>>,
) -> Option<Kind> {
    let refuses = |answer: &Answer<Found<T>>| match (answer, map.values()) {
        // A list that does not name it refuses it.
        (answer, Values::Nothing) => matches!(answer, Answer::NotFound),
        (Answer::Found(found), _) => found.value.refuses(),
        _ => false,
    };
    match (live, candidate) {
        (Answer::NotFound, Answer::NotFound) | (Answer::Unavailable(_), Answer::Unavailable(_)) => None,
        (Answer::Found(live), Answer::Found(candidate)) if live.value == candidate.value => None,
        (Answer::Unavailable(_), _) | (_, Answer::Unavailable(_)) => Some(Kind::Unavailable),
        _ if refuses(live) != refuses(candidate) => Some(Kind::Verdict),
        (Answer::Found(_), Answer::Found(_)) => Some(Kind::Route),
        _ => Some(Kind::NotFound),
    }
}

/// An answer as a person reads it.
pub(crate) fn show<T: Compared>(answer: &Answer<Found<T>>) -> String {
    match answer {
        Answer::Found(found) => format!("{} ({})", found.value.show(), found.place),
        Answer::NotFound => "not found".to_owned(),
        Answer::Unavailable(unavailable) => unavailable.to_string(),
    }
}

/// Whether the change touched a line that was found in either set. It did where the line's own table, asked alone,
/// says something else in the other set, or is not there at all.
pub(crate) fn touched(asked: [&[Asked]; 2], live: &MapSet, candidate: &MapSet) -> bool {
    let found = |asked: &&Asked| matches!(asked.said, Said::Found(..));
    asked.into_iter().flatten().filter(found).any(|answered| {
        match (alone(live, answered), alone(candidate, answered)) {
            // The star is everybody: who gives it another value means them, but one that comes or goes is a surprise.
            (Some(live), Some(candidate)) if answered.key == "*" && live.is_some() != candidate.is_some() => {
                false
            }
            (Some(live), Some(candidate)) => live != candidate,
            _ => false,
        }
    })
}

/// Whether one and the same table answered in both, which draws what it says: that two draws differ says nothing.
pub(crate) fn is_chance([live, candidate]: [&[Asked]; 2], set: &MapSet) -> bool {
    let found = |asked: &&Asked| matches!(asked.said, Said::Found(..));
    live.iter().filter(found).any(|answered| {
        let Slot::Ready(chain) = set.slot(answered.map) else { return false };
        chain.member(&answered.table).is_some_and(|member| member.table.draws())
            && candidate.iter().filter(found).any(|asked| asked.table == answered.table)
    })
}

/// What the table of a question says by itself: nothing where it is not in the set; none where it cannot say.
fn alone(set: &MapSet, asked: &Asked) -> Option<Option<String>> {
    match set.slot(asked.map) {
        Slot::Absent => Some(None),
        Slot::Ready(chain) => chain.alone(&asked.table, &asked.key, &asked.given),
        Slot::Unavailable(_) => None,
    }
}
