//! A plan that one admin has begun and another one is to sign as well, where the root asks for more than one signature.
//!
//! It is looked at as a plan is, but for the number of its signatures; no hub takes it before all of them are there.

use super::{BadPlan, Plan, Wire};
use crate::envelope::{Malformed, Signed};
use crate::keys::SecretKey;
use crate::root::Root;

/// What is to become a [`Plan`]: at least one key for releases has signed all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(Plan);

impl Draft {
    /// Puts together what [`draw`](super::draw) gave and an admin signed, in the same order.
    ///
    /// # Errors
    /// When no key has signed it, or the releases make no rollout.
    pub fn new(releases: Vec<Signed>, express: bool, root: &Root) -> Result<Self, BadPlan> {
        Ok(Self(Plan::read(Wire::of(releases)?, root, ONE)?.with_express(express)))
    }

    /// Reads what somebody else has begun.
    ///
    /// # Errors
    /// When it is not in its form, nobody whose key counts has signed it, or it makes no rollout.
    pub fn from_json(octets: &[u8], root: &Root) -> Result<Self, BadPlan> {
        Plan::read(Wire::from_json(octets)?, root, ONE).map(Self)
    }

    /// The draft as it travels from admin to admin.
    ///
    /// # Errors
    /// Never, for one that was read.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        self.0.to_json()
    }

    /// What it would do.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0
    }

    /// Adds a signature to each release of it.
    pub fn sign(&mut self, key: &SecretKey) {
        let Plan { steps, halt, undo, .. } = &mut self.0;
        steps.iter_mut().chain([halt, undo]).for_each(|part| part.signed.sign(key));
    }

    /// How many keys for releases have signed all of it.
    #[must_use]
    pub fn signers(&self, root: &Root) -> usize {
        let Plan { steps, halt, undo, .. } = &self.0;
        let signers = |part: &super::Part| part.signed.signers(&root.roles.release.keys);
        steps.iter().chain([halt, undo]).map(signers).min().unwrap_or_default()
    }

    /// The plan, as hubs take it.
    ///
    /// # Errors
    /// When there are too few signatures still.
    pub fn into_plan(self, root: &Root) -> Result<Plan, BadPlan> {
        Plan::from_json(&self.to_json()?, root)
    }
}

/// Whoever it is of is to be known.
const ONE: usize = 1;
