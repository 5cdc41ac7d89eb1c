//! Large texts of a set, made durable a while after it stands.
//!
//! What daemons run by is durable before a set is one: its compiled maps, its settings, and what it says of itself. A table's
//! text is not what they run by. Whoever reads one here looks at its hash first: it may lie over a text of the next set, or
//! be linked into one, only if it is as it was signed, and is fetched again if it is not. So the disk may write it while mail
//! already goes by the set, and a power cut before it did costs a fetch.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use switchyard_mapsync_protocol::head::{File, Kind};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::disk::{Disk, sync};
use super::stage::{Set, place};

/// Whether a file of a set may be left for later.
pub(super) fn may_wait(file: &File) -> bool {
    file.kind == Kind::Records && file.bytes >= LARGE
}

/// Does it when hosts and disk have come to rest.
pub(super) async fn settle_soon(disk: Arc<Disk>, set: String) {
    sleep(REST).await;
    let name = set.clone();
    match spawn_blocking(move || settle(&disk, &name)).await {
        Ok(Ok(texts)) => tracing::info!(set, texts, "a set has settled"),
        Ok(Err(error)) => {
            tracing::warn!(set, %error, "texts of this set are not durable; one that is lost is fetched again");
        }
        Err(error) => tracing::warn!(set, %error, "making texts durable ended early"),
    }
}

/// Does it now, for so many texts. Of a set that is gone nothing is left to be done.
fn settle(disk: &Disk, name: &str) -> io::Result<usize> {
    let folder = disk.set(name);
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let set = match Set::read(&folder) {
        Err(error) if gone(&error) => return Ok(0),
        set => set?,
    };
    let texts = set.head.files.iter().filter(|file| may_wait(file));
    let places: Vec<PathBuf> = texts.map(|file| folder.join(place(file))).collect();
    for at in &places {
        match sync(at) {
            Err(error) if !gone(&error.error) => return Err(error.error),
            _ => {}
        }
    }
    Ok(places.len())
}

/// A smaller one is written at once.
const LARGE: u64 = 1 << 20;
/// Other hosts may share the disk below, and a set may be followed by the next.
const REST: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::hash::Hash;

    use super::*;

    #[test]
    fn only_large_texts_of_tables_wait() {
        let file = |kind, bytes| File {
            path: "maps/transport".to_owned().try_into().unwrap(),
            hash: Hash::of(b""),
            bytes,
            kind,
            records: 0,
        };
        assert!(may_wait(&file(Kind::Records, LARGE)));
        assert!(!may_wait(&file(Kind::Records, LARGE - 1)));
        assert!(!may_wait(&file(Kind::Text, 100 * LARGE)), "settings and behaviours among them");
    }

    #[test]
    fn of_a_set_that_is_gone_nothing_is_left_to_be_done() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path()).unwrap();
        assert_eq!(settle(&disk, "1-a").unwrap(), 0);
        let making = disk.begin("1-a").unwrap();
        making.finish(b"{}").unwrap();
        assert!(settle(&disk, "1-a").is_err(), "what it says of itself cannot be read");
    }
}
