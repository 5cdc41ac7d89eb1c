//! What a host remembers of what it took, and the one place that takes more.
//!
//! The checks come in the order of TUF's client workflow (TUF specification §5): form and type, the keys in time,
//! enough signatures, form of what is signed, for whom, not older, not another of the same age, not expired. Time
//! is that of the start of the update, handed in. State changes after the last check, and who calls writes it to
//! disk before it acts on it.

use serde::{Deserialize, Serialize};

use crate::envelope::{Malformed, Message, Signed};
use crate::hash::Hash;
use crate::head::Head;
use crate::release::Release;
use crate::root::{Role, Root};
use crate::words::{Environment, Timestamp};

/// The most heads that are remembered beside the one in use.
const HEADS: usize = 64;

/// Why a message is not taken; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no message of this kind.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Not enough different keys of the role have signed.
    #[error("signed by {have} keys of the role {role}, which needs {need}")]
    TooFewSignatures {
        /// The role.
        role: &'static str,
        /// How many of its keys have signed.
        have: usize,
        /// How many must.
        need: usize,
    },
    /// The keys, the head or the release has expired: a hub that shows the old forever is found out by this.
    #[error("the {what} expired at {at}, and this update began at {start}")]
    Expired {
        /// What has expired.
        what: &'static str,
        /// When.
        at: Timestamp,
        /// When the update began.
        start: Timestamp,
    },
    /// Signed for others.
    #[error("signed for the environment {have}, and this is {want}")]
    WrongEnvironment {
        /// Ours.
        want: Environment,
        /// The message's.
        have: Environment,
    },
    /// Older than what was taken before.
    #[error("roll-back: {what} {have} is older than {trusted}, which was taken before")]
    Rollback {
        /// What is counted.
        what: &'static str,
        /// The message's number.
        have: u64,
        /// Ours.
        trusted: u64,
    },
    /// Two different messages with one number, or a head that does not follow ours.
    #[error("fork: {what} {number} is not the one that was taken, or does not follow it")]
    Fork {
        /// What is counted.
        what: &'static str,
        /// The message's number.
        number: u64,
    },
    /// A root that is not the very next one.
    #[error("root {have} offered, and only root {next} can follow")]
    RootStep {
        /// The message's version.
        have: u64,
        /// The one that can be taken.
        next: u64,
    },
    /// A release of a head that this host has not taken.
    #[error("generation {0} is released, and its head has not been taken here")]
    UnknownHead(u64),
    /// Kept state that cannot be.
    #[error("the kept state contradicts itself: {0}")]
    State(&'static str),
}

/// What taking a message did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken<M> {
    /// It is new, and remembered.
    New(M),
    /// It is the one that is remembered already.
    Known(M),
}

/// A head that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRef {
    /// Its generation.
    pub generation: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A release that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseRef {
    sequence: u64,
    hash: Hash,
}

/// What a host trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    root: Root,
    /// By generation, rising: the released one and those after it.
    heads: Vec<HeadRef>,
    #[serde(deserialize_with = "Option::deserialize")]
    released: Option<HeadRef>,
    #[serde(deserialize_with = "Option::deserialize")]
    release: Option<ReleaseRef>,
}

impl Trusted {
    /// Begins with the root that came with the host; it must have signed itself.
    pub fn begin(root: &[u8], environment: &Environment) -> Result<Self, Refused> {
        let signed = Signed::from_json(root)?;
        // The one message whose keys stand in itself: it is trusted because a person put it here.
        let root: Root = signed.read()?;
        counted("root", &root.roles.root, &signed)?;
        meant_for(environment, &root.environment)?;
        Ok(Self { root, heads: Vec::new(), released: None, release: None })
    }

    /// Reads what [`Self::to_json`] wrote. The file is the host's own; it must still not contradict itself.
    pub fn from_json(octets: &[u8]) -> Result<Self, Refused> {
        if octets.len() > crate::envelope::LONGEST {
            return Err(Malformed::TooLong(octets.len()).into());
        }
        let state: Self = serde_json::from_slice(octets).map_err(Malformed::from)?;
        state.root.check().map_err(Malformed::Rule)?;
        let rises = |pair: &[HeadRef]| matches!(pair, [a, b] if a.generation < b.generation);
        if state.heads.len() > HEADS || !state.heads.windows(2).all(rises) {
            return Err(Refused::State("heads out of order, or too many"));
        }
        let first = state.heads.first().map(|head| head.generation);
        if first < state.released.map(|head| head.generation) && first.is_some() {
            return Err(Refused::State("a head older than the one in use"));
        }
        Ok(state)
    }

    /// The state as it is kept.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The root in force.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The newest head that was taken: the one to have ready.
    pub fn newest(&self) -> Option<HeadRef> {
        self.heads.last().copied().or(self.released)
    }

    /// The head that was released last: nothing older is ever put in use.
    pub fn released(&self) -> Option<HeadRef> {
        self.released
    }

    /// Takes the next root: the keys of this one and its own must both have signed it.
    ///
    /// An expired root may be followed, so that a host that was away catches up step by step; heads and
    /// releases are taken only by one in time.
    pub fn accept_root(&mut self, octets: &[u8]) -> Result<Taken<()>, Refused> {
        let signed = Signed::from_json(octets)?;
        signed.expect(Root::TYPE)?;
        counted("root", &self.root.roles.root, &signed)?;
        let next: Root = signed.read()?;
        meant_for(&self.root.environment, &next.environment)?;
        if next == self.root {
            return Ok(Taken::Known(()));
        }
        if Some(next.version) != self.root.version.checked_add(1) {
            let expected = self.root.version.saturating_add(1);
            return Err(Refused::RootStep { have: next.version, next: expected });
        }
        counted("root", &next.roles.root, &signed)?;
        // Whoever had the old keys may have signed the largest numbers there are. Once none of those keys counts,
        // nothing old can come back, and the numbers may begin anew.
        if next.roles.push.replaces(&self.root.roles.push) {
            self.heads.clear();
            self.released = None;
        }
        if next.roles.release.replaces(&self.root.roles.release) {
            self.release = None;
        }
        self.root = next;
        Ok(Taken::New(()))
    }

    /// Takes a head.
    pub fn accept_head(&mut self, octets: &[u8], start: Timestamp) -> Result<Taken<Head>, Refused> {
        let signed = Signed::from_json(octets)?;
        signed.expect(Head::TYPE)?;
        in_time("root", self.root.expires, start)?;
        counted("push", &self.root.roles.push, &signed)?;
        let head: Head = signed.read()?;
        meant_for(&self.root.environment, &head.environment)?;
        let offered = HeadRef { generation: head.generation, hash: signed.hash() };
        let fork = Refused::Fork { what: "generation", number: head.generation };
        let known = self.newest() == Some(offered);
        if let Some(HeadRef { generation: trusted, hash }) = self.newest() {
            if head.generation < trusted {
                return Err(Refused::Rollback { what: "generation", have: head.generation, trusted });
            }
            let follows = head.generation - trusted != 1 || head.previous == Some(hash);
            if !(known || head.generation > trusted && follows) {
                return Err(fork);
            }
        }
        in_time("head", head.expires, start)?;
        if known {
            return Ok(Taken::Known(head));
        }
        if self.heads.len() >= HEADS {
            self.heads.remove(0);
        }
        self.heads.push(offered);
        Ok(Taken::New(head))
    }

    /// Takes a release; [`Release::moves`] then says whether this host is meant.
    pub fn accept_release(&mut self, octets: &[u8], start: Timestamp) -> Result<Taken<Release>, Refused> {
        let signed = Signed::from_json(octets)?;
        signed.expect(Release::TYPE)?;
        in_time("root", self.root.expires, start)?;
        counted("release", &self.root.roles.release, &signed)?;
        let release: Release = signed.read()?;
        meant_for(&self.root.environment, &release.environment)?;
        let offered = ReleaseRef { sequence: release.sequence, hash: signed.hash() };
        let known = self.release == Some(offered);
        if let Some(ReleaseRef { sequence: trusted, .. }) = self.release {
            if release.sequence < trusted {
                return Err(Refused::Rollback { what: "release", have: release.sequence, trusted });
            }
            if release.sequence == trusted && !known {
                return Err(Refused::Fork { what: "release", number: trusted });
            }
        }
        let chosen = HeadRef { generation: release.generation, hash: release.head };
        if let Some(HeadRef { generation: trusted, .. }) = self.released
            && chosen.generation < trusted
        {
            return Err(Refused::Rollback { what: "generation", have: chosen.generation, trusted });
        }
        let mut taken = self.heads.iter().chain(&self.released);
        match taken.find(|head| head.generation == chosen.generation) {
            None => return Err(Refused::UnknownHead(chosen.generation)),
            Some(head) if *head != chosen => {
                return Err(Refused::Fork { what: "generation", number: chosen.generation });
            }
            Some(_) => {}
        }
        in_time("release", release.expires, start)?;
        if known {
            return Ok(Taken::Known(release));
        }
        self.heads.retain(|head| head.generation >= chosen.generation);
        self.released = Some(chosen);
        self.release = Some(offered);
        Ok(Taken::New(release))
    }
}

fn counted(role: &'static str, keys: &Role, signed: &Signed) -> Result<(), Refused> {
    keys.signed(signed).map_err(|have| Refused::TooFewSignatures { role, have, need: keys.threshold })
}

fn meant_for(want: &Environment, have: &Environment) -> Result<(), Refused> {
    if want == have {
        return Ok(());
    }
    Err(Refused::WrongEnvironment { want: want.clone(), have: have.clone() })
}

fn in_time(what: &'static str, at: Timestamp, start: Timestamp) -> Result<(), Refused> {
    if start < at { Ok(()) } else { Err(Refused::Expired { what, at, start }) }
}

#[cfg(test)]
mod tests;
