//! After an upgrade that makes sets in another way: what is on disk is made again of its own files, before anybody is
//! heard.
//!
//! No hub and no release is asked: the host stays where it is, and has the same ways back.

use std::sync::Arc;

use switchyard_mapsync_protocol::agent::Unfit;

use super::disk::{Disk, DiskError, set_name};
use super::stage::{Set, complete, lay_down};

/// Makes this host's sets again that another version made, the one in use first.
///
/// # Errors
/// The disk's. A set that cannot be made again is told of, and stays as it is.
pub(super) async fn renew(disk: &Arc<Disk>, host: &str) -> Result<(), DiskError> {
    let in_use = disk.in_use();
    let mut sets = disk.sets()?;
    sets.sort_unstable_by_key(|name| in_use.as_ref() != Some(name));
    for old in sets {
        let Ok(set) = Set::read(&disk.set(&old)) else { continue };
        let (new, generation) = (set_name(&set.name), set.name.generation);
        if set.host != host || new == old {
            continue;
        }
        match again(disk, set, &new).await {
            Ok(()) => {
                if in_use.as_ref() == Some(&old) {
                    disk.flip(&new)?;
                }
                disk.remove(&old)?;
                tracing::info!(generation, set = new, "a set that another version made is made again");
            }
            Err(Unfit::Later(why) | Unfit::Wrong(why)) => {
                tracing::error!(generation, set = old, why, "a set that another version made is of no use");
            }
        }
    }
    Ok(())
}

async fn again(disk: &Arc<Disk>, set: Set, name: &str) -> Result<(), Unfit> {
    // A start before this one came as far.
    if disk.has(name) {
        return Ok(());
    }
    let later = |error: DiskError| Unfit::Later(error.to_string());
    let (host, set) = (set.host.clone(), set.into_known());
    let making = disk.begin(name).map_err(later)?;
    let (making, missing) = lay_down(disk, making, set.head.files.clone()).map_err(later)?;
    if let Some(file) = missing.first() {
        return Err(Unfit::Later(format!("{} is not on this disk any more as it was signed", file.path)));
    }
    complete(making, set, host, disk).await
}
