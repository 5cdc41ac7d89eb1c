//! An admin says which hosts use a generation: signs a release, and brings it if that is signed by enough.

use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::trust::Refused;

use super::bring::Message;
use super::{Admin, AdminError, Reach, signed};
use crate::client::Newest;

/// What became of a release, or of the steps of a rollout, once it was signed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// The hub has it: this number.
    InForce(u64),
    /// It waits for somebody else's signature.
    Waits {
        /// Its number, or the first of several.
        sequence: u64,
        /// What the other is to sign.
        envelope: Vec<u8>,
    },
}

impl Admin {
    /// Signs a release, and brings it if the root asks for no more signatures than these keys make. Without `alone` two
    /// must sign it, whatever the root says.
    ///
    /// # Errors
    /// When the hub does not take it.
    pub async fn put_in_use(
        &mut self,
        reach: Reach,
        head: HeadRef,
        alone: bool,
        keys: &[SecretKey],
    ) -> Result<Signing, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let release = self.next_release(reach, head);
        let (signed, sequence) = (signed(&release, keys)?, release.sequence);
        let (have, need) = (signed.signers(&self.trusted.root().roles.release.keys), self.signatures(alone));
        if have == 0 {
            return Err(AdminError::NotTaken(Refused::TooFewSignatures { role: "release", have, need }));
        }
        // Its number is used, whether another one signs it or not.
        self.memory.saw(None, sequence);
        self.memory.keep()?;
        if have < need {
            return Ok(Signing::Waits { sequence, envelope: signed.to_json()? });
        }
        self.bring_release(release, signed.to_json()?).await
    }

    /// Whether the root asks for more than one signature of each release.
    #[must_use]
    pub fn needs_second(&self) -> bool {
        self.trusted.root().roles.release.threshold >= TWO
    }

    /// Whether what these keys sign waits for somebody else's signature.
    #[must_use]
    pub fn waits_for_another(&self, alone: bool, keys: &[SecretKey]) -> bool {
        let ours: Vec<_> = keys.iter().map(SecretKey::public).collect();
        let counts = self.trusted.root().roles.release.keys.iter().filter(|key| ours.contains(key));
        counts.count() < self.signatures(alone)
    }

    /// How many must sign a release.
    pub(super) fn signatures(&self, alone: bool) -> usize {
        let threshold = self.trusted.root().roles.release.threshold;
        if alone { threshold } else { threshold.max(TWO) }
    }

    /// Brings what is signed by enough.
    pub(super) async fn bring_release(
        &mut self,
        release: Release,
        octets: Vec<u8>,
    ) -> Result<Signing, AdminError> {
        let number = release.sequence;
        self.bring_message(Message { what: Newest::Release, number, after: 0, octets }).await?;
        self.release = Some(release);
        Ok(Signing::InForce(number))
    }
}

/// Signatures of different keys.
pub(super) const TWO: usize = 2;
