//! The aliases of a set that is an earlier one, proved, with few changes: only what changed is followed.
//!
//! Why that is enough. Only tables of whole keys are compared, only keys that are whole addresses changed, and no
//! address that can be come to has an extension: so the answers that changed are those for the changed keys, and
//! for no other address. A way that goes round, or on for too long, and was not there before, passes one of them;
//! from the first one that it passes it is followed here, and up to there it is a way of the earlier set. So it
//! has at most the steps of the longest way of that one and those from here on together. Where more than that has to
//! be known, and where anything is wrong or surprising, all aliases are followed.

use std::ops::ControlFlow;

use super::{MapSet, Proof, identity};
use crate::alias::MAX_DEPTH;
use crate::artifact::Layered;
use crate::artifact::exact::diff::Difference;
use crate::artifact::exact::layered::differences;
use crate::chain::Chain;
use crate::loops::Loops;
use crate::options::MapOptions;

/// What was proved of the aliases of an earlier set.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) proof: Proof,
    /// In the order they are asked.
    pub(crate) tables: Vec<EarlierTable>,
}

/// One of its tables.
#[derive(Debug)]
pub(crate) struct EarlierTable {
    /// As the settings name it.
    pub(crate) spec: String,
    /// As [`identity`] says; empty without an artifact.
    pub(crate) identity: String,
    /// To be compared, if it is one of whole keys and known to be as it was.
    pub(crate) exact: Option<Layered>,
}

impl MapSet {
    /// Follows only what changed; nothing when all has to be followed.
    pub(super) fn follow_changed(
        &self,
        chain: &Chain,
        options: &MapOptions,
        earlier: &Earlier,
    ) -> Option<Proof> {
        let Earlier { proof, tables } = earlier;
        let known = tables.iter().map(|table| (&*table.spec, table.identity.clone()));
        let is_known = proof.of == self.followed_of(known, options) && proof.deepest <= MAX_DEPTH;
        if !is_known || tables.len() != chain.members.len() {
            return None;
        }
        let mut left = (chain.len() / 10).max(FEW);
        let mut loops = Loops::new(|mailbox: &_| self.targets(chain, mailbox));
        let mut deepest = proof.deepest;
        let mut follow = |difference: Difference<'_>| {
            left = left.checked_sub(1)?;
            let (key, was_there, value) = match difference {
                Difference::Added(new) => (new.key, false, Some(new.value)),
                Difference::Removed(old) => (old.key, true, None),
                Difference::Changed(_, new) => (new.key, true, Some(new.value)),
            };
            let (local, host) = key.rsplit_once('@').filter(|(local, _)| !local.is_empty())?;
            let is_plain = |text| self.rules.never_parts(text);
            if !(is_plain(key) && value.is_none_or(is_plain)) {
                return None;
            }
            let steps = match value {
                Some(value) if !self.leads_on(chain, value) => 1,
                // A table before this one may answer, or one behind it, or an entry for the whole domain.
                _ => loops.follow_at(local, host)?.ok()?,
            };
            // What led to a key that was there had one step of its own after that.
            let before = proof.deepest.saturating_sub(usize::from(was_there));
            deepest = deepest.max(before + steps);
            Some(())
        };
        for (old, member) in tables.iter().zip(&chain.members) {
            if old.spec != *member.spec {
                return None;
            }
            let new = member.table.exact()?;
            if old.identity == identity(&member.table) {
                continue;
            }
            // Where an address has an extension, the changed keys are not all whose answers changed.
            let old = old.exact.as_ref().filter(|old| proof.plain && are_compared_soon(old, new))?;
            let walk = differences(old, new, |difference| match follow(difference) {
                Some(()) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            });
            if walk.ok()?.is_break() {
                return None;
            }
        }
        let proof = Proof { of: self.followed(chain, options), deepest, plain: proof.plain };
        (deepest <= MAX_DEPTH).then_some(proof)
    }
}

/// Two of one file, or of a file each, are walked through; else each key of one is asked of the other, which takes longer
/// than to follow all.
fn are_compared_soon(old: &Layered, new: &Layered) -> bool {
    let file = |table: &Layered| table.base().container().identity();
    let is_one = |table: &Layered| table.containers().count() == 1;
    file(old) == file(new) || (is_one(old) && is_one(new))
}

/// Of few aliases so many may have changed, of many the tenth part.
const FEW: usize = 1_000;
