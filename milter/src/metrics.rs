//! What is counted here. Label values come from closed lists: never an address or a domain, those go to the log.

use switchyard_daemon::metrics::{Counter, CounterVec, GaugeVec, MetricsError, Registry};

/// All of them; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Connections that ended in an error.
    pub(crate) broken: Counter,
    /// What was heard, and what was said to it.
    pub(crate) events: CounterVec,
    /// What MTAs were asked to change.
    pub(crate) edits: CounterVec,
    /// Messages, by what was done with them.
    pub(crate) messages: CounterVec,
    /// Verdicts.
    pub(crate) checks: CounterVec,
    /// Fields that claimed to be a verdict of ours.
    pub(crate) forged: Counter,
    signatures: CounterVec,
    /// ARC sets put on top.
    pub(crate) seals: Counter,
    /// Keys of the map, by whether they may sign.
    pub(crate) keys: GaugeVec,
    /// Looks into the DNS for a key, by what was found.
    pub(crate) key_checks: CounterVec,
    /// Aggregate reports, by what became of them.
    pub(crate) reports: CounterVec,
    /// Kinds of messages that no report will tell of.
    pub(crate) report_rows_lost: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            broken: registry
                .counter("milter_broken_sessions_total", "Connections of MTAs ended by an error.")?,
            events: registry.counters(
                "milter_events_total",
                "Events heard, by what was answered.",
                &["event", "action"],
            )?,
            edits: registry.counters("milter_edits_total", "Changes asked for.", &["edit"])?,
            messages: registry.counters("milter_messages_total", "Messages, by what was done.", &["way"])?,
            checks: registry.counters(
                "milter_checks_total",
                "Verdicts on other hosts' mail.",
                &["check", "result"],
            )?,
            forged: registry.counter(
                "milter_forged_verdicts_total",
                "Authentication-Results fields in our name, taken out.",
            )?,
            signatures: registry.counters(
                "milter_signatures_total",
                "DKIM signatures.",
                &["algorithm", "result"],
            )?,
            seals: registry.counter("milter_seals_total", "ARC sets added.")?,
            keys: registry.gauges("milter_keys", "Signing keys known now.", &["state"])?,
            key_checks: registry.counters(
                "milter_key_checks_total",
                "Looks into the DNS for a signing key.",
                &["result"],
            )?,
            reports: registry.counters(
                "milter_reports_total",
                "Aggregate reports, by what became of them.",
                &["result"],
            )?,
            report_rows_lost: registry.counter(
                "milter_report_rows_lost_total",
                "Kinds of messages that no report tells of, for want of room.",
            )?,
        })
    }

    /// A signature was made, or was to be.
    pub(crate) fn signed(&self, algorithm: &str, made: bool) {
        self.signatures.with_label_values(&[algorithm, if made { "made" } else { "failed" }]).inc();
    }
}
