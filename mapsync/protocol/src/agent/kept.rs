//! What a host keeps on disk beside its sets: what it trusts, how it came to the set in use, what it refused.

use serde::{Deserialize, Serialize};

use crate::envelope::{LONGEST, Malformed};
use crate::head::HeadRef;
use crate::status::reason;
use crate::trust::{Refused, Trusted};
use crate::words::Timestamp;

/// The most refused heads that are remembered; the newest ones.
const REFUSALS: usize = 16;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub(super) trusted: Trusted,
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) flip: Option<Flip>,
    refusals: Vec<Refusal>,
    /// The keys were replaced, so the numbers began anew: what is in use is older than any number says.
    pub(super) anew: bool,
}

/// The last flip. It says how the host came to the set in use only if that is `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flip {
    /// The way back; a flip back has none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) from: Option<HeadRef>,
    pub(super) to: HeadRef,
    pub(super) at: Timestamp,
}

/// A head that is not put in use here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    head: HeadRef,
    pub(super) reason: String,
    /// It was in use.
    pub(super) returned: bool,
}

impl Kept {
    /// A new host, which trusts the root that a person put there.
    pub fn new(trusted: Trusted) -> Self {
        Self { trusted, flip: None, refusals: Vec::new(), anew: false }
    }

    /// Reads what [`super::Action::Keep`] had written.
    pub fn from_json(octets: &[u8]) -> Result<Self, Refused> {
        if octets.len() > LONGEST {
            return Err(Malformed::TooLong(octets.len()).into());
        }
        let kept: Self = serde_json::from_slice(octets).map_err(Malformed::from)?;
        kept.trusted.check()?;
        if kept.refusals.len() > REFUSALS {
            return Err(Refused::State("too many refused heads"));
        }
        Ok(kept)
    }

    /// What is written to disk: before the first start by hand, later as [`super::Action::Keep`] says.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        Ok(serde_json::to_vec(self)?)
    }

    pub(super) fn refuse(&mut self, head: HeadRef, why: &str, returned: bool) {
        self.refusals.retain(|refusal| refusal.head != head);
        if self.refusals.len() >= REFUSALS {
            self.refusals.remove(0);
        }
        self.refusals.push(Refusal { head, reason: reason(why), returned });
    }

    pub(super) fn refusal(&self, head: HeadRef) -> Option<&Refusal> {
        self.refusals.iter().find(|refusal| refusal.head == head)
    }
}
