//! What the spool counts.

use switchyard_daemon::metrics::{Counter, CounterVec, Gauge, GaugeVec, Histogram, MetricsError, Registry};

/// The spool's counters, registered once.
#[derive(Debug, Clone)]
pub struct SpoolMetrics {
    pub(super) messages: Gauge,
    /// `kind`: `segments`, `live`, `blobs`.
    pub(super) bytes: GaugeVec,
    /// `state`: `log`, `spare`.
    pub(super) segments: GaugeVec,
    pub(super) write_seconds: Histogram,
    pub(super) sync_seconds: Histogram,
    pub(super) records: Counter,
    pub(super) syncs: Counter,
    pub(super) accepted: Counter,
    /// `reason`: the words of [`super::SpoolError`].
    pub(super) refused: CounterVec,
    pub(super) failures: Counter,
    pub(super) unrecorded: Counter,
    pub(super) poisoned: Gauge,
    pub(super) full: Gauge,
    pub(super) corrupt: Counter,
    pub(super) copied: Counter,
}

impl SpoolMetrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// When one is there already.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            messages: registry.gauge("spool_messages", "Live messages.")?,
            bytes: registry.gauges("spool_bytes", "Octets on disk.", &["kind"])?,
            segments: registry.gauges("spool_segments", "Files of the log.", &["state"])?,
            write_seconds: registry.seconds("spool_write_seconds", "Writing one batch.")?,
            sync_seconds: registry.seconds("spool_sync_seconds", "Making one batch durable.")?,
            records: registry.counter("spool_records_total", "Records written.")?,
            syncs: registry.counter("spool_syncs_total", "Batches made durable.")?,
            accepted: registry.counter("spool_accepted_total", "Messages made durable.")?,
            refused: registry.counters("spool_refused_total", "Messages not taken.", &["reason"])?,
            failures: registry.counter("spool_failures_total", "Segments given up after an error.")?,
            unrecorded: registry.counter(
                "spool_unrecorded_total",
                "Records of progress that could not be written: mail may be delivered twice after a crash.",
            )?,
            poisoned: registry
                .gauge("spool_poisoned", "1 while the disk keeps failing and nothing is taken.")?,
            full: registry.gauge("spool_full", "1 while there is no room for another message.")?,
            corrupt: registry.counter("spool_corrupt_total", "Records put aside as damaged.")?,
            copied: registry.counter("spool_copied_total", "Records copied to empty a segment.")?,
        })
    }
}
