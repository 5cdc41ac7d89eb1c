//! Map files change under a running daemon: they are read again, and the set swapped if all of it is good.
//!
//! The FOLDER is watched, since editors and agents replace files by renaming. A change is let settle, and
//! whatever the system tells or forgets to tell, the files are looked at every few seconds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::fault::Faults;
use crate::guard::over_budget;
use crate::metrics::{MapMetrics, SwapResult};
use crate::name::MapName;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{MapSet, Verified};
use crate::swap::MapHandle;

/// Changes that follow one another without a pause are read after so many settle times all the same.
const MAX_SETTLES: u32 = 20;

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// A new set is in use, with this generation.
    Swapped(u64),
    /// The files say what the set in use says.
    Unchanged,
}

/// Reads map sets for one handle, on a change or when asked (SIGHUP).
#[derive(Debug, Clone)]
pub struct Reloader {
    handle: MapHandle,
    options: Arc<MapOptions>,
    metrics: MapMetrics,
    remotes: Remotes,
    /// What is wrong with the newest files; also keeps a bad set from being logged at each look.
    faults: Arc<watch::Sender<Faults>>,
    /// A good set that changes too much at once: it waits for the operator's word.
    refused: Arc<Mutex<Option<Verified<MapSet>>>>,
    /// One reads at a time: what was read first is put in use first.
    reading: Arc<Mutex<()>>,
}

impl Reloader {
    /// For a handle whose set was read by these options; `faults` are what [`MapSet::start`] found.
    #[must_use]
    pub fn new(handle: MapHandle, options: MapOptions, metrics: MapMetrics, faults: &Faults) -> Self {
        let reloader = Self {
            handle,
            remotes: Remotes::new(options.remote.clone(), metrics.remote.clone()),
            options: Arc::new(options),
            metrics,
            faults: Arc::default(),
            refused: Arc::default(),
            reading: Arc::default(),
        };
        reloader.metrics.in_use(&reloader.handle.snapshot());
        reloader.tell(faults, "a map is bad and answers nothing until it is mended");
        reloader
    }

    /// Reads the files and swaps the set if it is good and new. It may take seconds: not for a thread that
    /// serves connections.
    ///
    /// # Errors
    /// With what is wrong; the old set stays in use.
    pub fn reload(&self) -> Result<Reload, Faults> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, faults) = MapSet::start_with(&self.options, &self.remotes);
        let live = self.handle.set();
        if faults.is_empty() && set.get().digest() == live.digest() {
            self.mended();
            self.look_at_candidate();
            return Ok(Reload::Unchanged);
        }
        self.wait_with(None);
        if !faults.is_empty() {
            self.tell(&faults, "the new maps are bad, the old ones stay in use");
            return Err(faults);
        }
        let faults = over_budget(&live, set.get(), self.options.budget);
        if !faults.is_empty() {
            self.wait_with(Some(set));
            self.tell(&faults, "the new maps change too much at once, the old ones stay in use");
            return Err(faults);
        }
        let generation = self.put_in_use(set);
        self.look_at_candidate();
        Ok(Reload::Swapped(generation))
    }

    /// Takes the set that was refused because too much would change at once; none when there is none.
    #[must_use]
    pub fn accept(&self) -> Option<u64> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.wait_with(None).map(|set| self.put_in_use(set))
    }

    /// Keeps a set that waits for the operator's word in place of the one that did, or none.
    fn wait_with(&self, set: Option<Verified<MapSet>>) -> Option<Verified<MapSet>> {
        std::mem::replace(&mut *self.refused.lock().unwrap_or_else(PoisonError::into_inner), set)
    }

    fn put_in_use(&self, set: Verified<MapSet>) -> u64 {
        let generation = self.handle.swap(set);
        self.mended();
        self.metrics.swapped(SwapResult::Swapped);
        self.metrics.in_use(&self.handle.snapshot());
        tracing::info!(generation, "maps swapped");
        generation
    }

    fn mended(&self) {
        self.faults.send_replace(Faults::default());
        self.metrics.load_failed(false);
    }

    /// Asks the candidate beside the set in use while there is one that differs. One that is bad is told, and
    /// not asked.
    fn look_at_candidate(&self) {
        let Some(options) = self.options.of_candidate() else {
            if self.handle.shadow().is_some() {
                self.handle.set_shadow(None);
                tracing::info!("no candidate is asked any more");
            }
            return;
        };
        let (set, faults) = MapSet::start_with(&options, &self.remotes);
        if let Some(fault) = faults.iter().next() {
            self.handle.set_shadow(None);
            tracing::error!(%fault, faults = faults.len(), "the candidate is bad and is not asked");
            return;
        }
        let digest = set.get().digest();
        if self.handle.shadow().is_some_and(|shadow| shadow.set.digest() == digest) {
            return;
        }
        self.handle.set_shadow(Some(set));
        tracing::info!("a candidate is asked beside the maps in use");
    }

    /// Goes back to the set before, until the files change again.
    #[must_use]
    pub fn roll_back(&self) -> Option<u64> {
        let generation = self.handle.roll_back()?;
        self.metrics.swapped(SwapResult::RolledBack);
        self.metrics.in_use(&self.handle.snapshot());
        tracing::warn!(generation, "maps rolled back");
        Some(generation)
    }

    /// What is wrong with the newest files; empty while they are in use.
    #[must_use]
    pub fn faults(&self) -> watch::Receiver<Faults> {
        self.faults.subscribe()
    }

    /// Logs and counts faults, unless they are the last ones again.
    fn tell(&self, faults: &Faults, what: &str) {
        if *self.faults.borrow() == *faults {
            return;
        }
        for fault in faults {
            let (file, line, column) = (fault.file.display(), fault.line, fault.column);
            let map = fault.map.map(MapName::as_str);
            tracing::error!(map, %file, line, column, fault = fault.message, "{what}");
        }
        self.metrics.load_failed(true);
        self.metrics.swapped(SwapResult::Refused);
        self.faults.send_replace(faults.clone());
    }
}

/// Reads the set that a daemon starts with and keeps it current until `shutdown`. A map that cannot be read is
/// "unavailable" until it is mended; the rest answers.
///
/// # Errors
/// When reading panicked, which is a bug.
pub async fn start(
    options: MapOptions,
    metrics: MapMetrics,
    shutdown: CancellationToken,
) -> Result<(MapHandle, Reloader), JoinError> {
    let sources = options.clone();
    let remotes = Remotes::new(options.remote.clone(), metrics.remote.clone());
    let shared = remotes.clone();
    // A large set takes seconds: not on a thread that serves.
    let (set, faults) = tokio::task::spawn_blocking(move || MapSet::start_with(&sources, &shared)).await?;
    let handle = MapHandle::with_metrics(set, Some(metrics.clone()));
    let reloader = Reloader { remotes, ..Reloader::new(handle.clone(), options, metrics, &faults) };
    // Ends by the token; a panic in it is told by the log's hook.
    drop(spawn(reloader.clone(), shutdown));
    Ok((handle, reloader))
}

/// Watches the files of a set and reloads it when they change, until `shutdown`.
pub fn spawn(reloader: Reloader, shutdown: CancellationToken) -> JoinHandle<()> {
    // Looked at before the first wait: what changes from here on is noticed.
    let mut seen = Look::at(&reloader.options);
    tokio::spawn(async move {
        let (changed, mut changes) = mpsc::channel(1);
        let mut folders = Folders::new(&reloader.options, changed);
        folders.watch();
        let options = Arc::clone(&reloader.options);
        // The set may have been read a while ago.
        let mut changed = true;
        loop {
            let look = Look::at(&options);
            if changed || look != seen {
                seen = look;
                let reloader = reloader.clone();
                // What is wrong was logged there, and a panic in it would have been a bug of ours.
                if let Err(error) = tokio::task::spawn_blocking(move || reloader.reload().is_ok()).await {
                    tracing::error!(%error, "reading maps ended early");
                }
            }
            changed = tokio::select! {
                () = shutdown.cancelled() => return,
                Some(()) = changes.recv() => {
                    settle(&mut changes, options.settle).await;
                    true
                }
                () = time::sleep(options.poll) => false,
            };
            folders.watch();
        }
    })
}

/// Waits until nothing changed for a while.
async fn settle(changes: &mut mpsc::Receiver<()>, pause: Duration) {
    for _ in 0..MAX_SETTLES {
        time::sleep(pause).await;
        if changes.try_recv().is_err() {
            return;
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// What tells one version of the files from another without reading them.
#[derive(Debug, PartialEq, Eq)]
struct Look(BTreeMap<PathBuf, Option<[u64; 5]>>);

impl Look {
    fn at(options: &MapOptions) -> Self {
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
struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// Device and inode of what is watched: a folder may be moved away and another put in its place.
    watched: BTreeMap<PathBuf, Option<(u64, u64)>>,
}

impl Folders {
    fn new(options: &MapOptions, changed: mpsc::Sender<()>) -> Self {
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
    fn watch(&mut self) {
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
