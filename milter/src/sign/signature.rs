//! One DKIM signature over a draft (RFC 6376), by a key, at a time: plain code, no DNS and no clock.

use std::time::SystemTime;

use mail_auth::common::crypto::{HashAlgorithm, SigningKey as _};
use mail_auth::common::headers::{HeaderStream, Writable, Writer};
use mail_auth::dkim::canonicalize::CanonicalHeaders;
use mail_auth::dkim::{Canonicalization, Signature};

use super::key::Key;
use crate::draft::Draft;

/// Names that one signature may list; mail-auth's own bound is above it.
const MAX_SIGNED: usize = 64;

/// What is signed, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Fields that are signed where they are there.
    pub(crate) headers: Vec<String>,
    /// Fields that are signed once more than they are there.
    pub(crate) oversign: Vec<String>,
    /// Seconds that a signature is good for; zero for ever.
    pub(crate) lifetime: u64,
}

/// What all signatures of one message have in common.
#[derive(Debug)]
pub(crate) struct Prepared {
    names: Vec<String>,
    body_hash: Vec<u8>,
    signed_at: u64,
    lifetime: u64,
}

impl Prepared {
    /// Hashes the body once, and finds the fields to sign.
    pub(crate) fn new(draft: &Draft<'_>, coverage: &Coverage, now: SystemTime) -> Self {
        let body = Canonicalization::Relaxed.canonical_body(draft.body(), u64::MAX);
        Self {
            names: names(draft, coverage),
            body_hash: HashAlgorithm::Sha256.hash(body).as_ref().to_vec(),
            signed_at: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            lifetime: coverage.lifetime,
        }
    }

    /// The value of a DKIM-Signature field, its lines parted by CR LF, with its space.
    ///
    /// # Errors
    /// When the key does not sign.
    pub(crate) fn sign(
        &self,
        draft: &Draft<'_>,
        key: &Key,
        domain: &str,
        selector: &str,
    ) -> mail_auth::Result<String> {
        // MTAs fold and unfold on the way: relaxed is what survives that.
        let mut signature = Signature {
            v: 1,
            a: key.algorithm(),
            d: domain.to_owned(),
            s: selector.to_owned(),
            h: self.names.clone(),
            bh: self.body_hash.clone(),
            t: self.signed_at,
            x: if self.lifetime > 0 { self.signed_at + self.lifetime } else { 0 },
            ..Signature::default()
        };
        let fields = Fields(draft.fields());
        let (_, headers, signed, _) = signature.canonicalize(fields);
        signature.h = signed;
        signature.b = key.sign(Signable { headers, signature: &signature })?;
        let mut field = Vec::with_capacity(1_024);
        signature.write(&mut field, true);
        let text = String::from_utf8_lossy(&field);
        let value = text.strip_prefix("DKIM-Signature:").unwrap_or(&text);
        Ok(value.trim_end().to_owned())
    }
}

/// The names as [`Signature::canonicalize`] takes them: it signs every field whose name is listed, and lists a
/// name that no field has, or that stands twice, once more than there are fields (RFC 6376 §5.4.2, §8.15).
fn names(draft: &Draft<'_>, coverage: &Coverage) -> Vec<String> {
    let is_there = |name: &str| draft.fields().any(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
    let mut names: Vec<String> = Vec::new();
    for name in coverage.headers.iter().chain(&coverage.oversign) {
        if is_there(name) && !names.iter().any(|listed| listed.eq_ignore_ascii_case(name)) {
            names.push(name.clone());
        }
    }
    names.extend(coverage.oversign.iter().cloned());
    names.truncate(MAX_SIGNED);
    names
}

/// A draft as mail-auth reads it. The body is hashed apart, once for all signatures.
struct Fields<I>(I);

impl<'x, I: Iterator<Item = (&'x [u8], &'x [u8])>> HeaderStream<'x> for Fields<I> {
    fn next_header(&mut self) -> Option<(&'x [u8], &'x [u8])> {
        self.0.next()
    }

    fn body(&mut self) -> &'x [u8] {
        b""
    }
}

/// RFC 6376 §3.7: the fields, then the signature's own field without its value.
struct Signable<'a> {
    headers: CanonicalHeaders<'a>,
    signature: &'a Signature,
}

impl Writable for Signable<'_> {
    fn write(self, writer: &mut impl Writer) {
        self.headers.write(writer);
        self.signature.write(writer, false);
    }
}
