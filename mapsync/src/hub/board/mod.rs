//! What one environment shows: its root, its newest head and its release, and whoever waits for the next.
//!
//! A message goes the same way as on a host: checked whole against what is trusted ([`Trusted`]), then kept on disk
//! together with the new trust, then shown. Whoever takes one has the [`turn`] of the environment.

mod refused;
pub(crate) mod turn;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::envelope::{Malformed, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, Head, HeadRef};
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::root::{Role, Root};
use switchyard_mapsync_protocol::trust::{Refused, Trusted};
use tokio::sync::watch;

pub(crate) use self::refused::NotKept;
use self::turn::Turn;
use super::fleet::Fleet;
use super::questions::Questions;
use super::store::blobs::Blobs;
use super::store::heads::{Heads, Message};
use crate::client::Standing;

/// One environment.
#[derive(Debug)]
pub(crate) struct Board {
    environment: Environment,
    trusted: Arc<tokio::sync::Mutex<Trusted>>,
    heads: Arc<Heads>,
    shown: watch::Sender<Shown>,
    lacks: watch::Sender<Vec<File>>,
    /// Held while the files of a push are copied to other hubs.
    pub(crate) copying: Arc<tokio::sync::Mutex<()>>,
    /// What its hosts say.
    pub(crate) fleet: Fleet,
    /// What they are asked.
    pub(crate) questions: Questions,
    /// Where its rollout stands, as this hub sees it.
    pub(crate) standing: watch::Sender<Option<Standing>>,
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
    /// The newest plan of a rollout, over or not.
    pub(crate) plan: Option<Notice>,
}

/// A message of old, if it is here.
pub(crate) type OfOld = Result<Option<Vec<u8>>, redb::Error>;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Root,
    Head,
    Release,
    /// A rollout: its number is the highest of its releases.
    Plan,
}

impl Kind {
    /// In logs, metrics and ledgers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Head => "head",
            Self::Release => "release",
            Self::Plan => "plan",
        }
    }
}

/// What came of a message that was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    pub(crate) hash: Hash,
    /// It was not here before.
    pub(crate) is_new: bool,
}

impl Shown {
    /// One of them, if it is there.
    pub(crate) fn notice(&self, kind: Kind) -> Option<&Notice> {
        match kind {
            Kind::Root => Some(&self.root),
            Kind::Head => self.head.as_ref(),
            Kind::Release => self.release.as_ref(),
            Kind::Plan => self.plan.as_ref(),
        }
    }

    /// What the release says; it was checked when it came.
    pub(crate) fn released(&self) -> Option<Release> {
        Signed::from_json(&self.release.as_ref()?.octets).ok()?.read().ok()
    }

    /// The plan; it was checked when it came.
    pub(crate) fn planned(&self) -> Option<Plan> {
        let root: Root = Signed::from_json(&self.root.octets).ok()?.read().ok()?;
        Plan::from_json(&self.plan.as_ref()?.octets, &root).ok()
    }

    /// Its number; 0 while there is none.
    pub(crate) fn number(&self, kind: Kind) -> u64 {
        self.notice(kind).map_or(0, |notice| notice.number)
    }
}

impl Board {
    /// Takes up what is on disk, or begins with the first root. What names files that are not in `files`, where they
    /// are to be looked for, is not shown yet.
    pub(crate) fn open(
        environment: Environment,
        first_root: &[u8],
        heads: Arc<Heads>,
        files: Option<&Blobs>,
    ) -> Result<Self, NotKept> {
        let name = environment.to_string();
        let trusted = match heads.trusted(&name)? {
            Some(octets) => Trusted::from_json(&octets)?,
            None => {
                let trusted = Trusted::begin(first_root, &environment)?;
                let root = Message::Root(trusted.root().version, first_root);
                heads.keep(&name, &trusted.to_json()?, &[root], None)?;
                trusted
            }
        };
        let (shown, lacks) = showable(&name, &trusted, &heads, files, None)?;
        Ok(Self {
            environment,
            trusted: Arc::new(tokio::sync::Mutex::new(trusted)),
            heads,
            shown: watch::Sender::new(shown),
            lacks: watch::Sender::new(lacks),
            copying: Arc::default(),
            fleet: Fleet::default(),
            questions: Questions::default(),
            standing: watch::Sender::new(None),
        })
    }

    /// Which one.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Waits until nobody else takes messages.
    pub(crate) async fn turn(self: &Arc<Self>) -> Turn {
        let trusted = Arc::clone(&self.trusted).lock_owned().await;
        Turn::new(Arc::clone(self), trusted)
    }

    /// What is shown now, and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// The files that it waits for, and every change of them.
    pub(crate) fn lacks(&self) -> watch::Receiver<Vec<File>> {
        self.lacks.subscribe()
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

    /// Whether a plan is the last one whose rollout has ended here. Blocks on the disk.
    pub(crate) fn has_ended(&self, plan: Hash) -> Result<bool, redb::Error> {
        let ended = self.heads.ended(self.environment.to_string().as_str())?;
        Ok(ended.is_some_and(|ended| ended == plan.to_string()))
    }

    /// A plan's rollout has ended. Blocks on the disk.
    pub(crate) fn end(&self, plan: Hash) -> Result<(), redb::Error> {
        self.heads.end(self.environment.to_string().as_str(), &plan.to_string())
    }

    /// The newest heads below `before`, newest first.
    pub(crate) fn history(&self, before: u64, most: usize) -> Result<Vec<Vec<u8>>, redb::Error> {
        self.heads.history(self.environment.to_string().as_str(), before, most)
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
    let plan = heads.plan(name)?.and_then(|octets| {
        let plan = Plan::from_json(&octets, trusted.root()).ok()?;
        Some(Notice { number: plan.last(), hash: Hash::of(&octets), octets: octets.into() })
    });
    Ok(Shown { root, head, release: release.transpose()?.flatten(), plan })
}

/// What of this can be shown when files may come from others, and the files that are awaited. A root is shown at once,
/// and so is a release that moves nobody: keys that count no more, and a halt, wait for nothing. A head, and a release
/// that moves hosts, is shown when its files are here. Until then what was shown stays, if the keys of now signed it.
fn showable(
    name: &str,
    trusted: &Trusted,
    heads: &Heads,
    files: Option<&Blobs>,
    before: Option<&Shown>,
) -> Result<(Shown, Vec<File>), NotKept> {
    let mut now = shown(name, trusted, heads)?;
    let Some(files) = files else { return Ok((now, Vec::new())) };
    let roles = &trusted.root().roles;
    let of_newest = missing(name, trusted.newest(), heads, files)?;
    let of_released = missing(name, trusted.released(), heads, files)?;
    if !of_newest.is_empty() {
        now.head = before.and_then(|before| before.head.clone()).filter(|head| is_signed(&roles.push, head));
    }
    if !of_released.is_empty() && !now.released().is_some_and(|release| release.halted) {
        let release = before.and_then(|before| before.release.clone());
        now.release = release.filter(|release| is_signed(&roles.release, release));
    }
    if !of_newest.is_empty() || !of_released.is_empty() {
        let plan = before.and_then(|before| before.plan.clone());
        now.plan = plan.filter(|plan| Plan::from_json(&plan.octets, trusted.root()).is_ok());
    }
    let mut all = [of_newest, of_released].concat();
    all.sort_by_key(|file| file.hash);
    all.dedup_by_key(|file| file.hash);
    Ok((now, all))
}

fn is_signed(role: &Role, notice: &Notice) -> bool {
    Signed::from_json(&notice.octets).is_ok_and(|signed| role.signed(&signed).is_ok())
}

/// The files of a head that are not here.
fn missing(name: &str, head: Option<HeadRef>, heads: &Heads, files: &Blobs) -> Result<Vec<File>, NotKept> {
    let octets = head.map(|head| heads.head(name, head.generation)).transpose()?.flatten();
    let Some(octets) = octets else { return Ok(Vec::new()) };
    let (_, mut head) = said(&octets)?;
    head.files.retain(|file| files.length(file.hash) != Some(file.bytes));
    Ok(head.files)
}

/// What a signed head says, for those who list them. It was checked when it came.
pub(crate) fn said(octets: &[u8]) -> Result<(Hash, Head), Malformed> {
    let signed = Signed::from_json(octets)?;
    Ok((signed.hash(), signed.read()?))
}
