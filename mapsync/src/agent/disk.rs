//! What an agent keeps on disk, so that whatever kills it, the next start has the old set or the new one.
//!
//! ```text
//! ROOT/sets/12-5f0c…/            what a generation is on this host
//! ROOT/sets/12-5f0c…/set.json    written last: a folder without it is no set, and the next start removes it
//! ROOT/current                   a link to the set in use
//! ROOT/trusted.json              what was taken, and what became of it
//! ```
//!
//! The order of writing: each file, then each folder, is made durable; then `set.json` comes; then the link is
//! moved by renaming a new one over it. Daemons see nothing but `current`.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use switchyard_mapsync_protocol::trust::HeadRef;

/// A place on disk did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .at.display())]
pub struct DiskError {
    /// The place.
    pub at: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// An agent's folder. One agent at a time has it.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// Held for as long as we live.
    _lock: File,
}

/// A set that is being made; dropped before [`Self::finish`], it never was.
#[derive(Debug)]
pub struct Making {
    at: PathBuf,
    is_done: bool,
}

/// The name of a head's set: its generation for people, and enough of its hash that no two heads share one.
#[must_use]
pub fn set_name(head: &HeadRef) -> String {
    let hash = head.hash.to_string();
    let digits = hash.rsplit('-').next().unwrap_or_default();
    format!("{}-{}", head.generation, digits.get(..16).unwrap_or(digits))
}

impl Disk {
    /// Opens an agent's folder, and clears away what was left half-made.
    ///
    /// # Errors
    /// When it cannot be made or written to, or another agent has it.
    pub fn open(root: &Path) -> Result<Self, DiskError> {
        let sets = root.join(SETS);
        fs::create_dir_all(&sets).map_err(of(&sets))?;
        let lock = root.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = file.map_err(of(&lock))?;
        if let Err(error) = file.try_lock() {
            let error = io::Error::other(format!("another agent keeps its sets here: {error}"));
            return Err(DiskError { at: root.to_owned(), error });
        }
        let disk = Self { root: root.to_owned(), _lock: file };
        for name in names(&sets)?.iter().filter(|name| !disk.has(name)) {
            remove(&sets.join(name))?;
        }
        Ok(disk)
    }

    /// The link that daemons read through.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    /// The folder of a set.
    #[must_use]
    pub fn set(&self, name: &str) -> PathBuf {
        self.root.join(SETS).join(name)
    }

    /// Whether a set of this name is there, and whole.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.set(name).join(WHOLE).is_file()
    }

    /// The set in use; none before the first.
    #[must_use]
    pub fn in_use(&self) -> Option<String> {
        let target = fs::read_link(self.current()).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Begins a set.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&self, name: &str) -> Result<Making, DiskError> {
        let at = self.set(name);
        if self.has(name) {
            return Err(of(&at)(io::ErrorKind::AlreadyExists.into()));
        }
        // An attempt of before that could not even clear up after itself.
        remove(&at)?;
        DirBuilder::new().mode(0o755).create(&at).map_err(of(&at))?;
        Ok(Making { at, is_done: false })
    }

    /// Puts a set in use: from here on daemons read it.
    ///
    /// # Errors
    /// When it is not there, or the disk's; the set of before then stays in use.
    pub fn flip(&self, name: &str) -> Result<(), DiskError> {
        if !self.has(name) {
            return Err(DiskError { at: self.set(name), error: io::ErrorKind::NotFound.into() });
        }
        let aside = self.root.join(format!(".{CURRENT}"));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(of(&aside)(error)),
            _ => {}
        }
        symlink(Path::new(SETS).join(name), &aside).map_err(of(&aside))?;
        let current = self.current();
        fs::rename(&aside, &current).map_err(of(&current))?;
        sync_folder(&self.root)
    }

    /// What was kept last; nothing before the first time.
    ///
    /// # Errors
    /// The disk's.
    pub fn state(&self) -> Result<Option<Vec<u8>>, DiskError> {
        let at = self.root.join(STATE);
        match fs::read(&at) {
            Ok(octets) => Ok(Some(octets)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(of(&at)(error)),
        }
    }

    /// Keeps what is known, before anything is done by it.
    ///
    /// # Errors
    /// The disk's; what was kept before then stands.
    pub fn keep_state(&self, octets: &[u8]) -> Result<(), DiskError> {
        put(&self.root, STATE, octets, 0o600)
    }

    /// Removes all sets but the newest `keep`, those of `also`, and the one in use.
    ///
    /// # Errors
    /// The disk's.
    pub fn sweep(&self, keep: usize, also: &[&str]) -> Result<(), DiskError> {
        let sets = self.root.join(SETS);
        let in_use = self.in_use();
        let mut numbered: Vec<(u64, String)> = names(&sets)?.into_iter().filter_map(numbered).collect();
        numbered.sort();
        numbered.reverse();
        for (_, name) in numbered.into_iter().skip(keep) {
            if in_use.as_deref() != Some(&name) && !also.contains(&name.as_str()) {
                // First of all it ceases to be a set: what is half removed must not look like one.
                let at = sets.join(&name);
                match fs::remove_file(at.join(WHOLE)) {
                    // It ceased to be one before, and something kept the rest from going.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed.map_err(of(&at))?,
                }
                sync_folder(&at)?;
                remove(&at)?;
            }
        }
        Ok(())
    }
}

impl Making {
    /// Where it is made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// A new file of it, and the folders that it stands in. Its name was checked by whoever signed for it, and by
    /// us (`Path`): it leads nowhere else.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(&self, name: &str) -> Result<File, DiskError> {
        let at = self.at.join(name);
        if let Some(folder) = at.parent() {
            DirBuilder::new().mode(0o755).recursive(true).create(folder).map_err(of(folder))?;
        }
        // Never through a link, and never over what is there.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&at).map_err(of(&at))
    }

    /// A file of it in one go.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, name: &str, octets: &[u8]) -> Result<(), DiskError> {
        self.create(name)?.write_all(octets).map_err(of(&self.at.join(name)))
    }

    /// Takes a file out again.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        let at = self.at.join(name);
        fs::remove_file(&at).map_err(of(&at))
    }

    /// Makes all of it durable, then says so beside it: from here on it is a set.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, told: &[u8]) -> Result<(), DiskError> {
        make_durable(&self.at)?;
        if let Some(sets) = self.at.parent() {
            sync_folder(sets)?;
        }
        put(&self.at, WHOLE, told, 0o444)?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.is_done {
            // If that fails, the next start does it.
            let _ = remove(&self.at);
        }
    }
}

/// Every file and folder below, and this one, from the inside out. Files are for everybody to read, nobody to write.
fn make_durable(folder: &Path) -> Result<(), DiskError> {
    for entry in fs::read_dir(folder).map_err(of(folder))? {
        let entry = entry.map_err(of(folder))?;
        let at = entry.path();
        if entry.file_type().map_err(of(&at))?.is_dir() {
            make_durable(&at)?;
            continue;
        }
        let file = File::open(&at).map_err(of(&at))?;
        file.set_permissions(Permissions::from_mode(0o444)).map_err(of(&at))?;
        file.sync_all().map_err(of(&at))?;
    }
    // Whatever the process's mask is: daemons of other users read here.
    fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(of(folder))?;
    sync_folder(folder)
}

/// A file in the place of another, or of none: whole or not at all.
fn put(folder: &Path, name: &str, octets: &[u8], mode: u32) -> Result<(), DiskError> {
    let (at, aside) = (folder.join(name), folder.join(format!(".{name}")));
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
    let written = open.and_then(|mut file| {
        file.write_all(octets)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()
    });
    written.map_err(of(&aside))?;
    fs::rename(&aside, &at).map_err(of(&at))?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), DiskError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(of(folder))
}

fn remove(folder: &Path) -> Result<(), DiskError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of(folder)(error)),
        _ => Ok(()),
    }
}

/// What stands in a folder; a name that is no text is none of ours.
fn names(folder: &Path) -> Result<Vec<String>, DiskError> {
    let entries = fs::read_dir(folder).map_err(of(folder))?;
    let entries = entries.collect::<io::Result<Vec<_>>>().map_err(of(folder))?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.file_name())
        .map(OsString::into_string)
        .filter_map(Result::ok)
        .collect())
}

/// A set's generation and its name.
fn numbered(name: String) -> Option<(u64, String)> {
    let generation = name.split_once('-')?.0.parse().ok()?;
    Some((generation, name))
}

fn of(at: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let at = at.to_owned();
    move |error| DiskError { at, error }
}

const SETS: &str = "sets";
/// What makes a folder a set, and says what it is.
pub const WHOLE: &str = "set.json";
const CURRENT: &str = "current";
const STATE: &str = "trusted.json";
const LOCK: &str = "lock";

#[cfg(test)]
mod tests;
