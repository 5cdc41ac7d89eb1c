//! The site's files in the sets on disk: where each stands, and those that are put in their places only when somebody
//! reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use switchyard_maps::installed::Later;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head;

use super::disk::{Disk, later};
use super::host::SITE;
use super::stage::Set;

/// A file of a set that is on disk.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The folder of the set.
    pub(super) set: PathBuf,
    pub(super) file: head::File,
}

impl Text {
    /// Where it stands.
    pub(super) fn at(&self) -> PathBuf {
        self.set.join(place(&self.file))
    }

    /// Where it stands, and does so now if it was left for later. Whoever reads it looks at its hash.
    ///
    /// # Errors
    /// The disk's, or it cannot be put together any more.
    pub(super) fn brought(&self, disk: &Disk) -> io::Result<PathBuf> {
        let at = self.at();
        disk.bring(&self.set, &at, &self.file, || at.exists())?;
        Ok(at)
    }

    /// The same; one that was put together before and has suffered since is so again.
    ///
    /// # Errors
    /// As there.
    pub(super) fn brought_sound(&self, disk: &Disk) -> io::Result<PathBuf> {
        let at = self.at();
        disk.bring(&self.set, &at, &self.file, || self.is_sound())?;
        Ok(at)
    }

    /// Where all lies that it can be put together of, if it was left for later.
    pub(super) fn is_later(&self) -> Option<PathBuf> {
        later(&self.set, self.file.hash)
    }

    /// Whether it is in its place as it was signed. One that cannot be read is not.
    pub(super) fn is_sound(&self) -> bool {
        measure(&self.at(), self.file.bytes).is_ok_and(|hash| hash == self.file.hash)
    }
}

/// Where sets on disk have which files.
pub(super) fn stock(disk: &Disk) -> BTreeMap<Hash, Vec<Text>> {
    let mut stock = BTreeMap::<Hash, Vec<Text>>::new();
    for set in disk.sets().unwrap_or_default().iter().map(|name| disk.set(name)) {
        for file in Set::read(&set).map(|told| told.head.files).unwrap_or_default() {
            stock.entry(file.hash).or_default().push(Text { set: set.clone(), file });
        }
    }
    stock
}

/// Where a file of a head stands in the folder of its set.
pub(super) fn place(file: &head::File) -> String {
    format!("{SITE}/{}", file.path)
}

/// The hash of a file. One octet more than was signed is enough to be another one.
pub(super) fn measure(at: &Path, most: u64) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(at)?.take(most.saturating_add(1)))?;
    Ok(Hash::from(hasher.finalize()))
}

/// All files of a set, for whoever makes tables of them.
#[derive(Debug)]
pub(super) struct Texts {
    disk: Arc<Disk>,
    texts: BTreeMap<PathBuf, Text>,
    failed: OnceLock<String>,
}

impl Texts {
    pub(super) fn of(disk: &Arc<Disk>, set: &Path, files: &[head::File]) -> Arc<Self> {
        let text = |file: &head::File| Text { set: set.to_owned(), file: file.clone() };
        let texts = files.iter().map(text).map(|text| (text.at(), text)).collect();
        Arc::new(Self { disk: Arc::clone(disk), texts, failed: OnceLock::new() })
    }

    /// Why one could not be brought that was wanted: that says nothing about the maps it is of.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }
}

impl Later for Texts {
    fn bring(&self, at: &Path) -> io::Result<()> {
        let Some(text) = self.texts.get(&plain(at)) else { return Ok(()) };
        text.brought(&self.disk).map(drop).inspect_err(|error| {
            let _the_first_is_told = self.failed.set(format!("{}: {error}", at.display()));
        })
    }
}

/// A path without `.` and `..`: settings may name a table so, and in a set no folder is a link.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}
