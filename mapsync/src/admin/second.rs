//! What two admins must sign: the one signs it and hands it on as a file, the other looks at it, signs it as well and
//! brings it. That is a release to all hosts at once, past the steps of a rollout; and where the root asks for two
//! signatures, every release and every rollout.

use switchyard_mapsync_protocol::envelope::{Message as _, Signed};
use switchyard_mapsync_protocol::head::{Head, HeadRef};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::rollout::{Draft, Plan};

use super::{Admin, AdminError, Signing, for_us};

/// What somebody else has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// A release.
    Release {
        /// As it was signed.
        signed: Signed,
        /// What it says.
        release: Release,
    },
    /// All steps of a rollout.
    Rollout(Box<Draft>),
}

/// Why somebody else's release is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSecond {
    /// It is nobody's.
    #[error("none of the keys for releases that count here has signed it")]
    Unsigned,
    /// It is of another generation than the one that was named.
    #[error("it is of generation {0}")]
    Generation(u64),
    /// Somebody released meanwhile.
    #[error("it is release {sequence}, and the hub has {newest} already: it is to be begun anew")]
    Late {
        /// Its number.
        sequence: u64,
        /// The newest one.
        newest: u64,
    },
    /// It would be the same signature twice.
    #[error("the keys of this admin have signed it already: somebody else's is needed")]
    Same,
}

impl First {
    /// What it puts in use, and its lowest number.
    fn names(&self) -> (HeadRef, u64) {
        match self {
            Self::Release { release, .. } => (release.names(), release.sequence),
            Self::Rollout(draft) => (draft.plan().names(), draft.plan().first()),
        }
    }

    /// Its highest number.
    fn last(&self) -> u64 {
        match self {
            Self::Release { release, .. } => release.sequence,
            Self::Rollout(draft) => draft.plan().last(),
        }
    }

    fn sign(&mut self, keys: &[SecretKey]) {
        match self {
            Self::Release { signed, .. } => keys.iter().for_each(|key| signed.sign(key)),
            Self::Rollout(draft) => keys.iter().for_each(|key| draft.sign(key)),
        }
    }
}

impl Admin {
    /// What somebody else signed, for one who may sign it as well, and the generation that it names.
    ///
    /// # Errors
    /// When it is not for this environment, not of this generation, or too late.
    pub async fn look_at_first(
        &mut self,
        octets: &[u8],
        generation: u64,
    ) -> Result<(First, Head), AdminError> {
        let first = self.read_first(octets)?;
        let (names, sequence) = first.names();
        if names.generation != generation {
            return Err(NotSecond::Generation(names.generation).into());
        }
        let newest = self.highest();
        if sequence <= newest {
            return Err(NotSecond::Late { sequence, newest }.into());
        }
        let (at, head) = self.generation(generation).await?;
        if at == names { Ok((first, head)) } else { Err(AdminError::Other(generation)) }
    }

    fn read_first(&self, octets: &[u8]) -> Result<First, AdminError> {
        let root = self.trusted.root();
        if Plan::is_one(octets) {
            return Ok(First::Rollout(Box::new(Draft::from_json(octets, root)?)));
        }
        let signed = Signed::from_json(octets)?;
        signed.expect(Release::TYPE)?;
        if signed.signers(&root.roles.release.keys) == 0 {
            return Err(NotSecond::Unsigned.into());
        }
        let release: Release = signed.read()?;
        for_us(&self.trusted, &release.environment)?;
        Ok(First::Release { signed, release })
    }

    /// Signs what was looked at, and brings it if it has signatures enough.
    ///
    /// # Errors
    /// When these keys add nothing, or the hub does not take it.
    pub async fn sign_as_second(
        &mut self,
        mut first: First,
        keys: &[SecretKey],
    ) -> Result<Signing, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let before = self.signers(&first);
        first.sign(keys);
        if self.signers(&first) == before {
            return Err(NotSecond::Same.into());
        }
        self.memory.saw(None, first.last());
        self.memory.keep()?;
        match first {
            First::Rollout(draft) => self.bring_or_wait(*draft).await,
            First::Release { signed, release } => {
                let have = signed.signers(&self.trusted.root().roles.release.keys);
                let (sequence, envelope) = (release.sequence, signed.to_json()?);
                if have < self.signatures(false) {
                    return Ok(Signing::Waits { sequence, envelope });
                }
                self.bring_release(release, envelope).await
            }
        }
    }

    fn signers(&self, first: &First) -> usize {
        let root = self.trusted.root();
        match first {
            First::Release { signed, .. } => signed.signers(&root.roles.release.keys),
            First::Rollout(draft) => draft.signers(root),
        }
    }
}
