//! The set in use, and the one before it: swapped by one pointer, under lookups that never wait.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

use crate::metrics::MapMetrics;
use crate::set::{MapSet, Verified};
use crate::shadow::Shadow;
use crate::snapshot::{Current, Snapshot};

/// A daemon's handle on its maps; clones share one set.
#[derive(Debug, Clone)]
pub struct MapHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: ArcSwap<Current>,
    /// Also orders the swaps among themselves.
    previous: Mutex<Option<Arc<MapSet>>>,
    generation: watch::Sender<u64>,
    metrics: Option<MapMetrics>,
    /// The candidate that is asked beside the set in use.
    shadow: ArcSwapOption<Shadow>,
}

impl MapHandle {
    /// Starts with a set, as generation 1; nothing is counted.
    #[must_use]
    pub fn new(set: Verified<MapSet>) -> Self {
        Self::with_metrics(set, None)
    }

    /// Starts with a set, as generation 1.
    #[must_use]
    pub fn with_metrics(set: Verified<MapSet>, metrics: Option<MapMetrics>) -> Self {
        let current = Current { generation: 1, set: Arc::new(set.into_inner()) };
        Self(Arc::new(Shared {
            current: ArcSwap::from_pointee(current),
            previous: Mutex::new(None),
            generation: watch::Sender::new(1),
            metrics,
            shadow: ArcSwapOption::empty(),
        }))
    }

    /// The set in use, held for one transaction or one delivery attempt.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.0.current.load_full(), self.0.metrics.clone(), self.0.shadow.load_full())
    }

    /// Asks a candidate beside the set in use from now on, or none.
    pub(crate) fn set_shadow(&self, candidate: Option<(Verified<MapSet>, String)>) {
        let identity = candidate.as_ref().map(|(_, identity)| &**identity);
        let counter = self.0.metrics.as_ref().and_then(|metrics| metrics.candidate(identity));
        let shadow = |(set, identity)| Arc::new(Shadow::new(set, identity, counter));
        self.0.shadow.store(candidate.map(shadow));
    }

    /// The candidate, and how it does.
    #[must_use]
    pub fn shadow(&self) -> Option<Arc<Shadow>> {
        self.0.shadow.load_full()
    }

    /// The set in use.
    pub(crate) fn set(&self) -> Arc<MapSet> {
        Arc::clone(&self.0.current.load().set)
    }

    /// Puts a new set in use and returns its generation. The old one is kept for [`Self::roll_back`], and
    /// goes when the next swap comes and its last snapshot is dropped.
    pub fn swap(&self, set: Verified<MapSet>) -> u64 {
        let mut previous = self.0.previous.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, generation) = self.put(Arc::new(set.into_inner()));
        *previous = Some(before);
        generation
    }

    /// Puts the set before this one in use again, as a new generation; none when there is none. Once more
    /// brings this one back.
    pub fn roll_back(&self) -> Option<u64> {
        let mut previous = self.0.previous.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, generation) = self.put(previous.take()?);
        *previous = Some(before);
        Some(generation)
    }

    /// Tells of every swap by its generation.
    #[must_use]
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// To be called with the lock on `previous` held.
    fn put(&self, set: Arc<MapSet>) -> (Arc<MapSet>, u64) {
        let generation = self.0.current.load().generation + 1;
        let before = self.0.current.swap(Arc::new(Current { generation, set }));
        self.0.generation.send_replace(generation);
        (Arc::clone(&before.set), generation)
    }
}
