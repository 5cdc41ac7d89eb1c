//! Making a set ready: which one, what is missing, and how it went.

use super::fetch::{Fetch, Next};
use super::{Action, Agent, Outcome, Set, Unfit, Work};
use crate::hash::Hash;
use crate::head::HeadRef;
use crate::release::Release;

impl Agent {
    /// Begins to make ready what is wanted, or leaves what is wanted no more.
    pub(super) fn prepare(&mut self, actions: &mut Vec<Action>) {
        let target = self.target();
        match (&self.work, target) {
            (Work::Staging(_), _) => return,
            (Work::Fetching(fetch), Some(target)) if fetch.set.name == target => return,
            _ => self.work = Work::Idle,
        }
        let Some(name) = target.filter(|name| Some(*name) != self.resting) else { return };
        let Some(head) = self.known.get(&name).cloned() else { return };
        if self.planned != Some(name) {
            // What was fetched for another and never became a set is of no use, but for what both have.
            self.planned = Some(name);
            actions.push(Action::Tidy(head.files.iter().map(|file| file.hash).collect()));
        }
        let fetch = Fetch::plan(Set { name, head }, &self.sets, self.first, self.hubs.len());
        let asks = fetch.asks();
        let is_done = fetch.is_done();
        self.work = Work::Fetching(fetch);
        actions.extend(asks);
        if is_done {
            self.stage(actions);
        }
    }

    /// The head to make ready next: the one that is released, then the newest.
    pub(super) fn target(&self) -> Option<HeadRef> {
        let released = self.release.as_ref().filter(|release| !release.halted).map(Release::names);
        let newer = |head: &HeadRef| {
            self.active.is_none_or(|active| head.generation > active.generation || self.kept.anew)
        };
        let trusted = &self.kept.trusted;
        let released = released.filter(|head| trusted.released() == Some(*head)).filter(newer);
        let wanted = |head: &HeadRef| {
            !self.has(*head) && self.kept.refusal(*head).is_none() && self.known.contains_key(head)
        };
        [released, trusted.newest()].into_iter().flatten().find(wanted)
    }

    pub(super) fn fetched(
        &mut self,
        hub: usize,
        (hash, delta): (Hash, bool),
        outcome: Outcome,
        actions: &mut Vec<Action>,
    ) -> Option<(HeadRef, String)> {
        let Work::Fetching(fetch) = &mut self.work else { return None };
        let (why, away) = match outcome {
            Outcome::Got => {
                if fetch.got(hash) && fetch.is_done() {
                    self.stage(actions);
                }
                return None;
            }
            Outcome::Missing => ("it has none".to_owned(), false),
            Outcome::Bad(why) => (why, false),
            Outcome::Away(why) => (why, true),
        };
        match fetch.failed(hub, hash, delta, away) {
            Next::Ignored => None,
            Next::Again(action) => {
                actions.push(action);
                None
            }
            Next::Over => {
                let name = fetch.set.name;
                self.work = Work::Idle;
                Some((name, format!("no hub gives {hash}; the last was hub {hub}: {why}")))
            }
        }
    }

    pub(super) fn stage(&mut self, actions: &mut Vec<Action>) {
        if let Work::Fetching(fetch) = std::mem::replace(&mut self.work, Work::Idle) {
            actions.push(Action::Stage(Box::new(fetch.set.clone())));
            self.work = Work::Staging(fetch.set);
        }
    }

    pub(super) fn staged(&mut self, outcome: Result<(), Unfit>) -> Option<(HeadRef, String)> {
        let set = match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Staging(set) => set,
            other => {
                self.work = other;
                return None;
            }
        };
        match outcome {
            Ok(()) => {
                self.went_well();
                self.sets.push(set);
                None
            }
            Err(Unfit::Wrong(why)) => {
                self.kept.refuse(set.name, &why, false);
                None
            }
            Err(Unfit::Later(why)) => Some((set.name, why)),
        }
    }
}
