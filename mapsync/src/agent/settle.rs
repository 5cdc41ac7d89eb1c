//! Large texts of a set, written and made durable a while after it stands.
//!
//! What daemons run by is durable before a set is one: its compiled maps, its settings, and what it says of itself. A table's
//! text is not what they run by. Whoever reads one here looks at its hash first: a change may be laid over it, or it be linked
//! into the next set, only if it is as it was signed, and it is fetched again if it is not. So one of which only a change was
//! fetched is put together while mail already goes by the set, and the disk writes it then; a power cut before it did costs
//! a fetch.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchyard_mapsync_protocol::head::{File, Kind};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::disk::{Disk, DiskError, forget_later, has_later, sync};
use super::stage::Set;
use super::texts::Text;

/// Whether a file of a set may be left for later.
pub(super) fn may_wait(file: &File) -> bool {
    file.kind == Kind::Records && file.bytes >= LARGE
}

/// Does it for those of which a start cannot know that it was done.
pub(super) fn settle_all_soon(disk: &Arc<Disk>) -> Result<(), DiskError> {
    for set in unsettled(disk)? {
        tokio::spawn(settle_soon(Arc::clone(disk), set));
    }
    Ok(())
}

fn unsettled(disk: &Disk) -> Result<Vec<String>, DiskError> {
    let (in_use, mut sets) = (disk.in_use(), disk.sets()?);
    sets.retain(|set| in_use.as_ref() == Some(set) || has_later(&disk.set(set)));
    Ok(sets)
}

/// Does it when hosts and disk have come to rest, and tries again while it cannot be done.
pub(super) async fn settle_soon(disk: Arc<Disk>, set: String) {
    let mut rest = REST;
    loop {
        sleep(rest).await;
        let (disk, name) = (Arc::clone(&disk), set.clone());
        let why = match spawn_blocking(move || settle(&disk, &name)).await {
            Ok(Ok(texts)) => return tracing::info!(set, texts, "a set has settled"),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        rest = (rest * 4).min(LONGEST_REST);
        tracing::warn!(set, why, again = ?rest, "texts of this set are not in their places, or not durable");
    }
}

/// Does it now, for so many texts. Of a set that is gone nothing is left to be done.
fn settle(disk: &Disk, name: &str) -> io::Result<usize> {
    let folder = disk.set(name);
    let set = match Set::read(&folder) {
        Err(error) if is_gone(&error) => return Ok(0),
        set => set?,
    };
    let (mut texts, mut folders, mut why) = (0, BTreeSet::new(), None);
    for file in set.head.files {
        let waited = may_wait(&file);
        let text = Text { set: folder.clone(), file };
        match settled(disk, &text, waited) {
            Ok(true) => texts += 1,
            Ok(false) => {}
            Err(error) => why = why.or(Some(error)),
        }
        folders.extend(text.at().parent().map(Path::to_owned));
    }
    let folders = folders.iter().try_for_each(|folder| sync(folder));
    let done = match why {
        Some(why) => Err(why),
        None => folders.and_then(|()| forget_later(&folder)).map_err(|error| error.error),
    };
    if disk.has(name) { done.map(|()| texts) } else { Ok(texts) }
}

/// Whether a text had to be made durable, and now is.
fn settled(disk: &Disk, text: &Text, waited: bool) -> io::Result<bool> {
    let at = match text.is_later() {
        // Somebody may have had it put together, and then the power went.
        Some(_) => text.brought_sound(disk)?,
        None if waited => text.at(),
        None => return Ok(false),
    };
    match sync(&at).map_err(|error| error.error) {
        // It is fetched when the next set is made.
        Err(error) if is_gone(&error) => Ok(false),
        synced => synced.map(|()| true),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// A smaller one is written at once.
const LARGE: u64 = 1 << 20;
/// Other hosts may share the disk below, and a set may be followed by the next.
const REST: Duration = Duration::from_secs(3);
/// Between two attempts.
const LONGEST_REST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
