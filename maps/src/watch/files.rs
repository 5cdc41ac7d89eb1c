//! The files of a set as the system shows them: what tells one version from another, and who is told of a change.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// What tells one version of the files from another without reading them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look(BTreeMap<PathBuf, Option<[u64; 7]>>);

impl Look {
    pub(super) fn at(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (version(&file), file)).map(|(seen, file)| (file, seen)).collect())
    }

    /// A file that is another version now, of those that both looks saw.
    pub(super) fn other_in<'a>(&'a self, now: &Self) -> Option<&'a Path> {
        let is_other = |(file, seen): &(&PathBuf, _)| now.0.get(*file).is_some_and(|now| now != *seen);
        self.0.iter().find(is_other).map(|(file, _)| file.as_path())
    }
}

/// The time of the last change of the file's node stands beside that of its content: whoever copies a file with
/// its times, as `cp -p` and `rsync -t` do, cannot set that one.
fn version(file: &Path) -> Option<[u64; 7]> {
    let file = fs::metadata(file).ok()?;
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    let [mtime, mtime_nsec, ctime, ctime_nsec] = times.map(i64::cast_unsigned);
    Some([file.dev(), file.ino(), file.len(), mtime, mtime_nsec, ctime, ctime_nsec])
}

/// The folders that the files stand in, or a link on the way to one, and the system's watch on each.
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// The files' names: what else stands in a folder is nobody's concern.
    names: Arc<Mutex<BTreeSet<OsString>>>,
    /// Where a candidate is looked for.
    candidate: Option<PathBuf>,
    /// Device and inode of what is watched: a folder may be moved away and another put in its place.
    watched: BTreeMap<PathBuf, Option<(u64, u64)>>,
}

impl Folders {
    pub(super) fn new(
        files: &BTreeSet<PathBuf>,
        candidate: Option<PathBuf>,
        changed: mpsc::Sender<()>,
    ) -> Self {
        let names = Arc::new(Mutex::new(BTreeSet::new()));
        let ours = Arc::clone(&names);
        let on_event = move |event: notify::Result<Event>| {
            let ours = ours.lock().unwrap_or_else(PoisonError::into_inner);
            let mut named = event.iter().flat_map(|event| &event.paths).filter_map(|path| path.file_name());
            let is_ours = match &event {
                Ok(event) => {
                    is_change(event.kind) && (event.need_rescan() || named.any(|name| ours.contains(name)))
                }
                Err(_) => true,
            };
            if is_ours {
                // Full means that a change is waiting to be read already.
                let _ = changed.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(on_event)
            .inspect_err(
                |error| tracing::warn!(%error, "cannot watch map folders, looking at the files instead"),
            )
            .ok();
        let mut folders = Self { watcher, names, candidate, watched: BTreeMap::new() };
        folders.follow(files);
        folders
    }

    /// From now on these are the files.
    pub(super) fn follow(&mut self, files: &BTreeSet<PathBuf>) {
        // Whoever moves a link on the way to a file changes the file: an agent puts a whole set in use so.
        let links = files.iter().flat_map(|file| file.ancestors().skip(1)).filter(|place| place.is_symlink());
        // A candidate comes and goes by a link that leads to it as well, which is not there in between.
        let candidate = self.candidate.as_deref();
        let ways = candidate.into_iter().flat_map(Path::ancestors);
        let ways = ways.filter(|way| Some(*way) == candidate || way.is_symlink() || !way.exists());
        let places: BTreeSet<&Path> = files.iter().map(PathBuf::as_path).chain(links).chain(ways).collect();
        let names = places.iter().filter_map(|place| place.file_name().map(ToOwned::to_owned)).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let folders: BTreeSet<&Path> = places.iter().filter_map(|place| place.parent()).collect();
        for (folder, watched) in self.watched.extract_if(.., |folder, _| !folders.contains(folder.as_path()))
        {
            if let (Some(watcher), Some(_)) = (&mut self.watcher, watched) {
                // The system drops the watch on a folder that is gone by itself.
                let _ = watcher.unwatch(&folder);
            }
        }
        for folder in folders {
            self.watched.entry(folder.to_path_buf()).or_default();
        }
        self.watch();
    }

    /// Puts a watch on each folder that has none, or is another one than before.
    pub(super) fn watch(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for (folder, watched) in &mut self.watched {
            let now = fs::metadata(folder).ok().map(|folder| (folder.dev(), folder.ino()));
            if now == *watched {
                continue;
            }
            if watched.take().is_some() {
                // The system drops the watch on a folder that is gone by itself.
                let _ = watcher.unwatch(folder);
            }
            if now.is_some() && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
                *watched = now;
            }
        }
    }
}

/// Our own reading is an event too, and none that matters.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn an_edit_of_the_same_length_with_the_old_time_is_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("transport");
        let open = fs::File::create(&file).unwrap();
        open.write_all_at(b"a.example smtp:[one]\n", 0).unwrap();
        let before = fs::metadata(&file).unwrap();
        let seen = Look::at([file.clone()]);
        assert_eq!(seen, Look::at([file.clone()]));
        let ctime = |file: &fs::Metadata| (file.ctime(), file.ctime_nsec());
        let (end, mut after) = (Instant::now() + Duration::from_secs(60), before.clone());
        // The system's clock for files goes on in steps.
        while ctime(&after) == ctime(&before) && Instant::now() < end {
            open.write_all_at(b"a.example smtp:[two]\n", 0).unwrap();
            open.set_modified(before.modified().unwrap()).unwrap();
            after = fs::metadata(&file).unwrap();
        }
        let told_before = (before.ino(), before.len(), before.modified().unwrap());
        assert_eq!((after.ino(), after.len(), after.modified().unwrap()), told_before);
        assert_ne!(Look::at([file]), seen);
    }
}
