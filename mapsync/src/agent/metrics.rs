//! What is counted of an agent.

use switchyard_daemon::metrics::{
    Counter, CounterVec, FloatGauge, Gauge, GaugeVec, Histogram, MetricsError, Registry,
};

/// The counters.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    /// Generations: the one that is wanted, the newest that is ready, the one in use.
    pub(super) generation: GaugeVec,
    /// Messages that were not taken, by kind.
    pub(super) refused: CounterVec,
    /// Sets put in use.
    pub(super) flips: Counter,
    /// From a head to a set that is ready.
    pub(super) stage_seconds: Histogram,
    /// Since the head in use was signed.
    pub(super) age: FloatGauge,
    /// 1 when the head in use has expired: nobody says any more that it is the newest.
    pub(super) expired: Gauge,
    /// 1 when a head makes no set here.
    pub(super) unfit: Gauge,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            generation: registry.gauges(
                "mapsync_agent_generation",
                "The generation that is wanted here, the newest that is ready, and the one in use.",
                &["state"],
            )?,
            refused: registry.counters(
                "mapsync_agent_refused_total",
                "Signed messages that were not taken, by kind.",
                &["what"],
            )?,
            flips: registry.counter("mapsync_agent_flips_total", "Sets put in use.")?,
            stage_seconds: registry.seconds(
                "mapsync_agent_stage_seconds",
                "From a head to a set that is fetched, compiled, proved and durable.",
            )?,
            age: registry.float_gauge(
                "mapsync_agent_age_seconds",
                "Time since the generation in use was signed.",
            )?,
            expired: registry.gauge(
                "mapsync_agent_expired",
                "1 when the generation in use has expired: it stays in use, and nobody says that it is the newest.",
            )?,
            unfit: registry.gauge(
                "mapsync_agent_unfit",
                "1 when this host cannot run by a generation that was signed for it; the log says why.",
            )?,
        })
    }
}
