//! What the deliver room counts.

use switchyard_daemon::metrics::{CounterVec, HistogramVec, MetricsError, Registry};

/// Counters of attempts.
#[derive(Debug, Clone)]
pub struct DeliverMetrics {
    /// How long an attempt took, by transport (`smtp`, `lmtp`) and outcome (`sent`, `deferred`, `bounced`,
    /// `mixed`).
    pub attempts: HistogramVec,
    /// New connections by TLS policy (`none`, `may`, `encrypt`, `verify`) and result (`none`, `encrypted`,
    /// `verified`, `failed`, `not_offered`).
    pub tls: CounterVec,
    /// Connections used, by whether they were `new` or `kept`.
    pub connections: CounterVec,
}

impl DeliverMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let attempts = "How long delivery attempts take.";
        let tls = "Outgoing connections by TLS policy and what came of it.";
        let connections = "Delivery attempts on new and on kept connections.";
        Ok(Self {
            attempts: registry.seconds_by("deliver_attempts_seconds", attempts, &["transport", "outcome"])?,
            tls: registry.counters("deliver_tls_total", tls, &["policy", "result"])?,
            connections: registry.counters("deliver_connections_total", connections, &["kind"])?,
        })
    }
}
