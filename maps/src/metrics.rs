//! What is counted about maps; registered in the registry that a daemon hands in.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::name::MapName;
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
        let metrics = Self {
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

    /// Says whether the newest files are bad.
    pub fn load_failed(&self, failed: bool) {
        self.load_failed.set(i64::from(failed));
    }

    /// Counts a reload.
    pub fn swapped(&self, result: SwapResult) {
        self.swaps.with_label_values(&[result.as_str()]).inc();
    }
}
