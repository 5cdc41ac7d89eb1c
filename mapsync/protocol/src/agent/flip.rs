//! Putting a set in use, and going back.

use super::kept::Flip;
use super::{Action, Agent, Work};
use crate::head::HeadRef;
use crate::release::Release;
use crate::words::Timestamp;

/// So many deaths of daemons soon after a flip make a host go back.
const DEATHS: u32 = 2;

/// How soon after a flip a death is blamed on it, in seconds.
const SOON: u64 = 60;

impl Agent {
    /// Begins the flip that is due.
    pub(super) fn flip(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.flipping.is_some() {
            return;
        }
        let undone = self.release.as_ref().filter(|release| release.undo && now < release.expires);
        if let Some(head) = undone.map(Release::names).filter(|head| Some(*head) == self.active)
            && self.previous().is_some()
        {
            self.kept.refuse(head, "its release was undone", true);
        }
        let back =
            self.previous().filter(|_| self.active.is_some_and(|head| self.kept.refusal(head).is_some()));
        let Some(to) = back.or_else(|| self.forward(now)).filter(|to| Some(*to) != self.resting) else {
            return;
        };
        // The way back is kept before the link moves. Going back keeps nothing: until the link has moved the way must be
        // known, and after that the last flip is no more the one to what is in use.
        if back.is_none() {
            self.kept.flip = Some(Flip { from: self.active, to, at: now });
        }
        self.flipping = Some(to);
        actions.push(Action::Flip { to, back: back.is_some() });
    }

    /// The newer set that a release in time puts in use here.
    pub(super) fn forward(&self, now: Timestamp) -> Option<HeadRef> {
        let release = self.release.as_ref()?;
        let to = release.names();
        let in_time = now < release.expires && now < self.kept.trusted.root().expires;
        let is_due = in_time && release.moves(&self.host) && self.kept.trusted.released() == Some(to);
        let is_newer = self.active.is_none_or(|active| to.generation > active.generation || self.kept.anew);
        let is_other = self.active != Some(to);
        let is_fit = self.has(to) && self.kept.refusal(to).is_none();
        (is_due && is_newer && is_other && is_fit).then_some(to)
    }

    pub(super) fn flipped(&mut self, outcome: Result<(), String>) -> Option<(HeadRef, String)> {
        let to = self.flipping.take()?;
        if let Err(why) = outcome {
            return Some((to, why));
        }
        self.went_well();
        self.active = Some(to);
        self.deaths = 0;
        self.kept.anew = false;
        None
    }

    /// Counts the death of a daemon, if it is soon after the flip to what is in use.
    pub(super) fn died(&mut self, now: Timestamp) {
        let Some(flip) = self.kept.flip.filter(|flip| Some(flip.to) == self.active) else { return };
        if flip.at.0.abs_diff(now.0) <= SOON {
            self.deaths = self.deaths.saturating_add(1);
        }
        if self.deaths >= DEATHS && self.previous().is_some() {
            let why = format!("daemons died {} times within {SOON} s of it", self.deaths);
            self.kept.refuse(flip.to, &why, true);
        }
    }

    /// Lets go of sets, however they came: a host that never flips must not fill its disk either.
    ///
    /// Not in the middle of anything: a set that is being made takes files from any of them.
    pub(super) fn prune(&mut self, actions: &mut Vec<Action>) {
        if self.flipping.is_some() || !matches!(self.work, Work::Idle) {
            return;
        }
        while let Some(old) = self.superfluous() {
            self.sets.retain(|set| set.name != old);
            actions.push(Action::Remove(old));
        }
    }

    /// The oldest set that nothing needs, if there are too many.
    fn superfluous(&self) -> Option<HeadRef> {
        let trusted = &self.kept.trusted;
        let needed = [self.active, self.previous(), trusted.newest(), trusted.released()];
        let mut old = self.sets.iter().map(|set| set.name).filter(|name| !needed.contains(&Some(*name)));
        let oldest = old.by_ref().min_by_key(|name| name.generation);
        oldest.filter(|_| self.sets.len() > self.most)
    }
}
