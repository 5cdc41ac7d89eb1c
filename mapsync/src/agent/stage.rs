//! From a head to a set that is ready: every file from what was fetched or from a set that has it; then made for this
//! host, proved, and made durable.

use std::fmt::Display;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use switchyard_maps::installed::{InstallError, Later, Ways};
use switchyard_mapsync_protocol::agent::{self, Outcome};
use switchyard_mapsync_protocol::head::{self, Head};
use switchyard_mapsync_protocol::trust::HeadRef;

use super::disk::{Disk, DiskError, Making, WHOLE, set_name};
use super::fetch::fetch;
use super::host::{self, Known, Unfit};
use super::hubs::Hubs;
use super::metrics::Metrics;
use super::settle::{may_wait, settle_soon};
use super::texts::{Text, Texts, place, stock};

/// What a set says of itself, in `set.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The head's name.
    pub name: HeadRef,
    /// The head.
    pub head: Head,
    /// The host that it was made for.
    pub host: String,
    /// What the host is for.
    pub role: String,
    /// The daemon that runs by it.
    pub daemon: String,
    /// Where that daemon answers the operator's tool; none for nowhere.
    pub control: Option<PathBuf>,
    /// Where that daemon says what it counts; none where systemd holds the socket.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
}

impl Set {
    /// The set as the protocol knows it.
    pub(super) fn into_known(self) -> agent::Set {
        agent::Set { name: self.name, head: self.head }
    }

    /// Whether it was made for this host and by this version, if it stands under this name: others are none of ours.
    fn is_of(&self, host: &str, name: &str) -> bool {
        self.host == host && set_name(&self.name) == name
    }

    /// What a set says of itself.
    ///
    /// # Errors
    /// When it says nothing.
    pub fn read(folder: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(folder.join(WHOLE))?)?)
    }
}

/// The sets on disk that were made for this host, and by this version ([`super::renew`]); others are none of ours, and
/// go unless one is in use.
pub(super) fn sets(disk: &Disk, host: &str) -> Result<Vec<Set>, DiskError> {
    let mut sets = Vec::new();
    for name in disk.sets()? {
        match Set::read(&disk.set(&name)) {
            Ok(set) if set.is_of(host, &name) => sets.push(set),
            _ => {
                tracing::warn!(
                    set = name,
                    host,
                    "a set that was not made for this host, or by another version, is not used"
                );
                disk.remove(&name)?;
            }
        }
    }
    Ok(sets)
}

/// The folder of the set that the next one is made over: the newest, as what changed is fetched from that.
fn base(disk: &Disk, host: &str) -> Option<PathBuf> {
    let generation = |name: &str| {
        let set = Set::read(&disk.set(name)).ok()?;
        set.is_of(host, name).then_some(set.name.generation)
    };
    let sets = disk.sets().ok()?.into_iter();
    let (_, newest) = sets.filter_map(|name| Some((generation(&name)?, name))).max()?;
    Some(disk.set(&newest))
}

/// What sets are made from.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) disk: Arc<Disk>,
    pub(super) hubs: Arc<Hubs>,
    pub(super) host: String,
    pub(super) metrics: Metrics,
}

/// Makes a set, and measures it.
pub(super) async fn stage(means: Means, set: agent::Set) -> Result<(), agent::Unfit> {
    let (start, metrics) = (Instant::now(), means.metrics.clone());
    let settled = settle_soon(Arc::clone(&means.disk), set_name(&set.name));
    let (generation, made) = (set.name.generation, make(means, set).await);
    if made.is_ok() {
        tokio::spawn(settled);
        let seconds = start.elapsed().as_secs_f64();
        metrics.stage_seconds.observe(seconds);
        tracing::info!(generation, seconds, "a set is ready");
    }
    made
}

async fn make(means: Means, set: agent::Set) -> Result<(), agent::Unfit> {
    let (disk, name) = (Arc::clone(&means.disk), set_name(&set.name));
    let files = set.head.files.clone();
    let laid = move || disk.begin(&name).and_then(|making| lay_down(&disk, making, files));
    let (making, missing) = blocking(laid).await.and_then(|laid| laid.map_err(|error| for_now(&error)))?;
    for file in missing {
        let fetched = again(&means, &file).await?;
        making.link(&place(&file), &fetched).map_err(|error| for_now(&error))?;
    }
    complete(making, set, means.host, &means.disk).await
}

/// Makes a set of its files, which stand in it already.
pub(super) async fn complete(
    mut making: Making,
    set: agent::Set,
    host: String,
    disk: &Arc<Disk>,
) -> Result<(), agent::Unfit> {
    let disk = Arc::clone(disk);
    let (current, base, edits) = (disk.current(), base(&disk, &host), disk.edited.all());
    let runtime = tokio::runtime::Handle::current();
    // Compiling may take seconds: not on a thread that hears hubs.
    blocking(move || {
        let (checked, texts) = (Arc::clone(&disk.checked), Texts::of(&disk, making.path(), &set.head.files));
        let brings: Arc<dyn Later> = Arc::clone(&texts) as _;
        let known =
            Known { base: base.as_deref(), files: &set.head.files, edits, checked, later: Some(brings) };
        let large: Vec<String> = set.head.files.iter().filter(|file| may_wait(file)).map(place).collect();
        let made = runtime.block_on(host::make(&making, &host, &current, known));
        let made =
            made.map_err(|unfit| texts.failed().map_or_else(|| judged(&unfit), |why| for_now(&why)))?;
        let (generation, Ways { compiled, merged, layered, linked }) = (set.name.generation, made.tables);
        tracing::info!(generation, compiled, merged, layered, linked, "its tables are made");
        let told = Set {
            name: set.name,
            head: set.head,
            host,
            role: made.role.to_owned(),
            daemon: made.daemon.to_owned(),
            control: made.control,
            metrics: made.metrics,
        };
        let told = serde_json::to_vec_pretty(&told).map_err(|error| for_now(&error))?;
        large.iter().for_each(|name| making.leave(name));
        making.finish(&told).map_err(|error| {
            // A disk tells once that it lost what it was given: then what was fetched may be lost as well.
            let _it_is_looked_at_again = disk.clear_fetched();
            for_now(&error)
        })
    })
    .await?
}

/// Whether a set is of no use for good. The disk, or a table's server, may do it another time.
fn judged(unfit: &Unfit) -> agent::Unfit {
    match unfit {
        Unfit::Disk(_) | Unfit::Maps(InstallError::Disk { .. }) | Unfit::Unasked(_) => for_now(unfit),
        unfit => agent::Unfit::Wrong(unfit.to_string()),
    }
}

fn for_now(why: &dyn Display) -> agent::Unfit {
    agent::Unfit::Later(why.to_string())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, agent::Unfit> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| agent::Unfit::Later(format!("making it ended early: {error}")))
}

/// Every file that is here; and those that are not, or not any more as they were signed.
pub(super) fn lay_down(
    disk: &Disk,
    mut making: Making,
    files: Vec<head::File>,
) -> Result<(Making, Vec<head::File>), DiskError> {
    let (stock, mut missing) = (stock(disk), Vec::new());
    for file in files {
        if let Some(fetched) = disk.has_fetched(&file) {
            making.link(&place(&file), &fetched)?;
        } else if let Some(change) = disk.has_change(&file) {
            making.bring_later(&place(&file), file.hash, &change)?;
        } else if !linked(stock.get(&file.hash).map_or(&[][..], Vec::as_slice), &mut making, &file)? {
            missing.push(file);
        }
    }
    Ok((making, missing))
}

/// A disk gave other octets than it got: the hubs have them.
async fn again(means: &Means, file: &head::File) -> Result<PathBuf, agent::Unfit> {
    tracing::warn!(path = %file.path, hash = %file.hash, "no set on this disk has it any more as it was signed");
    for hub in 0..means.hubs.count() {
        let from = (Arc::clone(&means.disk), Arc::clone(&means.hubs));
        if fetch(from, hub, file.clone(), None, means.metrics.clone()).await == Outcome::Got
            && let Some(fetched) = means.disk.has_fetched(file)
        {
            return Ok(fetched);
        }
    }
    Err(agent::Unfit::Later(format!("{} is damaged on this disk, and no hub gives it", file.path)))
}

/// Links a file of another set, if it is still the one that was signed, or all that it will be put together of. It is never
/// written again.
fn linked(from: &[Text], making: &mut Making, file: &head::File) -> Result<bool, DiskError> {
    // Somebody may just put it in its place: then it is seen the second time.
    for _ in 0..2 {
        if let Some(from) = from.iter().find(|from| from.is_sound()) {
            making.link(&place(file), &from.at())?;
            return Ok(true);
        }
        let Some(change) = from.iter().find_map(Text::is_later) else { continue };
        match making.bring_later(&place(file), file.hash, &change) {
            Err(error) if error.error.kind() == io::ErrorKind::NotFound => {}
            left => return left.map(|()| true),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
