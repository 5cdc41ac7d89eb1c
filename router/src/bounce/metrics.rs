//! What the bounce room counts.

use switchyard_daemon::metrics::{CounterVec, MetricsError, Registry};

/// Counters of reports.
#[derive(Debug, Clone)]
pub struct BounceMetrics {
    /// Reports made; `suppressed` for those that must not be.
    pub made: CounterVec,
}

impl BounceMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let help = "Delivery status notifications: failed, delayed, delivered, relayed or suppressed.";
        Ok(Self { made: registry.counters("dsn_total", help, &["action"])? })
    }
}
