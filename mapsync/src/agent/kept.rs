//! What an agent remembers over a restart: whom it trusts and what it took, the release it goes by, and the set that
//! did not fit. It is written before anything is done by it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::trust::{HeadRef, Refused, Taken, Trusted};
use switchyard_mapsync_protocol::{Environment, Timestamp};

use super::disk::{Disk, DiskError};

/// What is remembered.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) trusted: Trusted,
    pub(super) release: Option<(Release, Vec<u8>)>,
    /// The last sets that this host cannot run by, and why; they are not tried again.
    unfit: Vec<Unfit>,
}

/// Sets that are remembered for not fitting.
const UNFIT: usize = 16;

/// A head that makes no set here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unfit {
    pub(super) head: HeadRef,
    pub(super) why: String,
}

/// What is remembered cannot be read, or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeptError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("what was kept cannot be read: {0}")]
    Form(#[from] serde_json::Error),
    #[error("what was kept cannot be used: {0}")]
    Trust(#[from] Refused),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    trusted: Value,
    release: Option<String>,
    unfit: Vec<Unfit>,
}

impl Kept {
    /// What was kept; on a host that is new, the root that a person put there.
    pub(super) fn load(
        disk: &Disk,
        first: &[u8],
        environment: &Environment,
        now: Timestamp,
    ) -> Result<Self, KeptError> {
        let Some(octets) = disk.state()? else {
            return Ok(Self {
                trusted: Trusted::begin(first, environment)?,
                release: None,
                unfit: Vec::new(),
            });
        };
        let file: File = serde_json::from_slice(&octets)?;
        let mut trusted = Trusted::from_json(&serde_json::to_vec(&file.trusted)?)?;
        // It was verified when it came. One that has expired moves nobody any more.
        let release = file.release.map(String::into_bytes).and_then(|octets| {
            match trusted.accept_release(&octets, now) {
                Ok(Taken::New(release) | Taken::Known(release)) => Some((release, octets)),
                Err(refused) => {
                    tracing::info!(%refused, "the last release moves nobody any more");
                    None
                }
            }
        });
        Ok(Self { trusted, release, unfit: file.unfit })
    }

    pub(super) fn keep(&self, disk: &Disk) -> Result<(), KeptError> {
        let trusted = self.trusted.to_json().map_err(Refused::from)?;
        let release = self.release.as_ref().map(|(_, octets)| String::from_utf8_lossy(octets).into_owned());
        let file = File { trusted: serde_json::from_slice(&trusted)?, release, unfit: self.unfit.clone() };
        Ok(disk.keep_state(&serde_json::to_vec(&file)?)?)
    }

    /// The head that this host is to have in use, as far as it knows. A release of keys that a new root has struck out
    /// wants nothing.
    pub(super) fn wanted(&self, host: &str) -> Option<HeadRef> {
        let (release, _) = self.release.as_ref()?;
        let is_trusted =
            self.trusted.released() == Some(release.names()) && self.trusted.sequence() == release.sequence;
        (is_trusted && release.moves(host)).then(|| release.names())
    }

    /// The same, while the release and the root are in time: what may be flipped to now.
    pub(super) fn due(&self, host: &str, now: Timestamp) -> Option<HeadRef> {
        let (release, _) = self.release.as_ref()?;
        let is_in_time = now < release.expires && now < self.trusted.root().expires;
        self.wanted(host).filter(|_| is_in_time)
    }

    pub(super) fn is_unfit(&self, head: &HeadRef) -> bool {
        self.unfit.iter().any(|unfit| unfit.head == *head)
    }

    pub(super) fn refuse(&mut self, unfit: Unfit) {
        self.unfit.push(unfit);
        let old = self.unfit.len().saturating_sub(UNFIT);
        self.unfit.drain(..old);
    }
}

#[cfg(test)]
mod tests;
