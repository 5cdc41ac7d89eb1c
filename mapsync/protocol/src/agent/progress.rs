//! Where a host is, and what people should know of it.

use std::fmt;

use super::{Agent, Work};
use crate::head::HeadRef;
use crate::status::{Progress, State, reason};
use crate::words::Timestamp;

/// What people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// Something has expired; what is in use stays in use.
    Expired {
        /// The keys, or the generation in use.
        what: &'static str,
        /// Since when.
        at: Timestamp,
    },
    /// A hub shows what cannot be taken.
    Hub {
        /// Which one.
        hub: usize,
        /// Why.
        why: String,
    },
    /// The newest generation is not put in use here.
    Refused {
        /// Which one.
        head: HeadRef,
        /// Why.
        why: String,
    },
    /// Something fails, and is tried again.
    Trouble(String),
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { what, at } => {
                write!(f, "the {what} expired at {at}; what is in use stays in use")
            }
            Self::Hub { hub, why } => write!(f, "hub {hub} shows what is not taken: {why}"),
            Self::Refused { head, why } => write!(f, "generation {} is refused here: {why}", head.generation),
            Self::Trouble(why) => f.write_str(why),
        }
    }
}

impl Agent {
    /// Where this host is.
    pub fn progress(&self) -> Progress {
        let wanted = self.kept.trusted.newest();
        let refusal = wanted.and_then(|head| self.kept.refusal(head));
        let is_staged = wanted.is_some_and(|head| self.has(head));
        let state = match (&self.work, refusal) {
            (_, Some(refusal)) if refusal.returned => State::Returned,
            (_, Some(_)) => State::Refused,
            (Work::Fetching(_), None) => State::Fetching,
            (Work::Staging(_), None) => State::Staging,
            (Work::Idle, None) if is_staged && wanted != self.active => State::Staged,
            (Work::Idle, None) => State::Settled,
        };
        let why = refusal.map(|refusal| refusal.reason.as_str()).or(self.trouble.as_deref());
        let why = why.or_else(|| self.hubs.iter().find_map(|heard| heard.refused.as_deref()));
        let staged = self.sets.iter().map(|set| set.name).max_by_key(|name| name.generation);
        Progress {
            release: self.kept.trusted.sequence(),
            wanted,
            staged,
            active: self.active,
            previous: self.previous(),
            state,
            reason: why.map(reason),
        }
    }

    /// What people should know now.
    pub fn alarms(&self, now: Timestamp) -> Vec<Alarm> {
        let root = ("keys", Some(self.kept.trusted.root().expires));
        let active = self.sets.iter().find(|set| Some(set.name) == self.active);
        let active = ("generation in use", active.map(|set| set.head.expires));
        let expired = [root, active].into_iter().filter_map(|(what, at)| {
            let at = at.filter(|at| now >= *at)?;
            Some(Alarm::Expired { what, at })
        });
        let hubs = self.hubs.iter().enumerate().filter_map(|(hub, heard)| {
            let why = heard.refused.clone()?;
            Some(Alarm::Hub { hub, why })
        });
        let refused = self.kept.trusted.newest().and_then(|head| {
            let why = self.kept.refusal(head)?.reason.clone();
            Some(Alarm::Refused { head, why })
        });
        let trouble = self.trouble.clone().map(Alarm::Trouble);
        expired.chain(hubs).chain(refused).chain(trouble).collect()
    }
}
