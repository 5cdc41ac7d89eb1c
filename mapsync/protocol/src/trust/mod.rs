//! What a host remembers of what it took, and the one place that takes more.
//!
//! The checks come in the order of TUF's client workflow (TUF specification §5): form and type, the keys in time,
//! enough signatures, form of what is signed, for whom, not older, not another of the same age, not expired. Time
//! is that of the start of the update, handed in. State changes after the last check, and who calls writes it to
//! disk before it acts on it.
//!
//! A host that was away does not see every head. If a release then names one between the head in use and the newest, the
//! host asks for that head and takes both together ([`Trusted::accept_release_with`]).

use serde::{Deserialize, Serialize};

use crate::envelope::{Malformed, Message, Signed, Type};
use crate::hash::Hash;
use crate::head::Head;
pub use crate::head::HeadRef;
use crate::root::{Role, Root};
use crate::words::{Environment, Timestamp};

mod refused;
mod release;

pub use self::refused::Refused;

/// The most heads that are remembered beside the one in use.
const HEADS: usize = 64;

/// By how many seconds an admin's clock may be ahead of a host's.
pub const SKEW: u64 = 300;

/// What taking a message did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken<M> {
    /// It is new, and remembered.
    New(M),
    /// It is the one that is remembered already.
    Known(M),
}

/// A head that was taken, with the one that it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    head: HeadRef,
    #[serde(deserialize_with = "Option::deserialize")]
    previous: Option<Hash>,
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
    heads: Vec<Link>,
    /// A generation of which two heads were signed, and neither is taken; 0 if there is none.
    forked: u64,
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
        Ok(Self { root, heads: Vec::new(), forked: 0, released: None, release: None })
    }

    /// Reads what [`Self::to_json`] wrote. The file is the host's own; it must still not contradict itself.
    pub fn from_json(octets: &[u8]) -> Result<Self, Refused> {
        if octets.len() > crate::envelope::LONGEST {
            return Err(Malformed::TooLong(octets.len()).into());
        }
        let state: Self = serde_json::from_slice(octets).map_err(Malformed::from)?;
        state.check()?;
        Ok(state)
    }

    pub(crate) fn check(&self) -> Result<(), Refused> {
        self.root.check().map_err(Malformed::Rule)?;
        let rises = |pair: &[Link]| matches!(pair, [a, b] if a.head.generation < b.head.generation);
        if self.heads.len() > HEADS || !self.heads.windows(2).all(rises) {
            return Err(Refused::State("heads out of order, or too many"));
        }
        let first = self.heads.first().map(|link| link.head.generation);
        if first < self.released.map(|head| head.generation) && first.is_some() {
            return Err(Refused::State("a head older than the one in use"));
        }
        Ok(())
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
        self.heads.last().map(|link| link.head).or(self.released)
    }

    /// The head that was released last: nothing older is ever put in use.
    pub fn released(&self) -> Option<HeadRef> {
        self.released
    }

    /// The sequence of the last release; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.release.map_or(0, |release| release.sequence)
    }

    /// A head that was taken before and kept somewhere: its name again, and what it says.
    pub fn reread(&self, octets: &[u8]) -> Result<(HeadRef, Head), Refused> {
        let signed = Signed::from_json(octets)?;
        signed.expect(Head::TYPE)?;
        let hash = signed.hash();
        let mut known = self.heads.iter().map(|link| link.head).chain(self.released);
        // Its signatures were counted then, and these are the very octets.
        let head = known.find(|head| head.hash == hash).ok_or(Refused::State("a head that was not taken"))?;
        Ok((head, signed.read()?))
    }

    /// Takes the next root: the keys of this one and its own must both have signed it.
    ///
    /// An expired root may be followed, so that a host that was away catches up step by step; heads and
    /// releases are taken only by one in time.
    pub fn accept_root(&mut self, octets: &[u8]) -> Result<Taken<()>, Refused> {
        let (next, signed): (Root, _) = self.open(octets)?;
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
            self.forked = 0;
        }
        if next.roles.release.replaces(&self.root.roles.release) {
            self.release = None;
        }
        self.root = next;
        Ok(Taken::New(()))
    }

    /// Takes a head that is newer than all before.
    pub fn accept_head(&mut self, octets: &[u8], start: Timestamp) -> Result<Taken<Head>, Refused> {
        in_time("root", self.root.expires, start)?;
        let (head, signed): (Head, _) = self.open(octets)?;
        let offered = HeadRef { generation: head.generation, hash: signed.hash() };
        let known = self.newest() == Some(offered);
        if let Some(HeadRef { generation: trusted, .. }) = self.newest()
            && head.generation < trusted
        {
            return Err(Refused::Rollback { what: "generation", have: head.generation, trusted });
        }
        self.follows(offered, head.previous)?;
        fresh(&head, start)?;
        if known {
            return Ok(Taken::Known(head));
        }
        if self.heads.len() >= HEADS {
            self.heads.remove(0);
        }
        self.heads.push(Link { head: offered, previous: head.previous });
        Ok(Taken::New(head))
    }

    /// Forgets the head of a generation of which another one was signed as well, and takes neither from now on. The
    /// generation that is released already stays.
    pub fn distrust(&mut self, generation: u64) {
        if self.released.is_none_or(|head| head.generation < generation) {
            self.heads.retain(|link| link.head.generation != generation);
            self.forked = self.forked.max(generation);
        }
    }

    /// Whether a head agrees with its neighbours, and no other of its generation was taken or is in doubt.
    fn follows(&self, offered: HeadRef, previous: Option<Hash>) -> Result<(), Refused> {
        let HeadRef { generation, hash } = offered;
        let known = |link: &Link| match link.head {
            head if head.generation == generation => head.hash == hash,
            head if head.generation.checked_add(1) == Some(generation) => previous == Some(head.hash),
            head if generation.checked_add(1) == Some(head.generation) => link.previous == Some(hash),
            _ => true,
        };
        // Of the released one only the name may be left; its place before or at the offered one is what counts.
        let released = self.released.map(|head| Link { head, previous: None });
        let agrees = self.heads.iter().all(known) && released.iter().all(known);
        if agrees && self.forked != generation {
            return Ok(());
        }
        Err(Refused::Fork { what: "generation", number: generation })
    }

    /// Type, signatures, form, and for whom: what is the same for every message but the first root.
    fn open<M: Message>(&self, octets: &[u8]) -> Result<(M, Signed), Refused> {
        let roles = &self.root.roles;
        let (role, keys) = match M::TYPE {
            Type::Root => ("root", &roles.root),
            Type::Head => ("push", &roles.push),
            Type::Release => ("release", &roles.release),
        };
        let signed = Signed::from_json(octets)?;
        signed.expect(M::TYPE)?;
        counted(role, keys, &signed)?;
        let message: M = signed.read()?;
        meant_for(&self.root.environment, message.environment())?;
        Ok((message, signed))
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

/// Made by now and not expired. One from the future would stay newest for longer than anybody meant.
fn fresh(head: &Head, start: Timestamp) -> Result<(), Refused> {
    if head.created.0 > start.0.saturating_add(SKEW) {
        return Err(Refused::Future { at: head.created, start });
    }
    in_time("head", head.expires, start)
}

fn in_time(what: &'static str, at: Timestamp, start: Timestamp) -> Result<(), Refused> {
    if start < at { Ok(()) } else { Err(Refused::Expired { what, at, start }) }
}

#[cfg(test)]
pub(crate) mod tests;
