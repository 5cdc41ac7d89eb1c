//! Tables that were read whole not long ago: what a disk has lost shows when it is looked for, and need not be looked for at
//! each of many pushes in a row.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When which file was found to be as it was made, however many names it has.
#[derive(Debug, Default)]
pub struct Checked(Mutex<BTreeMap<File, Instant>>);

/// A file as long as nobody changed anything about its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl File {
    fn at(place: &Path) -> Option<Self> {
        let metadata = fs::metadata(place).ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { device: metadata.dev(), inode: metadata.ino(), modified })
    }
}

impl Checked {
    /// Notes that a file was read, and is as it was made. Of one that cannot be looked at nothing is known.
    pub(super) fn note(&self, file: &Path) {
        if let Some(file) = File::at(file) {
            self.at(Instant::now(), |files, now| files.insert(file, now));
        }
    }

    /// Whether it was read lately.
    pub(super) fn has(&self, file: &Path) -> bool {
        File::at(file).is_some_and(|file| self.at(Instant::now(), |files, _| files.contains_key(&file)))
    }

    fn at<T>(&self, now: Instant, look: impl FnOnce(&mut BTreeMap<File, Instant>, Instant) -> T) -> T {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, read| now.saturating_duration_since(*read) < BELIEVED);
        look(&mut files, now)
    }
}

/// A table is read again by the first push after so long.
const BELIEVED: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_believed_for_an_hour_under_each_of_its_names_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other, link] = ["one", "other", "link"].map(|name| folder.path().join(name));
        fs::File::create(&one).unwrap();
        fs::File::create(&other).unwrap();
        fs::hard_link(&one, &link).unwrap();
        let checked = Checked::default();
        checked.note(&one);
        assert!(checked.has(&link) && !checked.has(&other));
        let later = |time| checked.at(Instant::now() + time, |files, _| files.len());
        assert_eq!((later(BELIEVED / 2), later(BELIEVED)), (1, 0));
    }
}
