//! What is counted while accepting.

use crate::metrics::{Counter, CounterVec, Gauge, MetricsError, Registry};

/// What is counted while accepting.
#[derive(Debug, Clone)]
pub struct AcceptMetrics {
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) dropped: Counter,
    pub(super) panicked: Counter,
    pub(super) faults: CounterVec,
}

impl AcceptMetrics {
    /// `listener` names the metrics: `smtp_server` gives `switchyard_smtp_server_sessions`.
    pub fn register(registry: &Registry, listener: &str) -> Result<Self, MetricsError> {
        let name = |thing: &str| format!("{listener}_{thing}");
        Ok(Self {
            open: registry.gauge(&name("sessions"), "Sessions open now.")?,
            accepted: registry.counter(&name("sessions_total"), "Sessions begun.")?,
            refused: registry.counter(&name("refused_total"), "Connections refused: the house was full.")?,
            dropped: registry.counter(&name("dropped_total"), "Connections closed: too many to refuse.")?,
            panicked: registry.counter(&name("panics_total"), "Sessions ended by a fault in the program.")?,
            faults: registry.counters(&name("accept_faults_total"), "Failed accepts.", &["fault"])?,
        })
    }
}
