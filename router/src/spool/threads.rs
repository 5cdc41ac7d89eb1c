//! The spool's threads: started together, and stopped in the order in which they need one another.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::blob::{self, Large};
use super::commit::Committer;
use super::reclaim;
use super::shared::{Shared, lock};

/// What the handles share: the state, and the threads that work on it until the last handle goes.
pub(super) struct Inner {
    pub shared: Arc<Shared>,
    pub threads: Mutex<Option<Threads>>,
}

/// The spool's three threads.
pub(super) struct Threads {
    pub large: Sender<Large>,
    blobs: JoinHandle<()>,
    committing: JoinHandle<()>,
    tidying: JoinHandle<()>,
}

impl Threads {
    pub(super) fn start(shared: &Arc<Shared>, committer: Committer) -> io::Result<Self> {
        let (large, jobs) = mpsc::channel();
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let blobs = {
            let shared = Arc::clone(shared);
            named("spool-blobs").spawn(move || blob::run(&shared, &jobs))?
        };
        let tidying = {
            let shared = Arc::clone(shared);
            named("spool-tidy").spawn(move || reclaim::run(&shared))?
        };
        let committing = named("spool-commit").spawn(move || committer.run())?;
        Ok(Self { large, blobs, committing, tidying })
    }

    /// Large contents first, since their records follow; then the log; then the tidying that it may wait for.
    fn stop(self, shared: &Shared) {
        drop(self.large);
        let blobs = self.blobs.join();
        lock(&shared.jobs).closing = true;
        shared.work.notify_all();
        let committing = self.committing.join();
        shared.stop_tidying();
        let tidying = self.tidying.join();
        if blobs.and(committing).and(tidying).is_err() {
            tracing::error!("spool: a thread died");
        }
    }
}

impl Inner {
    pub(super) fn close(&self) {
        let threads = lock(&self.threads).take();
        if let Some(threads) = threads {
            threads.stop(&self.shared);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
