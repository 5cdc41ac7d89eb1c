//! Whether a folder may hold mail: ours alone, not reachable through a link, and used by one process
//! (H1, H2, H5). Every refusal says which folder, what is wrong and what to do.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::OpenError;

/// Opens the spool's folder, making it if it is not there.
pub(super) fn safe_folder(path: &Path) -> Result<OwnedFd, OpenError> {
    // A slash at the end would make the kernel follow a link after all.
    let path: &Path = &path.components().collect::<PathBuf>();
    let io = |error: io::Error| OpenError::io(path, "open", error);
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    };
    let above = rustix::fs::stat(parent).map_err(|errno| io(errno.into()))?;
    let mode = Mode::from_raw_mode(above.st_mode);
    if mode.contains(Mode::WOTH) && !mode.contains(Mode::SVTX) {
        return Err(unsafe_folder(parent, "everybody may rename what is in it", "chmod o-w"));
    }
    let folder = match open_folder(rustix::fs::CWD, path) {
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(not_a_folder(path)),
        other => other.map_err(|errno| io(errno.into()))?,
    };
    check_folder(&folder, path)?;
    // What was just made must not vanish with the power.
    let parent = File::open(parent).map_err(io)?;
    parent.sync_all().map_err(io)?;
    Ok(folder)
}

/// Opens a folder inside it, making it if it is not there.
pub(super) fn safe_subfolder(top: &OwnedFd, path: &Path, name: &str) -> Result<OwnedFd, OpenError> {
    let path = path.join(name);
    let io = |errno: Errno| OpenError::io(&path, "open", errno.into());
    match rustix::fs::mkdirat(top, name, Mode::RWXU) {
        Ok(()) => rustix::fs::fsync(top).map_err(io)?,
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(io(errno)),
    }
    let folder = match open_folder(top, Path::new(name)) {
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(not_a_folder(&path)),
        other => other.map_err(io)?,
    };
    check_folder(&folder, &path)?;
    Ok(folder)
}

/// Takes the lock that makes this process the only one, or says that another has it.
pub(super) fn lock(top: &OwnedFd, path: &Path) -> Result<File, OpenError> {
    let name = path.join(LOCK);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(top, LOCK, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| OpenError::io(&name, "open", errno.into()))?;
    own_regular_file(&file).map_err(|error| OpenError::io(&name, "trust", error))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(File::from(file)),
        Err(Errno::WOULDBLOCK) => Err(OpenError::InUse { folder: path.to_owned() }),
        Err(errno) => Err(OpenError::io(&name, "lock", errno.into())),
    }
}

/// Refuses a file that somebody else made, or that has a second name somewhere.
pub(super) fn own_regular_file(file: impl AsFd) -> io::Result<()> {
    let state = rustix::fs::fstat(file)?;
    let complaint = if FileType::from_raw_mode(state.st_mode) != FileType::RegularFile {
        "it is not a regular file"
    } else if state.st_nlink != 1 {
        "it has a second name (hard link)"
    } else if state.st_uid != rustix::process::geteuid().as_raw() {
        "it belongs to another user"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, complaint))
}

fn open_folder(at: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
}

fn check_folder(folder: &OwnedFd, path: &Path) -> Result<(), OpenError> {
    let state: Stat =
        rustix::fs::fstat(folder).map_err(|errno| OpenError::io(path, "check", errno.into()))?;
    if state.st_uid != rustix::process::geteuid().as_raw() {
        return Err(unsafe_folder(path, "it belongs to another user", "chown it to the user of this daemon"));
    }
    if Mode::from_raw_mode(state.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return Err(unsafe_folder(path, "other users may write to it", "chmod 0700"));
    }
    Ok(())
}

fn not_a_folder(path: &Path) -> OpenError {
    let linked = rustix::fs::statat(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|state| FileType::from_raw_mode(state.st_mode) == FileType::Symlink);
    if linked {
        unsafe_folder(path, "it is a symbolic link", "name the folder that it points to")
    } else {
        unsafe_folder(path, "it is not a folder", "move it away")
    }
}

fn unsafe_folder(path: &Path, complaint: &'static str, remedy: &'static str) -> OpenError {
    OpenError::Unsafe { path: PathBuf::from(path), complaint, remedy }
}

const LOCK: &str = "lock";
