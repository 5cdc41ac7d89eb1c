//! Writing so that it is there after the power went, and removing.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::DiskError;

/// Every file and folder below, and this one, from the inside out, but for those that are `left` for later. Files are for
/// everybody to read, nobody to write.
///
/// All modes are set before anything is synced. A file system with a journal then commits them once, with the first
/// file, where each would begin a new commit if it came just before its own sync.
pub(super) fn make_durable(folder: &Path, left: &[PathBuf]) -> Result<(), DiskError> {
    let mut places = Vec::new();
    close_to_writers(folder, &mut places)?;
    places.iter().filter(|at| !left.contains(at)).try_for_each(|at| sync(at))
}

/// Sets the modes of all that is below, and of the folder; `places` gets them from the inside out.
fn close_to_writers(folder: &Path, places: &mut Vec<PathBuf>) -> Result<(), DiskError> {
    for entry in fs::read_dir(folder).map_err(of(folder))? {
        let entry = entry.map_err(of(folder))?;
        let at = entry.path();
        if entry.file_type().map_err(of(&at))?.is_dir() {
            close_to_writers(&at, places)?;
        } else {
            set_mode(&at, 0o444)?;
            places.push(at);
        }
    }
    // Whatever the process's mask is: daemons of other users read here.
    set_mode(folder, 0o755)?;
    places.push(folder.to_owned());
    Ok(())
}

/// A file of a set of before has its mode already.
fn set_mode(at: &Path, mode: u32) -> Result<(), DiskError> {
    let has = fs::metadata(at).map_err(of(at))?.permissions().mode() & 0o7777;
    if has == mode { Ok(()) } else { fs::set_permissions(at, Permissions::from_mode(mode)).map_err(of(at)) }
}

/// A file in the place of another, or of none: whole or not at all.
pub(in crate::agent) fn put(folder: &Path, name: &str, octets: &[u8], mode: u32) -> Result<(), DiskError> {
    let (at, aside) = (folder.join(name), folder.join(format!(".{name}")));
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
    let written = open.and_then(|mut file| {
        file.write_all(octets)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()
    });
    written.map_err(of(&aside))?;
    fs::rename(&aside, &at).map_err(of(&at))?;
    sync(folder)
}

/// Makes a file durable, or the names in a folder.
pub(in crate::agent) fn sync(at: &Path) -> Result<(), DiskError> {
    File::open(at).and_then(|open| open.sync_all()).map_err(of(at))
}

/// A folder and all in it, if it is there.
pub(super) fn remove(folder: &Path) -> Result<(), DiskError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of(folder)(error)),
        _ => Ok(()),
    }
}

/// What stands in a folder; a name that is no text is none of ours.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, DiskError> {
    let entries = fs::read_dir(folder).map_err(of(folder))?;
    let entries = entries.collect::<io::Result<Vec<_>>>().map_err(of(folder))?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.file_name())
        .map(OsString::into_string)
        .filter_map(Result::ok)
        .collect())
}

pub(super) fn of(at: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let at = at.to_owned();
    move |error| DiskError { at, error }
}
