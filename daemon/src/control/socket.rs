//! The socket's file: made so that nobody else can open it at any moment, in the place of one that a dead
//! process left, and never in the place of one that answers.
//!
//! It is bound under another name, closed to others, and only then renamed to its own. The folder is locked
//! meanwhile, and must be one that nobody else may write to: whoever can rename in it can take our place.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use tokio::net::UnixListener;

use super::ControlError;

/// A bound socket; its file goes when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode: another process may have taken the name since.
    is: (u64, u64),
}

impl Socket {
    /// Binds `path`. Needs the run time.
    pub(super) fn bind(path: &Path) -> Result<Self, ControlError> {
        let failed = |source| ControlError::Bind { path: path.to_owned(), source };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
        else {
            return Err(failed(io::Error::other("not the path of a file")));
        };
        let lock = own_folder(folder).map_err(failed)?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(there) if !there.file_type().is_socket() => {
                return Err(failed(io::Error::other("something that is no socket stands there")));
            }
            Ok(_) => match UnixStream::connect(path) {
                Ok(_answers) => return Err(ControlError::InUse(path.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    tracing::info!(socket = %path.display(), "a dead process's socket is replaced");
                }
                Err(error) => return Err(failed(error)),
            },
        }
        let aside = folder.join(format!(".{name}.new"));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&aside).map_err(failed)?;
        fs::set_permissions(&aside, Permissions::from_mode(0o600)).map_err(failed)?;
        let metadata = fs::symlink_metadata(&aside).map_err(failed)?;
        fs::rename(&aside, path).map_err(failed)?;
        drop(lock);
        Ok(Self { listener, path: path.to_owned(), is: (metadata.dev(), metadata.ino()) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.is);
        if ours {
            // If it stays, the next start replaces it.
            let _best_effort = fs::remove_file(&self.path);
        }
    }
}

/// Makes the folder if need be, and locks it until the file is dropped.
fn own_folder(path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let folder = File::open(path)?;
    let metadata = folder.metadata()?;
    if metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other(format!("{} belongs to another user", path.display())));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("others may write to {}", path.display())));
    }
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(folder),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(io::Error::other(format!("another process uses {} at this moment", path.display())))
        }
        Err(error) => Err(error.into()),
    }
}
