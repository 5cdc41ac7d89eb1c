//! What carries a signed message: a DSSE envelope, signed over its type and its exact octets.
//!
//! A message is turned into octets once, by the one who signs it; everybody else keeps those octets. The type is
//! under the signature too, so that a head can never be taken for a release.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::keys::{KeyId, PublicKey, SIGNATURE, SecretKey};
use crate::words::Environment;

/// The longest envelope that is read. A head of as many files as may be is shorter.
pub const LONGEST: usize = 4 << 20;

/// The most signatures in one envelope.
pub const SIGNATURES: usize = 32;

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Type {
    /// Whose keys count.
    #[serde(rename = "application/vnd.switchyard.root.v1+json")]
    Root,
    /// All files of a generation.
    #[serde(rename = "application/vnd.switchyard.head.v1+json")]
    Head,
    /// Which hosts flip to it.
    #[serde(rename = "application/vnd.switchyard.release.v1+json")]
    Release,
}

impl Type {
    /// The type as it stands in the envelope and under the signature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "application/vnd.switchyard.root.v1+json",
            Self::Head => "application/vnd.switchyard.head.v1+json",
            Self::Release => "application/vnd.switchyard.release.v1+json",
        }
    }
}

/// A message that can be signed.
pub trait Message: Serialize + DeserializeOwned {
    /// Its type in the envelope.
    const TYPE: Type;

    /// Whom it is for.
    fn environment(&self) -> &Environment;

    /// The rules that its fields alone do not keep; the answer says which one is broken.
    fn check(&self) -> Result<(), String>;
}

/// Why octets are no message.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Longer than is read.
    #[error("{0} octets, and at most {LONGEST} are read")]
    TooLong(usize),
    /// Not the fixed fields, or not in their form.
    #[error("not in its form: {0}")]
    Form(#[from] serde_json::Error),
    /// Too many signatures, or one of a wrong length, or octets that are no base64.
    #[error("{0}")]
    Envelope(&'static str),
    /// Another kind of message than the one asked for.
    #[error("this is {} and not {}", .have.name(), .want.name())]
    Type {
        /// What was asked for.
        want: Type,
        /// What it is.
        have: Type,
    },
    /// A rule that the fields break.
    #[error("{0}")]
    Rule(String),
}

/// A payload with its signatures; none of them is verified yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Signed {
    kind: Type,
    payload: Vec<u8>,
    signatures: Vec<(KeyId, Vec<u8>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    payload: String,
    #[serde(rename = "payloadType")]
    kind: Type,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: KeyId,
    sig: String,
}

impl Signed {
    /// An envelope without a signature.
    pub fn new<M: Message>(message: &M) -> Result<Self, Malformed> {
        message.check().map_err(Malformed::Rule)?;
        Ok(Self { kind: M::TYPE, payload: serde_json::to_vec(message)?, signatures: Vec::new() })
    }

    /// Adds a signature.
    pub fn sign(&mut self, key: &SecretKey) {
        let signature = key.sign(&self.signed_octets());
        self.signatures.push((key.public().id(), signature));
    }

    /// Reads an envelope; what is in it is not looked at.
    pub fn from_json(octets: &[u8]) -> Result<Self, Malformed> {
        if octets.len() > LONGEST {
            return Err(Malformed::TooLong(octets.len()));
        }
        let wire: Wire = serde_json::from_slice(octets)?;
        wire.try_into()
    }

    /// The envelope as it travels.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The name of what is signed: the hash of the payload's octets, whoever signed it.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.payload)
    }

    /// How many of these keys have signed. A key counts once, however often it signed.
    pub fn signers(&self, keys: &[PublicKey]) -> usize {
        let message = self.signed_octets();
        let signed = |key: &&PublicKey| {
            let id = key.id();
            self.signatures.iter().any(|(keyid, sig)| *keyid == id && key.verifies(&message, sig))
        };
        keys.iter().filter(signed).collect::<BTreeSet<_>>().len()
    }

    /// Refuses another kind of message, before anybody looks at its signatures.
    pub fn expect(&self, want: Type) -> Result<(), Malformed> {
        if self.kind == want { Ok(()) } else { Err(Malformed::Type { want, have: self.kind }) }
    }

    /// Takes the message out. Who calls has counted the signatures first.
    pub fn read<M: Message>(&self) -> Result<M, Malformed> {
        self.expect(M::TYPE)?;
        let message: M = serde_json::from_slice(&self.payload)?;
        message.check().map_err(Malformed::Rule)?;
        Ok(message)
    }

    /// DSSE's pre-authentication encoding: lengths make it clear where the type ends.
    fn signed_octets(&self) -> Vec<u8> {
        let name = self.kind.name();
        let mut octets = format!("DSSEv1 {} {name} {} ", name.len(), self.payload.len()).into_bytes();
        octets.extend_from_slice(&self.payload);
        octets
    }
}

impl TryFrom<Wire> for Signed {
    type Error = Malformed;

    fn try_from(wire: Wire) -> Result<Self, Malformed> {
        if wire.signatures.len() > SIGNATURES {
            return Err(Malformed::Envelope("too many signatures"));
        }
        let payload =
            STANDARD.decode(wire.payload).map_err(|_| Malformed::Envelope("the payload is no base64"))?;
        let mut signatures = Vec::with_capacity(wire.signatures.len());
        for WireSignature { keyid, sig } in wire.signatures {
            let sig = STANDARD.decode(sig).ok().filter(|sig| sig.len() == SIGNATURE);
            signatures.push((keyid, sig.ok_or(Malformed::Envelope("a signature is 64 octets in base64"))?));
        }
        Ok(Self { kind: wire.kind, payload, signatures })
    }
}

impl From<Signed> for Wire {
    fn from(signed: Signed) -> Self {
        let signature = |(keyid, sig): (KeyId, Vec<u8>)| WireSignature { keyid, sig: STANDARD.encode(sig) };
        let signatures = signed.signatures.into_iter().map(signature).collect();
        Self { payload: STANDARD.encode(signed.payload), kind: signed.kind, signatures }
    }
}

#[cfg(test)]
mod tests;
