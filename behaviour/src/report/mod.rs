//! What came of a run: every behaviour with a verdict for each of the servers, or one for the maps.
//!
//! The data is the same for people and for programs; [`json`](Report::json) and [`junit`] write it for programs.

pub mod junit;

use serde_json::{Value, json};

use crate::judge::{Holds, State, Verdict};
use crate::language::Behaviour;

/// A run, whole.
#[derive(Debug)]
pub struct Report {
    /// What was asked, in order: the names of servers, or `maps`.
    pub asked: Vec<String>,
    /// One for each behaviour, in the order of the files.
    pub rows: Vec<Row>,
}

/// A behaviour, and what came of it.
#[derive(Debug)]
pub struct Row {
    /// The behaviour.
    pub behaviour: Behaviour,
    /// One for each of those that were asked.
    pub verdicts: Vec<Verdict>,
}

/// How many of a run's verdicts there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that could be asked holds.
    pub hold: usize,
    /// Something does not.
    pub fail: usize,
    /// Nothing could be asked.
    pub not_asked: usize,
    /// Single things of the others that could not be asked.
    pub unasked: usize,
}

impl Report {
    /// Counts the verdicts on one of those that were asked.
    #[must_use]
    pub fn counts(&self, asked: usize) -> Counts {
        let mut counts = Counts::default();
        for verdict in self.rows.iter().filter_map(|row| row.verdicts.get(asked)) {
            match verdict.state {
                State::Holds => counts.hold += 1,
                State::Fails => counts.fail += 1,
                State::NotAsked => counts.not_asked += 1,
            }
            if verdict.state != State::NotAsked {
                counts.unasked += verdict.unasked().count();
            }
        }
        counts
    }

    /// As a JSON value.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            let verdicts = self.asked.iter().zip(&row.verdicts);
            let verdicts: serde_json::Map<String, Value> =
                verdicts.map(|(name, verdict)| (name.clone(), json!(verdict))).collect();
            let behaviour = &row.behaviour;
            json!({
                "name": behaviour.name,
                "file": &*behaviour.place.file,
                "line": behaviour.place.line,
                "role": behaviour.role.as_str(),
                "differs": row.differs(),
                "verdicts": verdicts,
            })
        };
        json!({ "asked": self.asked, "behaviours": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

impl Row {
    /// Whether those that were asked do not all do the same, as far as both can be seen.
    #[must_use]
    pub fn differs(&self) -> bool {
        let mut verdicts = self.verdicts.iter();
        let Some(first) = verdicts.next() else { return false };
        verdicts.any(|other| differ(first, other))
    }
}

fn differ(one: &Verdict, other: &Verdict) -> bool {
    one.state != other.state
        || one.findings.iter().zip(&other.findings).any(|(one, other)| {
            one.holds != other.holds || (one.holds == Holds::No && one.seen != other.seen)
        })
}
