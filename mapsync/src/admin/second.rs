//! A release that goes past the steps of a rollout, to all hosts at once, is signed by two: the one signs it and hands it
//! on as a file, the other looks at it, signs it as well and brings it.

use switchyard_mapsync_protocol::envelope::{Message as _, Signed};
use switchyard_mapsync_protocol::head::{Head, HeadRef};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::Release;

use super::{Admin, AdminError, Reach, for_us, read_release, signed};
use crate::client::Newest;

/// What became of a release that two must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByTwo {
    /// The hub has it: this number.
    Brought(u64),
    /// It waits for somebody else's signature.
    Waits {
        /// Its number.
        sequence: u64,
        /// The envelope, for the other to sign.
        envelope: Vec<u8>,
    },
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

impl Admin {
    /// Signs a release for which one signature is not enough, whatever the root says; brings it if these keys are.
    ///
    /// # Errors
    /// When the hub does not take it.
    pub async fn put_in_use_by_two(
        &mut self,
        reach: Reach,
        head: HeadRef,
        keys: &[SecretKey],
    ) -> Result<ByTwo, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let release = self.next_release(reach, head);
        let signed = signed(&release, keys)?;
        // Its number is used, whether the other signs it or not.
        self.memory.saw(None, release.sequence);
        self.memory.keep()?;
        self.brought_or_waits(release, &signed).await
    }

    /// What somebody else signed, for one who may sign it as well: the release, and the generation that it names.
    ///
    /// # Errors
    /// When it is not for this environment, not of this generation, or too late.
    pub async fn look_at_first(
        &mut self,
        envelope: &[u8],
        generation: u64,
    ) -> Result<(Signed, Release, Head), AdminError> {
        let signed = Signed::from_json(envelope)?;
        signed.expect(Release::TYPE)?;
        if signed.signers(&self.trusted.root().roles.release.keys) == 0 {
            return Err(NotSecond::Unsigned.into());
        }
        let release: Release = signed.read()?;
        for_us(&self.trusted, &release.environment)?;
        if release.generation != generation {
            return Err(NotSecond::Generation(release.generation).into());
        }
        let (sequence, newest) = (release.sequence, self.highest());
        if sequence <= newest {
            return Err(NotSecond::Late { sequence, newest }.into());
        }
        let (at, head) = self.generation(generation).await?;
        if at == release.names() { Ok((signed, release, head)) } else { Err(AdminError::Other(generation)) }
    }

    /// Signs what was looked at, and brings it if it has signatures enough.
    ///
    /// # Errors
    /// When these keys add nothing, or the hub does not take it.
    pub async fn sign_as_second(
        &mut self,
        mut signed: Signed,
        release: Release,
        keys: &[SecretKey],
    ) -> Result<ByTwo, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let before = signed.signers(&self.trusted.root().roles.release.keys);
        keys.iter().for_each(|key| signed.sign(key));
        if signed.signers(&self.trusted.root().roles.release.keys) == before {
            return Err(NotSecond::Same.into());
        }
        self.memory.saw(None, release.sequence);
        self.memory.keep()?;
        self.brought_or_waits(release, &signed).await
    }

    async fn brought_or_waits(&mut self, release: Release, signed: &Signed) -> Result<ByTwo, AdminError> {
        let (sequence, envelope) = (release.sequence, signed.to_json()?);
        let role = &self.trusted.root().roles.release;
        if signed.signers(&role.keys) < role.threshold.max(TWO) {
            return Ok(ByTwo::Waits { sequence, envelope });
        }
        read_release(&self.trusted, &envelope)?;
        self.hub.push_message(Newest::Release, envelope).await?;
        self.release = Some(release);
        Ok(ByTwo::Brought(sequence))
    }
}

/// Signatures of different keys.
const TWO: usize = 2;
