//! What is counted of a hub.

use switchyard_daemon::metrics::{Counter, CounterVec, Gauge, GaugeVec, MetricsError, Registry};
use switchyard_mapsync_protocol::Environment;

use crate::client::Standing;

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
    /// Files that nothing named any more.
    swept: Counter,
    /// Files of the newest generation that are not here yet, by environment.
    awaited: GaugeVec,
    /// Hosts that are known here, by environment.
    hosts: GaugeVec,
    /// 1 for how the last rollout stands, by environment and state.
    rollout: GaugeVec,
    /// Its step, by environment.
    step: GaugeVec,
    /// How many it has, by environment.
    steps: GaugeVec,
    /// Since when it stands so, by environment.
    since: GaugeVec,
}

/// How a rollout may stand.
const STATES: [&str; 6] = ["goes", "held", "complete", "halted", "undone", "overtaken"];

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
            swept: registry.counter(
                "mapsync_hub_swept_files_total",
                "Files that nothing named any more, and that were removed.",
            )?,
            awaited: registry.gauges(
                "mapsync_hub_awaited_files",
                "Files of the newest or the released generation that this hub has not fetched yet.",
                &["environment"],
            )?,
            hosts: registry.gauges(
                "mapsync_hub_hosts",
                "Hosts that spoke to this hub, or to one that it shares with, within a week.",
                &["environment"],
            )?,
            rollout: registry.gauges(
                "mapsync_hub_rollout",
                "How the last rollout stands: 1 for goes, held, complete, halted, undone or overtaken, 0 for the others.",
                &["environment", "state"],
            )?,
            step: registry.gauges(
                "mapsync_hub_rollout_step",
                "The step of the last rollout; 0 before its first.",
                &["environment"],
            )?,
            steps: registry.gauges(
                "mapsync_hub_rollout_steps",
                "How many steps the last rollout has.",
                &["environment"],
            )?,
            since: registry.gauges(
                "mapsync_hub_rollout_since_seconds",
                "Since when the last rollout stands so, in seconds since 1970.",
                &["environment"],
            )?,
        })
    }

    /// How many hosts of an environment are known.
    pub(crate) fn set_hosts(&self, environment: &Environment, hosts: usize) {
        self.hosts.with_label_values(&[&environment.to_string()]).set(number(hosts));
    }

    /// Where the rollout of an environment stands.
    pub(crate) fn set_rollout(&self, environment: &Environment, standing: &Standing) {
        let name = environment.to_string();
        for state in STATES {
            self.rollout.with_label_values(&[name.as_str(), state]).set((standing.word() == state).into());
        }
        self.step.with_label_values(&[&name]).set(number(standing.step));
        self.steps.with_label_values(&[&name]).set(number(standing.steps));
        let since = standing.since.map_or(0, |since| i64::try_from(since.0).unwrap_or(i64::MAX));
        self.since.with_label_values(&[&name]).set(since);
    }

    /// So many files were removed, and these octets are left.
    pub(crate) fn swept(&self, files: usize, left: u64) {
        self.swept.inc_by(files as u64);
        self.stored.set(i64::try_from(left).unwrap_or(i64::MAX));
    }

    /// How many files an environment waits for.
    pub(crate) fn set_awaited(&self, environment: &Environment, files: usize) {
        self.awaited.with_label_values(&[&environment.to_string()]).set(number(files));
    }

    /// Counts a request that waits for as long as this lives.
    pub(crate) fn wait(&self) -> Waiting {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}
