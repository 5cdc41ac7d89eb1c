//! Counters, gauges and histograms, in a [`Registry`] that is made by the process and handed down.
//!
//! A component keeps its own small struct, one line for each metric, and registers it at birth:
//!
//! ```
//! use switchyard_daemon::metrics::{Counter, CounterVec, Histogram, MetricsError, Registry};
//!
//! struct SpoolMetrics {
//!     records: Counter,
//!     verdicts: CounterVec,
//!     write_seconds: Histogram,
//! }
//!
//! impl SpoolMetrics {
//!     fn register(registry: &Registry) -> Result<Self, MetricsError> {
//!         Ok(Self {
//!             records: registry.counter("spool_records_total", "Records appended.")?,
//!             verdicts: registry.counters("policy_verdicts_total", "Verdicts by stage.", &["stage", "verdict"])?,
//!             write_seconds: registry.seconds("spool_write_seconds", "From append to durable.")?,
//!         })
//!     }
//! }
//!
//! let registry = Registry::new();
//! let metrics = SpoolMetrics::register(&registry)?;
//! metrics.records.inc();
//! assert!(registry.encode()?.contains("switchyard_spool_records_total 1\n"));
//! # Ok::<(), MetricsError>(())
//! ```
//!
//! Names are `switchyard_<daemon or crate>_<thing>_<unit or total>`; the prefix is set here. Label values
//! come from closed enums: never an address, a domain or a host, those go to the log.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{HistogramOpts, Opts, TextEncoder};

pub use prometheus::{
    Gauge as FloatGauge, GaugeVec as FloatGaugeVec, Histogram, HistogramVec, IntCounter as Counter,
    IntCounterVec as CounterVec, IntGauge as Gauge, IntGaugeVec as GaugeVec,
};

/// The `Content-Type` of [`Registry::encode`]'s text.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Half a millisecond to two minutes, about three steps to each factor of ten.
pub const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0];

/// One kibibyte to 64 mebibytes, by four.
pub const BYTES: &[f64] =
    &[1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];

const PREFIX: &str = "switchyard";

/// A metric could not be registered (its name is taken or wrong) or written as text.
#[derive(Debug, thiserror::Error)]
#[error("metrics: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// All metrics of one daemon. Clones share them.
#[derive(Debug, Clone)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// A registry with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self(prometheus::Registry::new())
    }

    /// For crates that register by themselves, under names they spell out.
    #[must_use]
    pub fn prometheus(&self) -> &prometheus::Registry {
        &self.0
    }

    /// Adds what the system knows of this process, under the names every dashboard has: `process_open_fds`,
    /// `process_resident_memory_bytes` and their like; and `switchyard_build_info` with the program's version.
    pub fn describe_process(&self, program: &str, version: &str) -> Result<(), MetricsError> {
        self.0.register(Box::new(ProcessCollector::for_self()))?;
        let info =
            self.gauges("build_info", "Always 1; the labels say what runs.", &["program", "version"])?;
        info.with_label_values(&[program, version]).set(1);
        Ok(())
    }

    /// A number of events since the start. The name ends in `_total`.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, MetricsError> {
        self.keep(Counter::with_opts(options(name, help))?)
    }

    /// Numbers of events, told apart by labels with closed sets of values.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec, MetricsError> {
        self.keep(CounterVec::new(options(name, help), labels)?)
    }

    /// A level that rises and falls, in whole numbers.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        self.keep(Gauge::with_opts(options(name, help))?)
    }

    /// Levels, told apart by labels with closed sets of values.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, MetricsError> {
        self.keep(GaugeVec::new(options(name, help), labels)?)
    }

    /// A level with a fraction: an age in seconds, say.
    pub fn float_gauge(&self, name: &str, help: &str) -> Result<FloatGauge, MetricsError> {
        self.keep(FloatGauge::with_opts(options(name, help))?)
    }

    /// Levels with a fraction, told apart by labels.
    pub fn float_gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<FloatGaugeVec, MetricsError> {
        self.keep(FloatGaugeVec::new(options(name, help), labels)?)
    }

    /// How long something takes, in buckets of [`SECONDS`]. The name ends in `_seconds`.
    pub fn seconds(&self, name: &str, help: &str) -> Result<Histogram, MetricsError> {
        self.histogram(name, help, SECONDS)
    }

    /// How long something takes, told apart by labels, in buckets of [`SECONDS`].
    pub fn seconds_by(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, MetricsError> {
        self.histograms(name, help, labels, SECONDS)
    }

    /// How large something is, in buckets of [`BYTES`]. The name ends in `_bytes`.
    pub fn bytes(&self, name: &str, help: &str) -> Result<Histogram, MetricsError> {
        self.histogram(name, help, BYTES)
    }

    /// A distribution over buckets of your own.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, MetricsError> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options)?)
    }

    /// Distributions over buckets of your own, told apart by labels.
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(options, labels)?)
    }

    /// Everything as Prometheus reads it.
    pub fn encode(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.0.gather())?)
    }

    fn keep<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, MetricsError> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_out_under_our_prefix() {
        let registry = Registry::new();
        registry.counter("a_total", "A.").unwrap().inc_by(2);
        registry.counters("b_total", "B.", &["verb"]).unwrap().with_label_values(&["rcpt"]).inc();
        registry.gauge("c", "C.").unwrap().set(-3);
        registry.gauges("d", "D.", &["queue"]).unwrap().with_label_values(&["hold"]).set(4);
        registry.float_gauge("e_seconds", "E.").unwrap().set(0.5);
        registry.float_gauges("f_seconds", "F.", &["map"]).unwrap().with_label_values(&["relay"]).set(1.5);
        registry.seconds("g_seconds", "G.").unwrap().observe(0.003);
        registry
            .seconds_by("h_seconds", "H.", &["verb"])
            .unwrap()
            .with_label_values(&["data"])
            .observe(200.0);
        registry.bytes("i_bytes", "I.").unwrap().observe(5000.0);
        let text = registry.encode().unwrap();
        for line in [
            "# HELP switchyard_a_total A.",
            "# TYPE switchyard_a_total counter",
            "switchyard_a_total 2",
            "switchyard_b_total{verb=\"rcpt\"} 1",
            "switchyard_c -3",
            "switchyard_d{queue=\"hold\"} 4",
            "switchyard_e_seconds 0.5",
            "switchyard_f_seconds{map=\"relay\"} 1.5",
            "switchyard_g_seconds_bucket{le=\"0.002\"} 0",
            "switchyard_g_seconds_bucket{le=\"0.005\"} 1",
            "switchyard_h_seconds_bucket{verb=\"data\",le=\"+Inf\"} 1",
            "switchyard_i_bytes_sum 5000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_name_is_taken_once_and_registries_do_not_meet() {
        let registry = Registry::new();
        registry.counter("a_total", "A.").unwrap();
        assert!(registry.counter("a_total", "A.").is_err());
        assert!(registry.counter("a b", "A.").is_err());
        assert!(Registry::new().counter("a_total", "A.").is_ok());
    }

    #[test]
    fn the_process_describes_itself() {
        let registry = Registry::new();
        registry.describe_process("mx", "1.2.3").unwrap();
        let text = registry.encode().unwrap();
        assert!(text.contains("switchyard_build_info{program=\"mx\",version=\"1.2.3\"} 1\n"), "{text}");
        for name in ["process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"] {
            assert!(text.contains(&format!("\n{name} ")), "{name} is missing in\n{text}");
        }
    }
}
