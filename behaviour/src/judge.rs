//! What is wanted held against what was seen.
//!
//! Three answers, as everywhere in the suite: it holds, it does not, or this run can't see it. The third is told
//! with what would be needed, and never counts as the first.

mod look;

use std::time::Duration;

use serde::Serialize;

use crate::language::Behaviour;
use crate::seen::Seen;
use look::finding;

/// How one thing that is wanted compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It is so.
    Yes,
    /// It is not.
    No,
    /// This run can't see it; what would be needed.
    NotAsked(String),
}

/// One thing that is wanted, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The word in the file: `reply`, `header Subject`.
    pub key: String,
    /// Where that stands.
    pub place: String,
    /// What is wanted.
    pub wanted: String,
    /// What was seen; empty where nothing could be.
    pub seen: String,
    /// How the two compare.
    pub holds: Holds,
}

/// How a behaviour ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All that could be asked holds, and something could.
    Holds,
    /// Something does not hold.
    Fails,
    /// Nothing of it could be asked here.
    NotAsked,
}

/// What came of one behaviour in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How it ended.
    pub state: State,
    /// Everything that is wanted, in the order of the file's reading.
    pub findings: Vec<Finding>,
    /// What went wrong or is missing before anything could be compared.
    pub trouble: Option<String>,
    /// It fails, and that a table could not be asked may be all there is to it: why it could not.
    #[serde(skip)]
    pub away: Option<String>,
    /// The last words of the server, each once.
    pub answers: Vec<String>,
    /// How long it took.
    pub milliseconds: u64,
}

impl Verdict {
    /// Of what was seen.
    #[must_use]
    pub fn of(behaviour: &Behaviour, seen: &Seen, took: Duration) -> Self {
        let findings: Vec<Finding> = behaviour.wanted.iter().map(|wanted| finding(wanted, seen)).collect();
        let any = |holds: fn(&Holds) -> bool| findings.iter().any(|finding| holds(&finding.holds));
        let state = if any(|holds| *holds == Holds::No) {
            State::Fails
        } else if any(|holds| *holds == Holds::Yes) {
            State::Holds
        } else {
            State::NotAsked
        };
        let answers = once(seen.answers.iter().map(ToString::to_string));
        Self { state, findings, trouble: None, away: None, answers, milliseconds: milliseconds(took) }
    }

    /// It could not be carried out: a failure.
    #[must_use]
    pub fn trouble(why: impl Into<String>, took: Duration) -> Self {
        Self::without_findings(State::Fails, why.into(), took)
    }

    /// It can't be carried out here, and what would be needed.
    #[must_use]
    pub fn not_asked(needs: impl Into<String>) -> Self {
        Self::without_findings(State::NotAsked, needs.into(), Duration::ZERO)
    }

    fn without_findings(state: State, trouble: String, took: Duration) -> Self {
        let milliseconds = milliseconds(took);
        let (findings, answers) = (Vec::new(), Vec::new());
        Self { state, findings, trouble: Some(trouble), away: None, answers, milliseconds }
    }

    /// The same, by tables of which one could not be asked.
    #[must_use]
    pub fn with_away(mut self, why: Option<String>) -> Self {
        self.away = why.filter(|_| self.state == State::Fails);
        self
    }

    /// What was wanted and could not be asked here.
    pub fn unasked(&self) -> impl Iterator<Item = (&Finding, &str)> {
        self.findings.iter().filter_map(|finding| match &finding.holds {
            Holds::NotAsked(needs) => Some((finding, needs.as_str())),
            Holds::Yes | Holds::No => None,
        })
    }

    /// What does not hold.
    pub fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.holds == Holds::No)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Each text once, in order.
fn once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
