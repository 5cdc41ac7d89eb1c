//! From a head to a set that is ready: every file copied from a set that has it or fetched from a hub, each held
//! against its hash and length; then made for this host, proved, and made durable.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use switchyard_maps::installed::InstallError;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{self, Head};
use switchyard_mapsync_protocol::trust::HeadRef;

use super::disk::{Disk, DiskError, Making, set_name};
use super::host::{self, SITE, Unfit};
use crate::client::{ClientError, Hub};

/// What a set says of itself, in `set.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Its head.
    pub head: HeadRef,
    /// The host that it was made for.
    pub host: String,
    /// The daemon that runs by it.
    pub daemon: String,
    /// When the head was signed.
    pub created: Timestamp,
    /// From then on the head is not taken any more.
    pub expires: Timestamp,
    /// Who made it, and why.
    pub author: String,
    /// Why.
    pub note: String,
    /// The files of the site.
    pub files: Vec<head::File>,
}

/// Why a set is not ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// Another hub, or the same later, may do better.
    #[error(transparent)]
    Hub(#[from] ClientError),
    /// There may be room later.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// This host cannot run by it, now or later.
    #[error(transparent)]
    Unfit(Unfit),
    /// A bug of ours.
    #[error("making it ended early: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

impl From<Unfit> for StageError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Disk(error) => Self::Disk(error),
            Unfit::Maps(InstallError::Disk { file, error }) => Self::Disk(DiskError { at: file, error }),
            other => Self::Unfit(other),
        }
    }
}

impl Set {
    /// What a set says of itself.
    ///
    /// # Errors
    /// When it says nothing.
    pub fn read(folder: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(folder.join(super::disk::WHOLE))?)?)
    }
}

/// Makes the set of a head, unless it is there.
pub(super) async fn stage(
    disk: &Disk,
    head: &Head,
    at: HeadRef,
    host: &str,
    hub: &mut Hub,
) -> Result<(), StageError> {
    let name = set_name(&at);
    if disk.has(&name) {
        return Ok(());
    }
    let making = disk.begin(&name)?;
    let before = disk.in_use().map(|name| disk.set(&name)).and_then(|at| Some((Set::read(&at).ok()?, at)));
    for file in &head.files {
        let place = format!("{SITE}/{}", file.path);
        if !copied(&making, &place, file, before.as_ref())? {
            let mut open = making.create(&place)?;
            hub.file(file, &mut open).await?;
        }
    }
    let (name, current) = (host.to_owned(), disk.current());
    let runtime = tokio::runtime::Handle::current();
    // Compiling may take seconds: not on a thread that hears hubs.
    let made = tokio::task::spawn_blocking(move || {
        let made = runtime.block_on(host::make(&making, &name, &current));
        (making, made)
    });
    let (making, made) = made.await?;
    let made = made?;
    let set = Set {
        head: at,
        host: host.to_owned(),
        daemon: made.daemon.to_owned(),
        created: head.created,
        expires: head.expires,
        author: head.author.clone(),
        note: head.note.clone(),
        files: head.files.clone(),
    };
    let told = serde_json::to_vec_pretty(&set)
        .map_err(|error| DiskError { at: disk.set(&set_name(&at)), error: error.into() })?;
    Ok(tokio::task::spawn_blocking(move || making.finish(&told)).await??)
}

/// Takes a file from the set in use, if that has it. A disk that gives other octets is found out, and the hub asked.
fn copied(
    making: &Making,
    place: &str,
    file: &head::File,
    before: Option<&(Set, PathBuf)>,
) -> Result<bool, DiskError> {
    let Some((before, at)) = before else { return Ok(false) };
    let Some(same) = before.files.iter().find(|old| old.hash == file.hash && old.bytes == file.bytes) else {
        return Ok(false);
    };
    let Ok(from) = File::open(at.join(SITE).join(same.path.as_str())) else { return Ok(false) };
    let mut to = making.create(place)?;
    let is_it = copy(from, &mut to, file);
    if !matches!(is_it, Ok(true)) {
        drop(to);
        making.remove(place)?;
    }
    is_it.map_err(|error| DiskError { at: making.path().join(place), error })
}

fn copy(mut from: File, to: &mut File, file: &head::File) -> io::Result<bool> {
    let (mut hasher, mut piece, mut length) = (blake3::Hasher::new(), vec![0; PIECE], 0);
    loop {
        let read = from.read(&mut piece)?;
        let (octets, _) = piece.split_at(read);
        if octets.is_empty() {
            return Ok(length == file.bytes && Hash::from(hasher.finalize()) == file.hash);
        }
        length += read as u64;
        hasher.update(octets);
        to.write_all(octets)?;
    }
}

const PIECE: usize = 1 << 20;
