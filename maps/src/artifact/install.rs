//! Putting a compiled map in place: whole or not at all, and never to be written again.
//!
//! Write under another name → fsync → mode 0444 → rename → fsync the folder. A reader of the old file goes on
//! with the old octets; after a crash there is the old file or the new one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// The file is written in pieces of a huge page, each in its place. A file system with large folios (ext4 since
/// Linux 6.16, XFS) keeps them so in memory, and a mapped file then costs one entry of the page table where it
/// would cost 512: a random read is a third faster.
const PIECE: usize = 2 << 20;

/// A file on its way to its place; dropped without [`Self::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Install {
    file: File,
    /// What is not yet written: up to the next multiple of [`PIECE`].
    piece: Vec<u8>,
    /// Where the piece belongs.
    at: u64,
    aside: PathBuf,
    place: PathBuf,
}

impl Install {
    /// What a name ends in until the file is in place; one left by a crash may be removed.
    pub const ASIDE: &str = ".new";

    /// Starts a file that will stand at `place`.
    ///
    /// # Errors
    /// `place` has no name, or its folder cannot be written to.
    pub fn create(place: &Path) -> io::Result<Self> {
        let name = place.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut aside = OsString::from(".");
        aside.push(name);
        aside.push(format!(".{}-{}{}", process::id(), next(), Self::ASIDE));
        let aside = place.with_file_name(aside);
        // Only ours until it is whole; `create_new` follows no link that waits under this name.
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&aside)?;
        Ok(Self { file, piece: Vec::new(), at: 0, aside, place: place.to_owned() })
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// The disk's; the old file then still stands.
    pub fn commit(mut self) -> io::Result<()> {
        self.flush()?;
        // Before the name: a reader never sees a file that may be written to.
        self.file.set_permissions(Permissions::from_mode(0o444))?;
        self.file.sync_all()?;
        fs::rename(&self.aside, &self.place)?;
        let folder = match self.place.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }
}

/// Two installers of one process never share a name.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Drop for Install {
    fn drop(&mut self) {
        // After the rename there is nothing under this name; if removing fails, `ASIDE` says what it is.
        let _ = fs::remove_file(&self.aside);
    }
}

impl Write for Install {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // After a seek the first piece ends early, where the next one starts.
        let room = PIECE - (self.at as usize + self.piece.len()) % PIECE;
        let (taken, _) = octets.split_at(octets.len().min(room));
        self.piece.extend_from_slice(taken);
        if taken.len() == room {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.piece)?;
        self.at += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }
}

impl Seek for Install {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.flush()?;
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Bytes;

    fn install(place: &Path, octets: &[u8]) {
        let mut install = Install::create(place).unwrap();
        install.write_all(octets).unwrap();
        install.commit().unwrap();
    }

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn an_installed_file_is_whole_read_only_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("transport.swm");
        install(&place, b"octets");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o444);
        assert!(matches!(Bytes::open(&place).unwrap(), Bytes::Mapped(map) if map[..] == *b"octets"));
        assert_eq!(names(folder.path()), ["transport.swm"]);
    }

    #[test]
    fn pieces_and_seeks_do_not_show_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("transport.swm");
        let octets: Vec<u8> = (0..2 * PIECE as u32 + 777).map(|number| (number / 3) as u8).collect();
        let mut install = Install::create(&place).unwrap();
        for part in octets.chunks(300_001) {
            install.write_all(part).unwrap();
        }
        install.seek(SeekFrom::Start(5)).unwrap();
        install.write_all(b"head").unwrap();
        install.commit().unwrap();
        let installed = fs::read(&place).unwrap();
        assert!(
            installed[..5] == octets[..5] && installed[5..9] == *b"head" && installed[9..] == octets[9..]
        );
    }

    #[test]
    fn an_abandoned_file_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("transport.swm");
        install(&place, b"old");
        let mut abandoned = Install::create(&place).unwrap();
        abandoned.write_all(b"half of the n").unwrap();
        drop(abandoned);
        assert_eq!(fs::read(&place).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["transport.swm"]);
    }

    #[test]
    fn g3_a_file_replaced_or_removed_while_mapped_goes_on_with_its_old_octets() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("transport.swm");
        let old = vec![b'o'; 3 * 4096 + 17];
        install(&place, &old);
        let mapped = Bytes::open(&place).unwrap();
        install(&place, b"n");
        assert_eq!(mapped[..], old[..]);
        assert_eq!(Bytes::open(&place).unwrap()[..], *b"n");
        fs::remove_file(&place).unwrap();
        assert_eq!(mapped[..], old[..]);
    }

    #[test]
    fn g3_a_file_that_somebody_may_write_to_is_read_and_never_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("transport.swm");
        install(&place, &[b'o'; 9000]);
        for mode in [0o446, 0o464, 0o644] {
            fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
            let held = Bytes::open(&place).unwrap();
            assert!(matches!(held, Bytes::Heap(_)), "{mode:o}");
            assert_eq!(held[..], [b'o'; 9000]);
        }
        // Cut short in place: who holds the octets does not notice.
        let held = Bytes::open(&place).unwrap();
        OpenOptions::new().write(true).open(&place).unwrap().set_len(1).unwrap();
        assert_eq!(held[..], [b'o'; 9000]);
    }

    #[test]
    fn what_is_no_file_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Bytes::open(folder.path()).is_err());
        assert!(Bytes::open(&folder.path().join("none")).is_err());
        assert!(Bytes::open(Path::new("/dev/null")).is_err());
        assert!(Install::create(Path::new("/")).is_err());
    }

    #[test]
    fn an_empty_file_is_empty_and_a_copy_in_huge_pages_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("empty.swm");
        install(&place, b"");
        let empty = Bytes::open(&place).unwrap();
        assert!(empty.is_empty() && empty.huge_copy().unwrap().is_empty());
        empty.populate().unwrap();
        install(&place, &[7; 10_000]);
        let bytes = Bytes::open(&place).unwrap();
        bytes.populate().unwrap();
        assert_eq!(bytes.huge_copy().unwrap()[..], [7; 10_000]);
    }
}
