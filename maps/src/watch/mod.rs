//! Map files change under a running daemon: they are read again, and the set swapped if all of it is good.
//!
//! The FOLDER is watched, since editors and agents replace files by renaming. A change is let settle, and
//! whatever the system tells or forgets to tell, the files are looked at every few seconds.
//!
//! [`start`] begins to watch before it reads the first set, so that this one need not be read twice: what
//! changes from then on is told, and what does not is in use.

mod files;
mod live;
mod reloader;
mod steady;

use std::collections::BTreeSet;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time;
use tokio_util::sync::CancellationToken;

use self::files::{Folders, Look};
pub use self::live::{PrepareError, Prepared};
pub use self::reloader::{Accepted, Reload, Reloader};
use crate::metrics::MapMetrics;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::MapSet;
use crate::swap::MapHandle;

/// Changes that follow one another without a pause are read after so many settle times all the same.
const MAX_SETTLES: u32 = 20;
/// For an installed set to settle. There is nothing to wait for, but an agent moves the link to the set in use and the
/// one to the candidate, and both are read at once.
const MOVED: Duration = Duration::from_millis(5);
/// Files that come to include others, again and again, are followed so many times in a row.
const MAX_FOLLOWS: u32 = 8;

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
    let files = options.files();
    let watch = Watch::begin(files.clone(), &options, candidate_files(&options));
    let sources = options.clone();
    let remotes = Remotes::new(options.remote.clone(), metrics.remote.clone());
    let shared = remotes.clone();
    // A large set takes a while: not on a thread that serves.
    let (set, faults) =
        tokio::task::spawn_blocking(move || steady::read(&files, || MapSet::start_with(&sources, &shared)))
            .await?;
    let handle = MapHandle::with_metrics(set, Some(metrics.clone()));
    let reloader = Reloader::with_remotes(handle.clone(), options, metrics, remotes, &faults);
    let watched = reloader.clone();
    // Ends by the token; a panic in it is told by the log's hook.
    drop(tokio::spawn(async move {
        aside(&watched, Reloader::first_look_at_candidate).await;
        watch.keep_current(&watched, &shutdown).await;
    }));
    Ok((handle, reloader))
}

/// Watches the files of a set and reloads it when they change, until `shutdown`. The set in use may have been
/// read a while ago, so the files are read once more at first.
pub fn spawn(reloader: Reloader, shutdown: CancellationToken) -> JoinHandle<()> {
    let watch = Watch::of(&reloader);
    tokio::spawn(async move {
        aside(&reloader, reload).await;
        watch.keep_current(&reloader, &shutdown).await;
    })
}

/// What is known of the files, from the moment it was begun.
struct Watch {
    folders: Folders,
    changes: mpsc::Receiver<()>,
    files: BTreeSet<PathBuf>,
    seen: Look,
}

impl Watch {
    /// To be called before the files are read: a change that comes meanwhile is told later.
    fn begin(files: BTreeSet<PathBuf>, options: &MapOptions, candidate: BTreeSet<PathBuf>) -> Self {
        let (changed, changes) = mpsc::channel(1);
        let folders = Folders::new(&files, options.candidate.clone(), changed);
        let seen = look(&files, candidate);
        Self { folders, changes, files, seen }
    }

    /// The same of those that are read now.
    fn of(reloader: &Reloader) -> Self {
        Self::begin(reloader.files(), &reloader.sources().options, reloader.candidate_files())
    }

    async fn keep_current(mut self, reloader: &Reloader, shutdown: &CancellationToken) {
        let mut changed = reloader.sources_change();
        self.follow(reloader).await;
        loop {
            let sources = Arc::clone(&changed.borrow_and_update());
            let options = &sources.options;
            let told = tokio::select! {
                () = shutdown.cancelled() => return,
                // The sender lives in the reloader. What was written since the set was read is seen by reading it
                // once more.
                Ok(()) = changed.changed() => {
                    self = Self::of(reloader);
                    aside(reloader, reload).await;
                    self.follow(reloader).await;
                    continue;
                }
                Some(()) = self.changes.recv() => true,
                () = time::sleep(options.poll) => false,
            };
            self.folders.watch();
            if told || look(&self.files, reloader.candidate_files()) != self.seen {
                self.seen = self.settle(reloader).await;
                aside(reloader, reload).await;
                self.follow(reloader).await;
            }
        }
    }

    /// Watches what was read from now on. A file that nobody watched while it was read may have changed since: all
    /// is read once more then.
    async fn follow(&mut self, reloader: &Reloader) {
        for _ in 0..MAX_FOLLOWS {
            let files = reloader.files();
            if files == self.files {
                return;
            }
            self.folders.follow(&files);
            self.seen = look(&files, reloader.candidate_files());
            self.files = files;
            aside(reloader, reload).await;
        }
    }

    /// Waits until nothing changed for a while, told or seen; gives the last look.
    async fn settle(&mut self, reloader: &Reloader) -> Look {
        let mut last = look(&self.files, reloader.candidate_files());
        let sources = reloader.sources();
        let settle = sources.options.settle;
        let pause = if comes_whole(&sources.options) { settle.min(MOVED) } else { settle };
        for _ in 0..MAX_SETTLES {
            time::sleep(pause).await;
            let before = mem::replace(&mut last, look(&self.files, reloader.candidate_files()));
            let is_told = self.changes.try_recv().is_ok();
            // What was told just now may be a link that moved: where it leads to is watched before it is read.
            self.folders.watch();
            if !is_told && last == before {
                break;
            }
        }
        last
    }
}

/// Whether nobody edits what is read: a set that was installed is put in use by moving what leads to it, and its files
/// do not change.
fn comes_whole(options: &MapOptions) -> bool {
    options.installed.is_some()
        && options.of_candidate().is_none_or(|candidate| candidate.installed.is_some())
}

/// The files as they are now, and those of a candidate.
fn look(files: &BTreeSet<PathBuf>, candidate: BTreeSet<PathBuf>) -> Look {
    Look::at(files.iter().cloned().chain(candidate))
}

/// The files that the settings give a candidate, while there is one.
fn candidate_files(options: &MapOptions) -> BTreeSet<PathBuf> {
    options.of_candidate().map(|candidate| candidate.files()).unwrap_or_default()
}

fn reload(reloader: &Reloader) {
    // What is wrong was logged there.
    let _ = reloader.reload();
}

/// Reads maps on a thread that serves nobody.
async fn aside(reloader: &Reloader, read: fn(&Reloader)) {
    let reloader = reloader.clone();
    // A panic in it would be a bug of ours.
    if let Err(error) = tokio::task::spawn_blocking(move || read(&reloader)).await {
        tracing::error!(%error, "reading maps ended early");
    }
}

#[cfg(test)]
mod tests;
