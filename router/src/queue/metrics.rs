//! What the queue counts.

use switchyard_daemon::metrics::{FloatGauge, Gauge, GaugeVec, MetricsError, Registry};

use super::Summary;

/// Levels of the queue.
#[derive(Debug, Clone)]
pub struct QueueMetrics {
    /// Messages by queue: `incoming`, `active`, `deferred`, `hold`.
    pub messages: GaugeVec,
    /// Age of the oldest message, in seconds.
    pub oldest: FloatGauge,
    /// Connections to next hops, idle ones among them.
    pub connections: Gauge,
}

impl QueueMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            messages: registry.gauges("queue_messages", "Messages in each queue.", &["queue"])?,
            oldest: registry.float_gauge("queue_oldest_seconds", "Age of the oldest message.")?,
            connections: registry.gauge("queue_connections", "Connections to next hops.")?,
        })
    }

    pub(super) fn show(&self, summary: Summary) {
        for (queue, count) in [
            ("incoming", summary.incoming),
            ("active", summary.active),
            ("deferred", summary.deferred),
            ("hold", summary.hold),
        ] {
            self.messages.with_label_values(&[queue]).set(count as i64);
        }
        self.connections.set(summary.connections as i64);
    }
}
