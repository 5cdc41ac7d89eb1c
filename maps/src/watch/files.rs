//! The files of a set as the system shows them: what tells one version from another, and who is told of a change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::options::MapOptions;

/// What tells one version of the files from another without reading them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look(BTreeMap<PathBuf, Option<[u64; 5]>>);

impl Look {
    pub(super) fn at(options: &MapOptions) -> Self {
        let look = |file: PathBuf| {
            let seen = fs::metadata(&file).ok().map(|file| {
                [file.dev(), file.ino(), file.len(), file.mtime() as u64, file.mtime_nsec() as u64]
            });
            (file, seen)
        };
        let candidate = options.of_candidate().map(|candidate| candidate.files());
        Self(options.files().into_iter().chain(candidate.into_iter().flatten()).map(look).collect())
    }
}

/// The folders that the files stand in, and the system's watch on each.
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// Device and inode of what is watched: a folder may be moved away and another put in its place.
    watched: BTreeMap<PathBuf, Option<(u64, u64)>>,
}

impl Folders {
    pub(super) fn new(options: &MapOptions, changed: mpsc::Sender<()>) -> Self {
        let files = options.files();
        let folder = |file: &PathBuf| file.parent().map(Path::to_path_buf);
        let watched = files.iter().filter_map(folder).map(|folder| (folder, None)).collect();
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name().map(ToOwned::to_owned)).collect();
        let on_event = move |event: notify::Result<Event>| {
            let ours = match &event {
                Ok(event) => {
                    is_change(event.kind)
                        && (event.need_rescan()
                            || event
                                .paths
                                .iter()
                                .filter_map(|path| path.file_name())
                                .any(|name| names.iter().any(|ours| ours == name)))
                }
                Err(_) => true,
            };
            if ours {
                // Full means that a change is waiting to be read already.
                let _ = changed.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(on_event)
            .inspect_err(
                |error| tracing::warn!(%error, "cannot watch map folders, looking at the files instead"),
            )
            .ok();
        Self { watcher, watched }
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
