//! What is counted of an agent.

use switchyard_daemon::metrics::{
    Counter, CounterVec, FloatGauge, Gauge, GaugeVec, Histogram, MetricsError, Registry,
};

/// The counters.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    /// Generations: the one that is wanted, the newest that is ready, the one in use.
    pub(super) generation: GaugeVec,
    /// Messages that were not taken, by kind and reason.
    pub(super) refused: CounterVec,
    /// Sets put in use, forward or back.
    pub(super) flips: CounterVec,
    /// Octets that came from hubs: of whole files, and of changes.
    pub(super) fetched: CounterVec,
    /// Deaths of the host's daemon that were seen.
    pub(super) deaths: Counter,
    /// 1 while such a death would be seen.
    pub(super) seen: Gauge,
    /// 1 while the daemon says what it does with mail.
    pub(super) counted: Gauge,
    /// What people should know now.
    pub(super) alarms: Gauge,
    /// From files that are here to a set that is ready.
    pub(super) stage_seconds: Histogram,
    /// Since the head in use was signed.
    pub(super) age: FloatGauge,
    /// Until it expires; less than 0 after that.
    pub(super) left: FloatGauge,
    /// 1 when the head in use has expired: nobody says any more that it is the newest.
    pub(super) expired: Gauge,
    /// 1 when the newest head is refused here.
    pub(super) unfit: Gauge,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let metrics = Self::all(registry)?;
        // An alarm hears of a number that rises, and not of one that is there for the first time.
        for what in ["root", "head", "release"] {
            for why in ["signatures", "fork", "malformed", "environment"] {
                metrics.refused.with_label_values(&[what, why]);
            }
        }
        Ok(metrics)
    }

    fn all(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            generation: registry.gauges(
                "mapsync_agent_generation",
                "The generation that is wanted here, the newest that is ready, and the one in use.",
                &["state"],
            )?,
            refused: registry.counters(
                "mapsync_agent_refused_total",
                "Signed messages that were not taken, by kind and reason; and sets that this host cannot run by.",
                &["what", "why"],
            )?,
            flips: registry.counters(
                "mapsync_agent_flips_total",
                "Sets put in use: a newer one (forward), or again the one of before (back).",
                &["way"],
            )?,
            fetched: registry.counters(
                "mapsync_agent_fetched_bytes_total",
                "What hubs sent of files: whole ones, and changes of tables.",
                &["what"],
            )?,
            deaths: registry.counter(
                "mapsync_agent_daemon_deaths_total",
                "Times that the host's daemon was seen to end by itself.",
            )?,
            seen: registry.gauge(
                "mapsync_agent_daemon_seen",
                "1 while the agent would see the host's daemon end by itself, and go back if it does so twice soon.",
            )?,
            counted: registry.gauge(
                "mapsync_agent_daemon_counted",
                "1 while the host's daemon says what it does with mail, so that a rollout can compare.",
            )?,
            alarms: registry.gauge(
                "mapsync_agent_alarms",
                "Things that people should know and look after: the log says which.",
            )?,
            stage_seconds: registry.seconds(
                "mapsync_agent_stage_seconds",
                "To make a set of files that are here: compiled, proved and durable.",
            )?,
            age: registry.float_gauge(
                "mapsync_agent_age_seconds",
                "Time since the generation in use was signed.",
            )?,
            left: registry.float_gauge(
                "mapsync_agent_left_seconds",
                "Time until the generation in use expires; less than 0 after that.",
            )?,
            expired: registry.gauge(
                "mapsync_agent_expired",
                "1 when the generation in use has expired: it stays in use, and nobody says that it is the newest.",
            )?,
            unfit: registry.gauge(
                "mapsync_agent_unfit",
                "1 when this host does not run by the newest generation, because it cannot or went back; the log says why.",
            )?,
        })
    }
}
