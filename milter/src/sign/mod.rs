//! Signing: the author's domain, its keys by the map, and a signature by each that may sign now.
//!
//! `ring` keeps the keys the DNS has shown, `signature` makes one signature, `seal` an ARC set, `key` reads a
//! file. A key signs only at the step `signing`; `published` and `retired` ones are only looked for in the DNS.

pub(crate) mod key;
pub(crate) mod ring;
pub(crate) mod seal;
pub(crate) mod signature;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use switchyard_maps::signing::{SigningKey, Step};
use switchyard_maps::{Answer, Snapshot};
use switchyard_smtp::address::Domain;

use self::key::Key;
use self::ring::{KeyName, KeyRing};
use self::signature::{Coverage, Prepared};
use crate::draft::Draft;
use crate::metrics::Metrics;

/// What came of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// The domain has no keys in the map.
    NotOurs,
    /// So many signatures were put on top.
    By(usize),
    /// It has keys, and none of them may sign.
    WithoutKey,
    /// The map cannot say.
    MapUnavailable,
}

/// A key that may sign, and as whom.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) domain: Domain,
    pub(crate) selector: Domain,
    pub(crate) key: Key,
}

/// The keys of a domain by the map that may sign now.
///
/// # Errors
/// With what is to be told instead, when there are none.
pub(crate) async fn keys_of(
    domain: &Domain,
    maps: &Snapshot,
    folder: &Path,
    ring: &KeyRing,
) -> Result<Vec<Ready>, Signed> {
    let found = match maps.settled(|maps| maps.signing_keys(domain)).await {
        Answer::Found(found) => found.value,
        Answer::NotFound => return Err(Signed::NotOurs),
        Answer::Unavailable(_) => return Err(Signed::MapUnavailable),
    };
    let mut ready = Vec::new();
    for key in found.0.iter().filter(|key| key.step == Step::Signing) {
        let name = name_of(domain, key, folder);
        if let Some(proven) = ring.proven(&name).await {
            ready.push(Ready { domain: name.domain, selector: name.selector, key: proven });
        }
    }
    if ready.is_empty() { Err(Signed::WithoutKey) } else { Ok(ready) }
}

/// Where a key of the map is, and where it must be seen.
pub(crate) fn name_of(asked: &Domain, key: &SigningKey, folder: &Path) -> KeyName {
    KeyName {
        domain: key.domain.as_ref().unwrap_or(asked).clone(),
        selector: key.selector.clone(),
        // An absolute path stays what it is.
        file: PathBuf::from(folder).join(&*key.file),
    }
}

/// Puts a signature by each key on top of the draft.
pub(crate) fn sign(
    draft: &mut Draft<'_>,
    keys: &[Ready],
    coverage: &Coverage,
    now: SystemTime,
    metrics: &Metrics,
) -> Signed {
    let prepared = Prepared::new(draft, coverage, now);
    // All are made over the same fields: none covers another.
    let made: Vec<String> = keys
        .iter()
        .filter_map(|ready| {
            let made = prepared.sign(draft, &ready.key, ready.domain.as_str(), ready.selector.as_str());
            metrics.signed(ready.key.kind(), made.is_ok());
            match made {
                Ok(value) => Some(value),
                Err(error) => {
                    tracing::error!(domain = %ready.domain, selector = %ready.selector, %error, "signing failed");
                    None
                }
            }
        })
        .collect();
    for value in &made {
        draft.prepend("DKIM-Signature", value);
    }
    if made.is_empty() { Signed::WithoutKey } else { Signed::By(made.len()) }
}
