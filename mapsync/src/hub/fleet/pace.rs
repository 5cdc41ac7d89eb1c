//! How soon hosts came to use what was released.

use std::time::{Duration, Instant};

use switchyard_mapsync_protocol::head::HeadRef;

/// A generation on its way from its release to the hosts.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) head: HeadRef,
    /// The newest release that names it, and since when it is shown.
    pub(super) sequence: u64,
    pub(super) since: Instant,
    /// How long it took each host, in the order in which they said so.
    pub(super) took: Vec<Duration>,
}

/// How a generation came to the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) generation: u64,
    pub(crate) hosts: usize,
    pub(crate) first: Duration,
    pub(crate) median: Duration,
    /// Nineteen of twenty were no slower.
    pub(crate) most: Duration,
    pub(crate) last: Duration,
}

impl Use {
    pub(super) fn pace(&self) -> Option<Pace> {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = |part: usize| took.get((took.len() * part).div_ceil(100).saturating_sub(1)).copied();
        Some(Pace {
            generation: self.head.generation,
            hosts: took.len(),
            first: *took.first()?,
            median: at(50)?,
            most: at(95)?,
            last: *took.last()?,
        })
    }
}
