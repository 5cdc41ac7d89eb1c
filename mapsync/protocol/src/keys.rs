//! Ed25519 keys: who signs, and how a key is kept as a small text.
//!
//! A key's id is made from the key itself, so nobody can give one key two names and be counted twice.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The longest text of a key that is read.
const LONGEST: usize = 4096;

/// A signature's octets.
pub(crate) const SIGNATURE: usize = 64;

/// Why a text is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not 32 octets in base64.
    #[error("a key is 32 octets in base64")]
    Octets,
    /// Not 16 small hexadecimal digits.
    #[error("a key's id is 16 small hexadecimal digits")]
    Id,
    /// More than any key file has.
    #[error("a key file has at most {LONGEST} octets, not {0}")]
    TooLong(usize),
    /// Not the fields of a key file.
    #[error("no key file: {0}")]
    Fields(#[from] serde_json::Error),
    /// The file contradicts itself.
    #[error("the key file's id or public key is not that of its secret key")]
    Mixed,
    /// The source of chance failed.
    #[error("the system gives no random octets")]
    NoChance,
}

/// The first 16 hexadecimal digits of the public key's BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

impl TryFrom<String> for KeyId {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        let id = Self(u64::from_str_radix(&text, 16).map_err(|_| KeyError::Id)?);
        if id.to_string() == text { Ok(id) } else { Err(KeyError::Id) }
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What verifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key's name in envelopes.
    pub fn id(&self) -> KeyId {
        let hash = blake3::hash(&self.0);
        KeyId(hash.as_bytes().iter().take(8).fold(0, |id, octet| id << 8 | u64::from(*octet)))
    }

    /// Whether this key made this signature of this message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        octets(&text).map(Self)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        STANDARD.encode(key.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.id())
    }
}

/// What signs. It stays with the person who signs, or with the hub that releases; it is never distributed.
pub struct SecretKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A key file: the id and the public key stand in it for people, and are checked when it is read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    id: KeyId,
    public: PublicKey,
    secret: String,
}

impl SecretKey {
    /// A new key, by chance.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| KeyError::NoChance)?;
        Self::from_seed(seed)
    }

    /// The key of this seed.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Octets)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Octets)?;
        Ok(Self { seed, pair, public: PublicKey(public) })
    }

    /// Reads the text of a key file.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        if text.len() > LONGEST {
            return Err(KeyError::TooLong(text.len()));
        }
        let file: KeyFile = serde_json::from_str(text)?;
        let key = Self::from_seed(octets(&file.secret)?)?;
        if key.public == file.public && key.public.id() == file.id { Ok(key) } else { Err(KeyError::Mixed) }
    }

    /// The text of a key file, for a file that only its owner may read.
    pub fn to_text(&self) -> Result<String, KeyError> {
        let file = KeyFile { id: self.public.id(), public: self.public, secret: STANDARD.encode(self.seed) };
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }

    /// The half that everybody may know.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Only the id: a secret must not get into a log.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret of {:?}", self.public)
    }
}

fn octets(text: &str) -> Result<[u8; 32], KeyError> {
    let octets = STANDARD.decode(text).map_err(|_| KeyError::Octets)?;
    octets.try_into().map_err(|_| KeyError::Octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_8032_holds() {
        // RFC 8032 §7.1, test 1: the empty message.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed = *blake3::Hash::from_hex(seed).unwrap().as_bytes();
        let key = SecretKey::from_seed(seed).unwrap();
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.public().0, *blake3::Hash::from_hex(public).unwrap().as_bytes());
        let signature = key.sign(b"");
        assert_eq!(signature.len(), SIGNATURE);
        assert_eq!(signature[..4], [0xe5, 0x56, 0x43, 0x00]);
        assert!(key.public().verifies(b"", &signature));
        assert!(!key.public().verifies(b"x", &signature));
        assert!(!key.public().verifies(b"", &signature[..63]));
    }

    #[test]
    fn a_key_comes_back_from_its_text_and_not_from_a_changed_one() {
        let key = SecretKey::generate().unwrap();
        let text = key.to_text().unwrap();
        assert_eq!(SecretKey::from_text(&text).unwrap().public(), key.public());
        let other = SecretKey::generate().unwrap();
        let mixed = text.replace(&key.public().id().to_string(), &other.public().id().to_string());
        assert!(matches!(SecretKey::from_text(&mixed), Err(KeyError::Mixed)));
        let more = text.replace("\"id\"", "\"run\": 1, \"id\"");
        assert!(matches!(SecretKey::from_text(&more), Err(KeyError::Fields(_))));
        assert!(matches!(SecretKey::from_text(&" ".repeat(5000)), Err(KeyError::TooLong(5000))));
        assert!(!format!("{key:?}").contains(&STANDARD.encode(key.seed)));
    }
}
