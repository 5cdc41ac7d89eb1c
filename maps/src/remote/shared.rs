//! One client for a table, whichever set of maps asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Inner, Remote, RemoteMetrics, RemoteOptions};
use crate::name::MapName;
use crate::spec::TableSpec;

/// The servers that a daemon asks, over all its sets of maps: a set that takes the place of another goes on
/// with the connections and answers of the old one.
#[derive(Debug, Clone)]
pub struct Remotes {
    options: RemoteOptions,
    metrics: RemoteMetrics,
    open: Arc<Mutex<Open>>,
}

/// By map and table; gone when nobody holds the client any more.
type Open = HashMap<(MapName, String), Weak<Inner>>;

impl Remotes {
    /// None yet.
    #[must_use]
    pub fn new(options: RemoteOptions, metrics: RemoteMetrics) -> Self {
        Self { options, metrics, open: Arc::default() }
    }

    /// For a set that is looked at and no daemon's: nothing is counted.
    #[must_use]
    pub fn unmetered(options: &RemoteOptions) -> Self {
        Self::new(options.clone(), RemoteMetrics::unread())
    }

    /// The client for a table, shared with all who opened it before and still hold it; none when the table is
    /// not a server's.
    #[must_use]
    pub fn open(&self, map: MapName, table: &TableSpec) -> Option<Remote> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (map, table.to_string());
        if let Some(inner) = open.get(&key).and_then(Weak::upgrade) {
            return Some(Remote(inner));
        }
        let remote = Remote::new(map, table, &self.options, &self.metrics)?;
        open.retain(|_, inner| inner.strong_count() > 0);
        open.insert(key, Arc::downgrade(&remote.0));
        Some(remote)
    }
}
