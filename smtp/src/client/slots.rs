//! The recipients of one transaction: who is asked for, who is welcome, and what became of each.

use super::outcome::{Loss, RecipientOutcome};
use crate::reply::Reply;
use crate::wire::command::Verb;

/// One slot for each recipient, in the order they were given.
#[derive(Debug)]
pub(super) struct Slots(Vec<Slot>);

#[derive(Debug)]
enum Slot {
    /// No answer to RCPT yet.
    Open,
    /// The peer would take mail for it.
    Willing,
    Decided(RecipientOutcome),
}

impl Slots {
    pub(super) fn new(recipients: usize) -> Self {
        Self((0..recipients).map(|_| Slot::Open).collect())
    }

    pub(super) fn any_open(&self) -> bool {
        self.0.iter().any(|slot| matches!(slot, Slot::Open))
    }

    pub(super) fn any_willing(&self) -> bool {
        self.0.iter().any(|slot| matches!(slot, Slot::Willing))
    }

    pub(super) fn all_willing(&self) -> bool {
        self.0.iter().all(|slot| matches!(slot, Slot::Willing))
    }

    /// The recipients that the peer would take mail for.
    pub(super) fn willing(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, slot)| matches!(slot, Slot::Willing)).map(|(index, _)| index)
    }

    /// RCPT was accepted.
    pub(super) fn set_willing(&mut self, recipient: Option<usize>) {
        if let Some(slot @ Slot::Open) = recipient.and_then(|index| self.0.get_mut(index)) {
            *slot = Slot::Willing;
        }
    }

    /// The content was taken, for one recipient or for all that the peer was willing to take it for.
    pub(super) fn accept(&mut self, recipient: Option<usize>, reply: &Reply) {
        for (index, slot) in self.0.iter_mut().enumerate() {
            if matches!(slot, Slot::Willing) && recipient.is_none_or(|meant| meant == index) {
                *slot = Slot::Decided(RecipientOutcome::Accepted(reply.clone()));
            }
        }
    }

    /// Decides on one recipient, or on all, that are not decided yet.
    pub(super) fn decide(&mut self, recipient: Option<usize>, outcome: impl Fn() -> RecipientOutcome) {
        for (index, slot) in self.0.iter_mut().enumerate() {
            if !matches!(slot, Slot::Decided(_)) && recipient.is_none_or(|meant| meant == index) {
                *slot = Slot::Decided(outcome());
            }
        }
    }

    /// The connection is lost: whoever is not decided is lost with it. A peer that is out of step may have meant
    /// anything by what it said, so then everybody is.
    pub(super) fn lose(&mut self, stage: Verb, why: &Loss, after_final_dot: bool) {
        for slot in &mut self.0 {
            let stands = match slot {
                Slot::Open | Slot::Willing => false,
                Slot::Decided(RecipientOutcome::Local(_)) => true,
                Slot::Decided(_) => *why != Loss::OutOfStep,
            };
            if !stands {
                *slot = Slot::Decided(RecipientOutcome::Lost { stage, why: why.clone(), after_final_dot });
            }
        }
    }

    /// Who is not decided by now never will be.
    pub(super) fn into_outcomes(mut self, stage: Verb) -> Vec<RecipientOutcome> {
        self.decide(None, || RecipientOutcome::Lost { stage, why: Loss::OutOfStep, after_final_dot: false });
        let decided = self.0.into_iter().filter_map(|slot| match slot {
            Slot::Decided(outcome) => Some(outcome),
            Slot::Open | Slot::Willing => None,
        });
        decided.collect()
    }
}
