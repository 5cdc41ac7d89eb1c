//! How a set's files come: what no set on disk has, its change before the whole, from one hub after the other.

use super::{Action, Set};
use crate::hash::Hash;
use crate::head::{File, Kind};

/// How a fetch went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is here, and is what its hash and length say.
    Got,
    /// The hub has none.
    Missing,
    /// What came is something else.
    Bad(String),
    /// The hub does not answer.
    Away(String),
}

/// The fetching of one head's files.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) set: Set,
    hubs: usize,
    /// The hub that is asked first.
    first: usize,
    needs: Vec<Need>,
}

#[derive(Debug)]
struct Need {
    file: File,
    base: Option<File>,
    /// Two tries at each hub: the change, and the whole.
    tried: usize,
}

/// What becomes of a fetch that went wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nobody waits for this answer any more.
    Ignored,
    /// It is tried in another way.
    Again(Action),
    /// There is no other way.
    Over,
}

impl Fetch {
    /// What is to be fetched for a set, with these sets on disk.
    pub(super) fn plan(set: Set, have: &[Set], first: usize, hubs: usize) -> Self {
        let on_disk = |hash: Hash| have.iter().flat_map(|set| &set.head.files).any(|file| file.hash == hash);
        let mut needs: Vec<Need> = Vec::new();
        for file in &set.head.files {
            if on_disk(file.hash) || needs.iter().any(|need| need.file.hash == file.hash) {
                continue;
            }
            // The newest set is most like the one to come.
            let is_base = |old: &&File| old.path == file.path && [old.kind, file.kind] == [Kind::Records; 2];
            let newest = have.iter().max_by_key(|set| set.name.generation);
            let base = newest.and_then(|set| set.head.files.iter().find(is_base)).cloned();
            let tried = usize::from(base.is_none());
            needs.push(Need { file: file.clone(), base, tried });
        }
        Self { set, hubs, first, needs }
    }

    /// Every fetch that is under way.
    pub(super) fn asks(&self) -> Vec<Action> {
        self.needs.iter().filter_map(|need| self.ask(need)).collect()
    }

    /// Whether all is there.
    pub(super) fn is_done(&self) -> bool {
        self.needs.is_empty()
    }

    /// A file is there, whoever had it.
    pub(super) fn got(&mut self, hash: Hash) -> bool {
        let before = self.needs.len();
        self.needs.retain(|need| need.file.hash != hash);
        self.needs.len() < before
    }

    /// A fetch failed.
    pub(super) fn failed(&mut self, hub: usize, hash: Hash, delta: bool, away: bool) -> Next {
        let (first, hubs) = (self.first, self.hubs);
        let Some(need) = self.needs.iter_mut().find(|need| need.file.hash == hash) else {
            return Next::Ignored;
        };
        let is_change = need.tried.is_multiple_of(2);
        if hub_of(first, hubs, need.tried) != Some(hub) || is_change != delta {
            return Next::Ignored;
        }
        // A hub that does not answer is not asked for the whole either; a hub without the change is.
        need.tried += if is_change && !away || !is_change && need.base.is_some() { 1 } else { 2 };
        let need = self.needs.iter().find(|need| need.file.hash == hash);
        need.and_then(|need| self.ask(need)).map_or(Next::Over, Next::Again)
    }

    fn ask(&self, need: &Need) -> Option<Action> {
        let hub = hub_of(self.first, self.hubs, need.tried)?;
        let base = need.base.clone().filter(|_| need.tried.is_multiple_of(2));
        Some(Action::Fetch { hub, file: need.file.clone(), base })
    }
}

/// The hub of a try; none when all were asked.
fn hub_of(first: usize, hubs: usize, tried: usize) -> Option<usize> {
    let turn = tried / 2;
    if turn < hubs { Some((first + turn) % hubs) } else { None }
}
