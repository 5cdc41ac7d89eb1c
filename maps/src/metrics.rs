//! What is counted about maps; registered in the registry that a daemon hands in.

use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::answer::Answer;
use crate::name::MapName;
use crate::remote::RemoteMetrics;
use crate::shadow::Kind;
use crate::snapshot::Snapshot;

/// How a reload ended: the label `result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapResult {
    /// The new set is in use.
    Swapped,
    /// The files are bad; the old set, or at the start what is good of the new one, is in use.
    Refused,
    /// The operator went back to the set before.
    RolledBack,
}

impl SwapResult {
    const ALL: [Self; 3] = [Self::Swapped, Self::Refused, Self::RolledBack];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// The metrics of a role's maps.
#[derive(Debug, Clone)]
pub struct MapMetrics {
    swaps: IntCounterVec,
    generation: IntGauge,
    load_failed: IntGauge,
    entries: IntGaugeVec,
    /// Found, not found, unavailable of each map, at the place of its number.
    lookups: Arc<[[IntCounter; 3]]>,
    differences: IntCounterVec,
    unexpected: IntCounterVec,
    /// What servers of tables are asked.
    pub(crate) remote: RemoteMetrics,
}

impl MapMetrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When the registry has some of them already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let swaps =
            Opts::new("switchyard_map_swaps_total", "Map sets read after a change, by what came of it");
        let entries = Opts::new("switchyard_map_entries", "Keys in each map of the set in use");
        let lookups = IntCounterVec::new(
            Opts::new("switchyard_map_lookups_total", "Questions to maps, by what they answered"),
            &["map", "answer"],
        )?;
        let of = |map: MapName| {
            ["found", "not_found", "unavailable"]
                .map(|answer| lookups.with_label_values(&[map.as_str(), answer]))
        };
        let metrics = Self {
            lookups: MapName::ALL.map(of).into(),
            differences: IntCounterVec::new(
                Opts::new(
                    "switchyard_map_shadow_differences_total",
                    "Answers that a candidate set would have given otherwise",
                ),
                &["map", "kind", "intended"],
            )?,
            unexpected: IntCounterVec::new(
                Opts::new(
                    "switchyard_map_shadow_unexpected_total",
                    "Those of them that nobody meant, of the candidate that is asked now",
                ),
                &["candidate"],
            )?,
            remote: RemoteMetrics::register(registry)?,
            swaps: IntCounterVec::new(swaps, &["result"])?,
            generation: IntGauge::new(
                "switchyard_map_generation",
                "Generation of the set in use since the start",
            )?,
            load_failed: IntGauge::new(
                "switchyard_map_load_failed",
                "1 while the newest map files are bad and older ones are in use",
            )?,
            entries: IntGaugeVec::new(entries, &["map"])?,
        };
        for result in SwapResult::ALL {
            metrics.swaps.with_label_values(&[result.as_str()]);
        }
        registry.register(Box::new(metrics.swaps.clone()))?;
        registry.register(Box::new(metrics.generation.clone()))?;
        registry.register(Box::new(metrics.load_failed.clone()))?;
        registry.register(Box::new(metrics.entries.clone()))?;
        registry.register(Box::new(lookups))?;
        registry.register(Box::new(metrics.differences.clone()))?;
        registry.register(Box::new(metrics.unexpected.clone()))?;
        Ok(metrics)
    }

    /// Says what set is in use.
    pub fn in_use(&self, snapshot: &Snapshot) {
        self.generation.set(i64::try_from(snapshot.generation()).unwrap_or(i64::MAX));
        for map in MapName::ALL {
            let entries = i64::try_from(snapshot.entries(map)).unwrap_or(i64::MAX);
            self.entries.with_label_values(&[map.as_str()]).set(entries);
        }
    }

    /// Counts a question's answer.
    pub(crate) fn asked<T>(&self, map: MapName, answer: &Answer<T>) {
        let [found, not_found, unavailable] = &self.lookups[map as usize];
        match answer {
            Answer::Found(_) => found.inc(),
            Answer::NotFound => not_found.inc(),
            Answer::Unavailable(_) => unavailable.inc(),
        }
    }

    /// Counts an answer that a candidate would have given otherwise.
    pub(crate) fn differs(&self, map: MapName, kind: Kind, intended: bool) {
        let intended = if intended { "yes" } else { "no" };
        self.differences.with_label_values(&[map.as_str(), kind.as_str(), intended]).inc();
    }

    /// Where the surprises of a candidate are counted from now on, and of no other. Who still asks the one before counts
    /// where nobody looks.
    pub(crate) fn candidate(&self, identity: Option<&str>) -> Option<IntCounter> {
        self.unexpected.reset();
        identity.map(|identity| self.unexpected.with_label_values(&[identity]))
    }

    /// Says whether the newest files are bad.
    pub fn load_failed(&self, failed: bool) {
        self.load_failed.set(i64::from(failed));
    }

    /// Counts a reload.
    pub fn swapped(&self, result: SwapResult) {
        self.swaps.with_label_values(&[result.as_str()]).inc();
    }
}
