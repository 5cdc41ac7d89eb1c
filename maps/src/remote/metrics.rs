//! What is counted about servers of tables; registered in the registry that a daemon hands in.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::wire::{RemoteError, Reply};
use crate::name::MapName;

/// How a request ended: the label `result`.
const RESULTS: [&str; 5] = ["found", "not_found", "refused", "timeout", "error"];

/// Where an answer came from without waiting: the label `from`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Served {
    /// A fresh answer.
    Cache,
    /// An older one.
    Stale,
    /// There was none, and the server is away.
    Unavailable,
}

impl Served {
    const ALL: [Self; 3] = [Self::Cache, Self::Stale, Self::Unavailable];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Stale => "stale",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The metrics of a role's servers of tables.
#[derive(Debug, Clone)]
pub struct RemoteMetrics {
    requests: IntCounterVec,
    served: IntCounterVec,
    breakers: IntGaugeVec,
}

impl RemoteMetrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When the registry has some of them already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::new()?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.served.clone()))?;
        registry.register(Box::new(metrics.breakers.clone()))?;
        Ok(metrics)
    }

    /// Metrics that nobody reads.
    #[must_use]
    pub fn unread() -> Self {
        Self::new().expect("the names and labels below are lawful")
    }

    fn new() -> prometheus::Result<Self> {
        let requests =
            Opts::new("switchyard_map_remote_requests_total", "Requests to servers of tables, by their end");
        let served =
            Opts::new("switchyard_map_remote_answers_total", "Answers given without waiting for a server");
        let breakers =
            Opts::new("switchyard_map_remote_breakers_open", "Servers of tables left alone for a while");
        Ok(Self {
            requests: IntCounterVec::new(requests, &["map", "result"])?,
            served: IntCounterVec::new(served, &["map", "from"])?,
            breakers: IntGaugeVec::new(breakers, &["map"])?,
        })
    }

    /// Those of one map.
    pub(super) fn of(&self, map: MapName) -> MapRemoteMetrics {
        let map = map.as_str();
        MapRemoteMetrics {
            requests: RESULTS.map(|result| self.requests.with_label_values(&[map, result])),
            served: Served::ALL.map(|from| self.served.with_label_values(&[map, from.as_str()])),
            breakers: self.breakers.with_label_values(&[map]),
        }
    }
}

/// The metrics of one server.
#[derive(Debug)]
pub(super) struct MapRemoteMetrics {
    requests: [IntCounter; RESULTS.len()],
    served: [IntCounter; Served::ALL.len()],
    breakers: IntGauge,
}

impl MapRemoteMetrics {
    pub(super) fn asked(&self, result: &Result<Reply, RemoteError>) {
        let [found, not_found, refused, timeout, error] = &self.requests;
        let counter = match result {
            Ok(Reply::Found(_)) => found,
            Ok(Reply::NotFound) => not_found,
            Err(RemoteError::Refused { .. }) => refused,
            Err(RemoteError::Timeout) => timeout,
            Err(_) => error,
        };
        counter.inc();
    }

    pub(super) fn served(&self, from: Served) {
        let [cache, stale, unavailable] = &self.served;
        match from {
            Served::Cache => cache.inc(),
            Served::Stale => stale.inc(),
            Served::Unavailable => unavailable.inc(),
        }
    }

    pub(super) fn breaker(&self) -> BreakerGauge {
        BreakerGauge { open: false, breakers: Some(self.breakers.clone()) }
    }
}

/// Counts one breaker among those that are open, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct BreakerGauge {
    open: bool,
    breakers: Option<IntGauge>,
}

impl BreakerGauge {
    pub(super) fn set(&mut self, open: bool) {
        if let Some(breakers) = self.breakers.as_ref().filter(|_| self.open != open) {
            breakers.add(if open { 1 } else { -1 });
        }
        self.open = open;
    }
}

impl Drop for BreakerGauge {
    fn drop(&mut self) {
        self.set(false);
    }
}
