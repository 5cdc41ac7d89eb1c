//! What one host did, by its own words: with the new set, and with the one of before.

use super::uses;
use crate::head::HeadRef;
use crate::status::{Counters, Status};

/// Mail that was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) taken: u64,
    pub(super) rejected: u64,
    pub(super) deferred: u64,
    pub(super) bounced: u64,
}

/// One host.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) role: String,
    /// The last counters, and the number of the status that they came with.
    last: Option<(u64, Counters)>,
    /// It has the new set in use.
    pub(super) is_new: bool,
    /// A step waits for it: it was heard when the step began, or since, or its last word was that it has the new set.
    pub(super) is_asked: bool,
    /// Whether its last word was recent.
    pub(super) is_heard: bool,
    /// With the set of before.
    pub(super) old: Mail,
    /// With the new one.
    pub(super) new: Mail,
    /// In this step, with whichever it has.
    pub(super) here: u64,
    /// With the new set.
    pub(super) deaths: u64,
    /// By its last word, the new set was ready there.
    is_ready: bool,
    /// Since it is watched, while the new set waited there.
    pub(super) differing: u64,
}

impl Mail {
    pub(super) fn all(&self) -> u64 {
        [self.rejected, self.deferred, self.bounced].into_iter().fold(self.taken, u64::saturating_add)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            taken: self.taken.saturating_add(other.taken),
            rejected: self.rejected.saturating_add(other.rejected),
            deferred: self.deferred.saturating_add(other.deferred),
            bounced: self.bounced.saturating_add(other.bounced),
        }
    }
}

impl Watched {
    /// Takes a host's word; the same word again counts nothing.
    pub(super) fn hear(&mut self, status: &Status, target: HeadRef, is_heard: bool) {
        self.is_heard = is_heard;
        self.is_asked |= is_heard || uses(status, target);
        let counters = status.counters;
        let (nonce, before) = self.last.unwrap_or((0, counters));
        if self.last.is_some() && nonce == status.nonce {
            return;
        }
        self.last = Some((status.nonce, counters));
        status.role.clone_into(&mut self.role);
        let mail = Mail {
            taken: since(counters.taken, before.taken),
            rejected: since(counters.rejected, before.rejected),
            deferred: since(counters.deferred, before.deferred),
            bounced: since(counters.bounced, before.bounced),
        };
        // What was counted over the flip itself is nobody's: it belongs to neither set alone.
        let (was_new, is_new) = (self.is_new, uses(status, target));
        self.is_new = is_new;
        match (was_new, is_new) {
            (true, true) => self.new = self.new.and(mail),
            (false, false) => self.old = self.old.and(mail),
            _ => {}
        }
        self.here = self.here.saturating_add(mail.all());
        // Of another set that was there before, or came meanwhile, its own rollout hears.
        let is_ready = status.progress.staged == Some(target);
        if std::mem::replace(&mut self.is_ready, is_ready) && is_ready {
            self.differing = self.differing.saturating_add(since(counters.differing, before.differing));
        }
        if is_new || was_new {
            self.deaths = self.deaths.saturating_add(counters.deaths.saturating_sub(before.deaths));
        }
    }

    /// Another step begins.
    pub(super) fn new_stage(&mut self) {
        (self.is_asked, self.here) = (self.is_heard || self.is_new, 0);
    }
}

/// How much was added; a counter that fell began anew.
fn since(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}
