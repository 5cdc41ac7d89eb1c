//! A private key, read from its file: RSA or Ed25519, PKCS #8 or PKCS #1, in PEM.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use mail_auth::common::crypto::{Algorithm, DkimKey, Ed25519Key, RsaKey, Sha256, SigningKey};
use mail_auth::common::headers::Writable;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// Octets of a key file.
const MAX_FILE: u64 = 64 << 10;

/// A key that can sign; clones are one key.
#[derive(Clone)]
pub(crate) struct Key(Arc<DkimKey>);

/// Why a file holds no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The system says no.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Everybody may read it.
    #[error("every user of the host may read it: chmod o-rwx")]
    Open,
    /// Far too large.
    #[error("is larger than {MAX_FILE} octets")]
    Large,
    /// No PEM, no private key, or none that DKIM knows.
    #[error("holds no RSA or Ed25519 private key in PEM")]
    NoKey,
}

impl Key {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, everybody can, or it holds no such key.
    pub(crate) fn read(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path)?;
        if file.metadata()?.mode() & 0o007 != 0 {
            return Err(KeyError::Open);
        }
        let mut pem = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut pem)?;
        if pem.len() as u64 > MAX_FILE {
            return Err(KeyError::Large);
        }
        Self::parse(&pem)
    }

    /// Reads PEM.
    ///
    /// # Errors
    /// When it holds no such key.
    pub(crate) fn parse(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NoKey)?;
        if let PrivateKeyDer::Pkcs8(pkcs8) = &der
            && let Ok(key) = Ed25519Key::from_pkcs8_maybe_unchecked_der(pkcs8.secret_pkcs8_der())
        {
            return Ok(Self(Arc::new(key.into())));
        }
        let key = RsaKey::<Sha256>::from_key_der(der).map_err(|_| KeyError::NoKey)?;
        Ok(Self(Arc::new(key.into())))
    }

    /// The word for its kind, as a metric's label.
    pub(crate) fn kind(&self) -> &'static str {
        match self.algorithm() {
            Algorithm::Ed25519Sha256 => "ed25519",
            Algorithm::RsaSha256 | Algorithm::RsaSha1 => "rsa",
        }
    }
}

impl SigningKey for Key {
    type Hasher = Sha256;

    fn sign(&self, input: impl Writable) -> mail_auth::Result<Vec<u8>> {
        self.0.sign(input)
    }

    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }
}

impl fmt::Debug for Key {
    /// Never the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({})", self.kind())
    }
}
