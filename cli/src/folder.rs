//! New folders, each of them whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that is being made beside the place where it will stand; dropped before, it never was.
#[derive(Debug)]
pub(crate) struct Making {
    folder: TempDir,
    out: PathBuf,
}

impl Making {
    /// Begins one that will stand at `out`.
    ///
    /// # Errors
    /// When something stands there already, or nothing can be made there: in words for the person.
    pub(crate) fn begin(out: &Path) -> Result<Self, String> {
        refuse_full(out)?;
        // On the same file system as the place: what is there already may be a mount of its own.
        let beside =
            || out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let near = if out.is_dir() { out } else { beside() };
        let folder = tempfile::Builder::new().prefix(".making").tempdir_in(near);
        let folder = folder.map_err(|error| cannot(out, &error))?;
        Ok(Self { folder, out: out.to_owned() })
    }

    /// Where its files are written meanwhile.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of it, and the folders that it stands in.
    ///
    /// # Errors
    /// When there is no room: in words for the person.
    pub(crate) fn write(&self, name: &Path, octets: &[u8]) -> Result<(), String> {
        let path = self.path().join(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| File::create(&path))
            .and_then(|mut file| file.write_all(octets).and_then(|()| file.sync_all()));
        written.map_err(|error| cannot(&self.out, &error))
    }

    /// Puts it where it shall stand.
    ///
    /// # Errors
    /// When somebody was faster: in words for the person.
    pub(crate) fn finish(self) -> Result<(), String> {
        put_in_place(self.folder, &self.out).map_err(|error| cannot(&self.out, &error))
    }
}

fn cannot(out: &Path, error: &io::Error) -> String {
    format!("{}: cannot be made: {error}", out.display())
}

/// Says no to a folder in which something stands.
pub(crate) fn refuse_full(out: &Path) -> Result<(), String> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(format!("{}: is not empty, and nothing in it is overwritten", out.display())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {error}", out.display())),
    }
}

/// A folder that is whole takes the place of none, or of an empty one.
pub(crate) fn put_in_place(making: TempDir, out: &Path) -> io::Result<()> {
    if out.is_dir() {
        // Somebody may stand in it: it stays, and what is new moves in.
        return move_in(making.path(), out);
    }
    fs::set_permissions(making.path(), Permissions::from_mode(0o755))?;
    fs::rename(making.path(), out)?;
    // It has another name now: there is nothing left to remove under the old one.
    let _ = making.keep();
    Ok(())
}

/// All that is in one folder into another, or nothing.
fn move_in(from: &Path, out: &Path) -> io::Result<()> {
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = out.join(entry.file_name());
        if let Err(error) = fs::rename(entry.path(), &place) {
            for (old, new) in moved {
                fs::rename(new, old)?;
            }
            return Err(error);
        }
        moved.push((entry.path(), place));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("new");
        let making = Making::begin(&out).unwrap();
        making.write(Path::new("a/b"), b"text").unwrap();
        assert!(!out.exists());
        making.finish().unwrap();
        assert_eq!(fs::read_to_string(out.join("a/b")).unwrap(), "text");
        let refused = Making::begin(&out).unwrap_err();
        assert!(refused.ends_with("is not empty, and nothing in it is overwritten"), "{refused}");

        drop(Making::begin(&parent.path().join("never")).unwrap());
        let names: Vec<_> =
            fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["new"], "nothing half-made is left");
    }

    #[test]
    fn an_empty_folder_is_filled_and_stays_the_same_folder() {
        use std::os::unix::fs::MetadataExt;
        let out = tempfile::tempdir().unwrap();
        let before = fs::metadata(out.path()).unwrap().ino();
        let making = Making::begin(out.path()).unwrap();
        making.write(Path::new("a/b"), b"text").unwrap();
        making.finish().unwrap();
        assert_eq!(fs::read_to_string(out.path().join("a/b")).unwrap(), "text");
        assert_eq!(fs::metadata(out.path()).unwrap().ino(), before);
    }
}
