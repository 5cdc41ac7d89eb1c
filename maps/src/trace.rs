//! What was asked on the way to a decision: each table, the key, and the line that answered.

use std::sync::{Arc, Mutex, PoisonError};

use crate::answer::Place;
use crate::chain::{Found, Hit, Member, Why};
use crate::name::MapName;

/// Questions kept of one decision; aliases may ask without end.
const MAX_ASKED: usize = 10_000;

/// One question to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The map.
    pub map: MapName,
    /// Its table, as the settings name it.
    pub table: Arc<str>,
    /// The key; empty when the map as a whole can't be asked.
    pub key: String,
    /// What patterns and servers were asked in its place: what was given, as it was.
    pub given: String,
    /// What the table said.
    pub said: Said,
}

/// What a table said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The value, and the line that holds it.
    Found(String, Place),
    /// The table does not know the key.
    NotFound,
    /// Why it cannot say.
    Unavailable(Arc<str>),
}

/// Notes of the questions that a [`Snapshot`](crate::Snapshot) is asked.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Asked>>>);

impl Trace {
    /// What was asked since the last call, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True when nothing was asked since then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How much was noted.
    pub(crate) fn mark(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets what was noted since a mark.
    pub(crate) fn back_to(&self, mark: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).truncate(mark);
    }

    /// The notes of one map.
    pub(crate) fn of(&self, map: MapName) -> MapTrace<'_> {
        MapTrace { trace: self, map }
    }
}

/// Notes of the questions that one map is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapTrace<'a> {
    trace: &'a Trace,
    map: MapName,
}

impl MapTrace<'_> {
    /// None of its tables can be asked.
    pub(crate) fn unavailable(&self, why: &Arc<str>) {
        self.push(self.map.as_str().into(), ("", ""), Said::Unavailable(Arc::clone(why)));
    }

    /// What one of its tables said.
    pub(crate) fn note(&self, member: &Member, (key, given): (&str, &str), found: &Found<Option<Hit<'_>>>) {
        let said = match found {
            Ok(Some(hit)) => {
                let place = Place { map: self.map, file: Arc::clone(hit.file), line: hit.line };
                // Targets stand a line each there.
                Said::Found(hit.text.replace('\n', ", "), place)
            }
            Ok(None) => Said::NotFound,
            Err(Why::Unavailable(why)) => Said::Unavailable(Arc::clone(why)),
            // Asked again once the server has been.
            Err(Why::Unknown(_)) => return,
        };
        self.push(Arc::clone(&member.spec), (key, given), said);
    }

    fn push(&self, table: Arc<str>, (key, given): (&str, &str), said: Said) {
        let mut asked = self.trace.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() < MAX_ASKED {
            let (key, given) = (key.to_owned(), given.to_owned());
            asked.push(Asked { map: self.map, table, key, given, said });
        }
    }
}
