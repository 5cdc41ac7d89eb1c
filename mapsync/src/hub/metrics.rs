//! What is counted of a hub.

use switchyard_daemon::metrics::{Counter, CounterVec, Gauge, GaugeVec, MetricsError, Registry};
use switchyard_mapsync_protocol::Environment;

/// The counters.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Connections whose handshake failed, or took too long.
    pub(crate) handshakes: Counter,
    /// Answers by route and class of status.
    pub(crate) requests: CounterVec,
    /// Messages that were brought, by kind and what came of them.
    pub(crate) pushes: CounterVec,
    /// Questions that all hosts were asked.
    pub(crate) questions: Counter,
    /// Requests that wait for something new.
    pub(crate) waiting: Gauge,
    /// Octets of files.
    pub(crate) stored: Gauge,
    /// The newest generation, by environment.
    pub(crate) generation: GaugeVec,
    /// Whether what other hubs take is heard.
    pub(crate) ledger: Gauge,
    /// Messages that etcd did not take.
    pub(crate) unwritten: Counter,
    /// Files of the newest generation that are not here yet, by environment.
    awaited: GaugeVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            handshakes: registry.counter(
                "mapsync_hub_failed_handshakes_total",
                "Connections whose TLS handshake failed or took too long.",
            )?,
            requests: registry.counters(
                "mapsync_hub_requests_total",
                "Requests answered, by route and class of status.",
                &["route", "class"],
            )?,
            pushes: registry.counters(
                "mapsync_hub_pushes_total",
                "Roots, heads and releases that were brought, and what came of them.",
                &["kind", "result"],
            )?,
            questions: registry
                .counter("mapsync_hub_questions_total", "Questions that admins put to all hosts.")?,
            waiting: registry.gauge("mapsync_hub_waiting", "Requests that wait for something new.")?,
            stored: registry.gauge("mapsync_hub_store_bytes", "Files that are kept.")?,
            generation: registry.gauges(
                "mapsync_hub_generation",
                "The newest generation, by environment.",
                &["environment"],
            )?,
            ledger: registry.gauge(
                "mapsync_hub_ledger_heard",
                "1 while etcd says what other hubs take; 0 on a hub that has none.",
            )?,
            unwritten: registry.counter(
                "mapsync_hub_unwritten_total",
                "Roots, heads and releases that etcd did not take into the ledger.",
            )?,
            awaited: registry.gauges(
                "mapsync_hub_awaited_files",
                "Files of the newest or the released generation that this hub has not fetched yet.",
                &["environment"],
            )?,
        })
    }

    /// How many files an environment waits for.
    pub(crate) fn set_awaited(&self, environment: &Environment, files: usize) {
        let files = i64::try_from(files).unwrap_or(i64::MAX);
        self.awaited.with_label_values(&[&environment.to_string()]).set(files);
    }

    /// Counts a request that waits for as long as this lives.
    pub(crate) fn wait(&self) -> Waiting {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}
