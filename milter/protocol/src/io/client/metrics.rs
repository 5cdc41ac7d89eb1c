//! What is counted about filters; registered in the registry that a daemon hands in.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::Cause;
use crate::stage::Stage;

/// Half a millisecond to five minutes: a filter in memory, and one that asks the world.
const SECONDS: [f64; 11] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

/// The metrics of all filters of a daemon.
#[derive(Debug, Clone)]
pub struct ClientMetrics {
    events: HistogramVec,
    failures: IntCounterVec,
    replays: IntCounterVec,
    shadows: IntCounterVec,
}

impl ClientMetrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When the registry has some of them already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let asked = HistogramOpts::new(
            "switchyard_milter_events_seconds",
            "How long filters took to answer, by event and answer",
        )
        .buckets(SECONDS.to_vec());
        let failed =
            Opts::new("switchyard_milter_failures_total", "Filters that were lost, slow or not understood");
        let again =
            Opts::new("switchyard_milter_replays_total", "Messages told anew to another place of a filter");
        let beside = Opts::new(
            "switchyard_milter_shadow_total",
            "Messages shown to a shadow filter, by how it differed",
        );
        let metrics = Self {
            events: HistogramVec::new(asked, &["filter", "event", "action"])?,
            failures: IntCounterVec::new(failed, &["filter", "cause"])?,
            replays: IntCounterVec::new(again, &["filter"])?,
            shadows: IntCounterVec::new(beside, &["filter", "result"])?,
        };
        registry.register(Box::new(metrics.events.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.replays.clone()))?;
        registry.register(Box::new(metrics.shadows.clone()))?;
        Ok(metrics)
    }

    /// Where answers of this kind are counted.
    pub(super) fn answers(&self, filter: &str, stage: Stage, action: &str) -> Histogram {
        self.events.with_label_values(&[filter, stage.as_str(), action])
    }

    pub(super) fn failed(&self, filter: &str, cause: Cause) {
        self.failures.with_label_values(&[filter, cause.as_str()]).inc();
    }

    pub(super) fn replayed(&self, filter: &str) {
        self.replays.with_label_values(&[filter]).inc();
    }

    pub(super) fn shadowed(&self, filter: &str, result: &str) {
        self.shadows.with_label_values(&[filter, result]).inc();
    }
}
