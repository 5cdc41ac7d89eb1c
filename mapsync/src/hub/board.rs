//! What one environment shows: its root, its newest head and its release, and whoever waits for the next.
//!
//! A message goes the same way as on a host: checked whole against what is trusted ([`Trusted`]), then kept on disk
//! together with the new trust, then shown. Of two pushes at once one wins, and the other hears of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use switchyard_mapsync_protocol::envelope::{Malformed, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::Head;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::trust::{Refused, Taken, Trusted};
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::sync::watch;

use super::fleet::Fleet;
use super::store::blobs::Blobs;
use super::store::heads::{Heads, Message};

/// One environment.
#[derive(Debug)]
pub(crate) struct Board {
    environment: Environment,
    trusted: Mutex<Trusted>,
    heads: Arc<Heads>,
    shown: watch::Sender<Shown>,
    /// What its hosts say.
    pub(crate) fleet: Fleet,
}

/// A signed message as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Version, generation or sequence.
    pub(crate) number: u64,
    pub(crate) hash: Hash,
    pub(crate) octets: Bytes,
}

/// What is shown now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) root: Notice,
    pub(crate) head: Option<Notice>,
    pub(crate) release: Option<Notice>,
}

/// A message of old, if it is here.
pub(crate) type OfOld = Result<Option<Vec<u8>>, redb::Error>;

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Root,
    Head,
    Release,
}

/// What came of a message that was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    pub(crate) hash: Hash,
    /// It was not here before.
    pub(crate) is_new: bool,
}

/// A message is not kept; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// It is none that a host would take.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Somebody else was here before.
    #[error("generation {current} is the newest here, and this push began at {expected}")]
    Lost {
        /// What the push takes for the newest.
        expected: u64,
        /// What is.
        current: u64,
    },
    /// It leaves one out.
    #[error("generation {have} cannot follow {current}: {next} is the next")]
    Gap {
        /// Its generation.
        have: u64,
        /// The newest here.
        current: u64,
        /// What can follow.
        next: u64,
    },
    /// Files that it names are not here.
    #[error("{} of its files are not here yet: upload them first", .0.len())]
    Missing(Vec<Hash>),
    /// The disk.
    #[error("it cannot be kept: {0}")]
    Store(#[from] redb::Error),
}

impl From<Malformed> for NotKept {
    fn from(malformed: Malformed) -> Self {
        Self::Refused(malformed.into())
    }
}

impl Shown {
    /// One of the three, if it is there.
    pub(crate) fn notice(&self, kind: Kind) -> Option<&Notice> {
        match kind {
            Kind::Root => Some(&self.root),
            Kind::Head => self.head.as_ref(),
            Kind::Release => self.release.as_ref(),
        }
    }

    /// Its number; 0 while there is none.
    pub(crate) fn number(&self, kind: Kind) -> u64 {
        self.notice(kind).map_or(0, |notice| notice.number)
    }
}

impl Board {
    /// Takes up what is on disk, or begins with the first root.
    pub(crate) fn open(
        environment: Environment,
        first_root: &[u8],
        heads: Arc<Heads>,
    ) -> Result<Self, NotKept> {
        let name = environment.to_string();
        let trusted = match heads.trusted(&name)? {
            Some(octets) => Trusted::from_json(&octets)?,
            None => {
                let trusted = Trusted::begin(first_root, &environment)?;
                let root = Message::Root(trusted.root().version, first_root);
                heads.keep(&name, &trusted.to_json()?, root)?;
                trusted
            }
        };
        let shown = watch::Sender::new(shown(&name, &trusted, &heads)?);
        Ok(Self { environment, trusted: Mutex::new(trusted), heads, shown, fleet: Fleet::default() })
    }

    /// What is shown now, and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// What is shown once it is another than the one that is known, or when the time is over.
    pub(crate) async fn after(&self, kind: Kind, known: u64, wait: Duration) -> Shown {
        let mut shown = self.watch();
        // The sender is our own; what is left is the time that is over, which changes nothing.
        let newer = shown.wait_for(|shown| shown.number(kind) != known);
        drop(tokio::time::timeout(wait, newer).await);
        self.shown.borrow().clone()
    }

    /// One generation of old.
    pub(crate) fn head(&self, generation: u64) -> OfOld {
        self.heads.head(self.environment.to_string().as_str(), generation)
    }

    /// One root of old.
    pub(crate) fn root(&self, version: u64) -> OfOld {
        self.heads.root(self.environment.to_string().as_str(), version)
    }

    /// The newest heads below `before`, newest first.
    pub(crate) fn history(&self, before: u64, most: usize) -> Result<Vec<Vec<u8>>, redb::Error> {
        self.heads.history(self.environment.to_string().as_str(), before, most)
    }

    /// Takes a new generation, if `expected` is still the newest. Blocks on the disk.
    pub(crate) fn take_head(
        &self,
        octets: &Bytes,
        expected: u64,
        blobs: &Blobs,
        now: Timestamp,
    ) -> Result<Kept, NotKept> {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = Signed::from_json(octets)?.hash();
        let current = trusted.newest();
        // The same push again, because its first answer was lost: it was taken, and that is the answer.
        if let Some(newest) = current.filter(|newest| newest.hash == hash) {
            return Ok(Kept { number: newest.generation, hash, is_new: false });
        }
        let current = current.map_or(0, |newest| newest.generation);
        if current != expected {
            return Err(NotKept::Lost { expected, current });
        }
        let mut next = trusted.clone();
        let (Taken::New(head) | Taken::Known(head)) = next.accept_head(octets, now)?;
        let follows = current.saturating_add(1);
        // A hub that has nothing yet may begin anywhere: what is newest, its hosts know.
        if current != 0 && head.generation != follows {
            return Err(NotKept::Gap { have: head.generation, current, next: follows });
        }
        let is_missing = |length: Option<u64>, bytes| length != Some(bytes);
        let missing = head.files.iter().filter(|file| is_missing(blobs.length(file.hash), file.bytes));
        let missing: Vec<Hash> = missing.map(|file| file.hash).collect();
        if !missing.is_empty() {
            return Err(NotKept::Missing(missing));
        }
        let message = Message::Head(head.generation, octets);
        self.heads.keep(self.environment.to_string().as_str(), &next.to_json()?, message)?;
        *trusted = next;
        let number = head.generation;
        self.shown.send_modify(|shown| shown.head = Some(Notice { number, hash, octets: octets.clone() }));
        Ok(Kept { number, hash, is_new: true })
    }

    /// Takes the next root. Blocks on the disk.
    pub(crate) fn take_root(&self, octets: &Bytes) -> Result<Kept, NotKept> {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = trusted.clone();
        let taken = next.accept_root(octets)?;
        let number = next.root().version;
        let hash = Signed::from_json(octets)?.hash();
        if taken == Taken::Known(()) {
            return Ok(Kept { number, hash, is_new: false });
        }
        let name = self.environment.to_string();
        self.heads.keep(&name, &next.to_json()?, Message::Root(number, octets))?;
        let now = shown(&name, &next, &self.heads)?;
        *trusted = next;
        self.shown.send_replace(now);
        Ok(Kept { number, hash, is_new: true })
    }

    /// Takes the next release. Blocks on the disk.
    pub(crate) fn take_release(&self, octets: &Bytes, now: Timestamp) -> Result<Kept, NotKept> {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = trusted.clone();
        let taken = next.accept_release(octets, now)?;
        let is_new = matches!(taken, Taken::New(_));
        let (Taken::New(release) | Taken::Known(release)) = taken;
        let (number, hash) = (release.sequence, Signed::from_json(octets)?.hash());
        if is_new {
            let name = self.environment.to_string();
            self.heads.keep(&name, &next.to_json()?, Message::Release(octets))?;
            *trusted = next;
            let notice = Notice { number, hash, octets: octets.clone() };
            self.shown.send_modify(|shown| shown.release = Some(notice));
        }
        Ok(Kept { number, hash, is_new })
    }
}

/// What the disk holds of what is trusted now: after a change of keys, what only the old ones signed is not shown.
fn shown(name: &str, trusted: &Trusted, heads: &Heads) -> Result<Shown, NotKept> {
    let lost = |what| NotKept::Refused(Refused::State(what));
    let version = trusted.root().version;
    let root = heads.root(name, version)?.ok_or_else(|| lost("the root in force is not there"))?;
    let root = Notice { number: version, hash: Signed::from_json(&root)?.hash(), octets: root.into() };
    let head = match trusted.newest() {
        None => None,
        Some(newest) => {
            let octets = heads.head(name, newest.generation)?;
            let octets = octets.ok_or_else(|| lost("the newest head is not there"))?;
            Some(Notice { number: newest.generation, hash: newest.hash, octets: octets.into() })
        }
    };
    let release = heads.release(name)?.map(|octets| {
        let signed = Signed::from_json(&octets)?;
        let counts = trusted.root().roles.release.signed(&signed).is_ok();
        let number = signed.read::<Release>()?.sequence;
        Ok::<_, Malformed>(counts.then(|| Notice { number, hash: signed.hash(), octets: octets.into() }))
    });
    Ok(Shown { root, head, release: release.transpose()?.flatten() })
}

/// What a signed head says, for those who list them. It was checked when it came.
pub(crate) fn said(octets: &[u8]) -> Result<(Hash, Head), Malformed> {
    let signed = Signed::from_json(octets)?;
    Ok((signed.hash(), signed.read()?))
}
