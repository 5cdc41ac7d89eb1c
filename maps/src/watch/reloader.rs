//! Reads the files of a set, and puts the set in use if all of it is good and not too much changes at once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{candidate_files, steady};
use crate::fault::{Fault, Faults};
use crate::guard::over_budget;
use crate::installed;
use crate::metrics::{MapMetrics, SwapResult};
use crate::name::MapName;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{MapSet, Verified};
use crate::shadow::Shadow;
use crate::swap::MapHandle;

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// A new set is in use, with this generation.
    Swapped(u64),
    /// The files say what the set in use says.
    Unchanged,
}

/// Which files are read, and who is asked beside them.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) options: MapOptions,
    pub(super) remotes: Remotes,
}

/// What the operator's word did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The refused set is in use, with this generation.
    InUse(u64),
    /// The next reload of the settings may bring the set that the last one brought.
    ForSettings,
}

/// What waits for the operator's word.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A good set that changes too much at once.
    Set(Box<Verified<MapSet>>),
    /// The same by other settings: it comes with all of them, or not at all, so its digest is enough.
    Settings([u8; 32]),
    /// The word was given.
    Accepted([u8; 32]),
}

/// Reads map sets for one handle, on a change or when asked (SIGHUP).
#[derive(Debug, Clone)]
pub struct Reloader {
    pub(super) handle: MapHandle,
    /// A new settings file may change them.
    pub(super) sources: Arc<watch::Sender<Arc<Sources>>>,
    pub(super) metrics: MapMetrics,
    /// What is wrong with the newest files; also keeps a bad set from being logged at each look.
    faults: Arc<watch::Sender<Faults>>,
    /// What was refused because it changes too much at once.
    waiting: Arc<Mutex<Option<Waiting>>>,
    /// What was read last, put in use or not: a set that is refused may include a file that is to be mended.
    read: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// The same of the candidate.
    candidate: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// One reads at a time: what was read first is put in use first.
    pub(super) reading: Arc<Mutex<()>>,
}

impl Reloader {
    /// For a handle whose set was read by these options; `faults` are what [`MapSet::start`] found.
    #[must_use]
    pub fn new(handle: MapHandle, options: MapOptions, metrics: MapMetrics, faults: &Faults) -> Self {
        let remotes = Remotes::new(options.remote.clone(), metrics.remote.clone());
        Self::with_remotes(handle, options, metrics, remotes, faults)
    }

    /// The same, with the servers of tables that the set in use asks.
    pub(super) fn with_remotes(
        handle: MapHandle,
        options: MapOptions,
        metrics: MapMetrics,
        remotes: Remotes,
        faults: &Faults,
    ) -> Self {
        let read = handle.set().files().clone();
        let reloader = Self {
            handle,
            read: Arc::new(Mutex::new(read)),
            sources: Arc::new(watch::Sender::new(Arc::new(Sources { options, remotes }))),
            metrics,
            faults: Arc::default(),
            waiting: Arc::default(),
            candidate: Arc::default(),
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
        let sources = self.sources();
        let read = || MapSet::start_with(&sources.options, &sources.remotes);
        let (set, faults) = steady::read(&self.files(), read);
        self.was_read(set.get());
        // What waits was said by files that may say something else by now.
        self.wait_with(None);
        let live = self.handle.set();
        if faults.is_empty() && set.get().digest() == live.digest() {
            self.mended();
            self.look_at_candidate();
            return Ok(Reload::Unchanged);
        }
        if !faults.is_empty() {
            self.tell(&faults, "the new maps are bad, the old ones stay in use");
            return Err(faults);
        }
        let faults = over_budget(&live, set.get(), sources.options.budget);
        if !faults.is_empty() {
            self.wait_with(Some(Waiting::Set(Box::new(set))));
            self.tell(&faults, "the new maps change too much at once, the old ones stay in use");
            return Err(faults);
        }
        let generation = self.put_in_use(set);
        self.look_at_candidate();
        Ok(Reload::Swapped(generation))
    }

    /// Takes what was refused because too much would change at once; none when there is none. A set by other
    /// settings comes with them, when they are reloaded.
    #[must_use]
    pub fn accept(&self) -> Option<Accepted> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        match self.wait_with(None)? {
            Waiting::Set(set) => Some(Accepted::InUse(self.put_in_use(*set))),
            Waiting::Settings(digest) | Waiting::Accepted(digest) => {
                self.wait_with(Some(Waiting::Accepted(digest)));
                Some(Accepted::ForSettings)
            }
        }
    }

    pub(super) fn is_accepted(&self, digest: [u8; 32]) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(&*waiting, Some(Waiting::Accepted(accepted)) if *accepted == digest)
    }

    /// Keeps what waits for the operator's word in place of what did, or nothing.
    pub(super) fn wait_with(&self, waiting: Option<Waiting>) -> Option<Waiting> {
        std::mem::replace(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner), waiting)
    }

    pub(super) fn put_in_use(&self, set: Verified<MapSet>) -> u64 {
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

    /// What a daemon that has just read its first set has left to read.
    pub(super) fn first_look_at_candidate(&self) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.look_at_candidate();
    }

    /// Asks the candidate beside the set in use while there is one that differs. One that is bad is told, and
    /// not asked.
    fn look_at_candidate(&self) {
        let sources = self.sources();
        let Some(options) = sources.options.of_candidate() else {
            self.candidate.lock().unwrap_or_else(PoisonError::into_inner).clear();
            if self.handle.shadow().is_some() {
                self.handle.set_shadow(None);
                tracing::info!("no candidate is asked any more");
            }
            return;
        };
        let mut identity = None;
        let (set, faults) = steady::read(&options.files(), || {
            identity = options.installed.as_ref().and_then(|folder| installed::identity(folder).ok());
            MapSet::start_with(&options, &sources.remotes)
        });
        self.candidate.lock().unwrap_or_else(PoisonError::into_inner).clone_from(set.get().files());
        if let Some(fault) = faults.iter().next() {
            self.handle.set_shadow(None);
            let count = faults.len();
            if faults.iter().all(Fault::is_unknown_name) {
                // Its own settings may come with it, and have the name.
                tracing::warn!(%fault, faults = count, "the candidate names what these settings do not, and is not asked");
            } else {
                tracing::error!(%fault, faults = count, "the candidate is bad and is not asked");
            }
            return;
        }
        let digest = set.get().digest();
        let identity = identity.unwrap_or_else(|| installed::hex(&digest));
        let is_same = |shadow: Arc<Shadow>| shadow.set.digest() == digest && shadow.identity == identity;
        if self.handle.shadow().is_some_and(is_same) {
            return;
        }
        self.handle.set_shadow(Some((set, identity)));
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

    pub(super) fn was_read(&self, set: &MapSet) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone_from(set.files());
    }

    /// Every file that tells one version of the set from another: those of the settings, and what they include.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = self.sources().options.files();
        files.extend(self.read.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        files
    }

    /// The same of a candidate, while there is one.
    pub(super) fn candidate_files(&self) -> BTreeSet<PathBuf> {
        let mut files = candidate_files(&self.sources().options);
        files.extend(self.candidate.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        files
    }

    pub(super) fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources.borrow())
    }

    /// Tells when other files are read.
    pub(super) fn sources_change(&self) -> watch::Receiver<Arc<Sources>> {
        self.sources.subscribe()
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
