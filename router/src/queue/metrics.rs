//! What the queue counts.

use switchyard_daemon::metrics::{FloatGauge, Gauge, MetricsError, Registry};

use super::Summary;

/// Levels of the queue.
#[derive(Debug, Clone)]
pub struct QueueMetrics {
    /// Messages by queue: `incoming`, `active`, `deferred`, `hold`. Looked up once, set at every event.
    messages: [Gauge; 4],
    /// Age of the oldest message, in seconds.
    pub(super) oldest: FloatGauge,
    /// Suspensions in force.
    pub(super) suspensions: Gauge,
    /// Connections to next hops, idle ones among them.
    connections: Gauge,
}

impl QueueMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        let messages = registry.gauges("queue_messages", "Messages in each queue.", &["queue"])?;
        Ok(Self {
            messages: ["incoming", "active", "deferred", "hold"]
                .map(|queue| messages.with_label_values(&[queue])),
            oldest: registry.float_gauge("queue_oldest_seconds", "Age of the oldest message.")?,
            suspensions: registry.gauge("queue_suspensions", "Suspensions in force.")?,
            connections: registry.gauge("queue_connections", "Connections to next hops.")?,
        })
    }

    pub(super) fn show(&self, summary: Summary) {
        let counts = [summary.incoming, summary.active, summary.deferred, summary.hold];
        for (gauge, count) in self.messages.iter().zip(counts) {
            gauge.set(count as i64);
        }
        self.connections.set(summary.connections as i64);
    }
}
