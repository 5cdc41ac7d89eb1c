//! What is counted here. Label values come from the enums in this file and nowhere else.

use std::sync::{Arc, OnceLock};

use switchyard_daemon::metrics::{Counter, CounterVec, Gauge, HistogramVec, MetricsError, Registry};
use switchyard_daemon::session::Stage;
use switchyard_smtp::reply::ReplyCode;

/// All of them; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Replies to clients, by code.
    pub(crate) replies: Replies,
    verdicts: CounterVec,
    /// Messages being handed over now.
    pub(crate) open: Gauge,
    /// Routers that do not answer now.
    pub(crate) dead: Gauge,
    seconds: HistogramVec,
    attempts: CounterVec,
    connections: CounterVec,
}

/// Why a client was told no, or that all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nothing was against it.
    None,
    /// Too many sessions of one network.
    Network,
    /// Too many messages are being handed over.
    Busy,
    /// Mail for a domain that is not ours.
    Relay,
    /// An access table says no.
    Access,
    /// A mail filter says no, or is down.
    Filter,
    /// No such user.
    Unknown,
    /// The user has moved.
    Relocated,
    /// A router said no to it a while ago.
    Refused,
    /// A map cannot say.
    Map,
    /// No router answers.
    NoRouter,
    /// The router's own answer.
    Router,
}

/// What came of offering a message to one router.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attempt {
    /// It took it.
    Taken,
    /// It said no.
    Refused,
    /// No connection could be made.
    Unreachable,
    /// The connection was lost before the end of data.
    Lost,
    /// The connection was lost after it.
    Ambiguous,
}

/// How a connection to a router came to be used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Connection {
    /// It was made.
    New,
    /// It lay in the pool.
    Reused,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            replies: Replies::new(registry.counters(
                "smtp_server_replies_total",
                "Replies to clients.",
                &["code"],
            )?),
            verdicts: registry.counters(
                "policy_verdicts_total",
                "What clients were allowed, and why not.",
                &["stage", "verdict", "reason"],
            )?,
            open: registry.gauge("mx_hand_overs", "Messages being handed over to a router now.")?,
            dead: registry.gauge("mx_dead_routers", "Routers that do not answer now.")?,
            seconds: registry.seconds_by(
                "mx_hand_over_seconds",
                "From the end of a client's data to the answer.",
                &["verdict"],
            )?,
            attempts: registry.counters(
                "mx_hand_over_attempts_total",
                "Messages offered to one router, by what came of it.",
                &["outcome"],
            )?,
            connections: registry.counters(
                "mx_router_connections_total",
                "Connections to routers taken into use, made for it or out of the pool.",
                &["from"],
            )?,
        })
    }

    pub(crate) fn verdict(&self, stage: Stage, code: Option<ReplyCode>, reason: Reason) {
        self.verdicts.with_label_values(&[stage.as_str(), verdict(code), reason.label()]).inc();
    }

    pub(crate) fn handed_over(&self, code: ReplyCode, seconds: f64) {
        self.seconds.with_label_values(&[verdict(Some(code))]).observe(seconds);
    }

    pub(crate) fn attempt(&self, attempt: Attempt) {
        self.attempts.with_label_values(&[attempt.label()]).inc();
    }

    pub(crate) fn connection(&self, from: Connection) {
        let from = match from {
            Connection::New => "new",
            Connection::Reused => "pool",
        };
        self.connections.with_label_values(&[from]).inc();
    }
}

/// `accept`, `reject` (never like this) or `defer` (not now).
fn verdict(code: Option<ReplyCode>) -> &'static str {
    match code.map(|code| code.get() / 100) {
        None | Some(2 | 3) => "accept",
        Some(4) => "defer",
        Some(_) => "reject",
    }
}

impl Reason {
    /// As a label, and in the log.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Network => "network",
            Self::Busy => "busy",
            Self::Relay => "relay",
            Self::Access => "access",
            Self::Filter => "filter",
            Self::Unknown => "unknown",
            Self::Relocated => "relocated",
            Self::Refused => "refused",
            Self::Map => "map",
            Self::NoRouter => "no_router",
            Self::Router => "router",
        }
    }
}

impl Attempt {
    const fn label(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// A counter for each reply code, found without a lock: replies are what a session has most of.
#[derive(Debug, Clone)]
pub(crate) struct Replies {
    counters: CounterVec,
    /// By code, from 200.
    found: Arc<[OnceLock<Counter>]>,
}

impl Replies {
    fn new(counters: CounterVec) -> Self {
        Self { counters, found: std::iter::repeat_with(OnceLock::new).take(400).collect() }
    }

    pub(crate) fn count(&self, code: ReplyCode) {
        let counter = || self.counters.with_label_values(&[&code.to_string()]);
        match self.found.get(usize::from(code.get().saturating_sub(200))) {
            Some(cell) => cell.get_or_init(counter).inc(),
            None => counter().inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use switchyard_smtp::reply::table;

    use super::*;

    #[test]
    fn each_thing_is_counted_under_its_name() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.replies.count(table::NO_SUCH_USER.code);
        metrics.replies.count(table::NO_SUCH_USER.code);
        metrics.verdict(Stage::Recipient, Some(table::NO_SUCH_USER.code), Reason::Unknown);
        metrics.verdict(Stage::Connect, None, Reason::None);
        metrics.handed_over(table::NO_ROUTER.code, 0.001);
        metrics.attempt(Attempt::Ambiguous);
        metrics.connection(Connection::Reused);
        let text = registry.encode().unwrap();
        for line in [
            "switchyard_smtp_server_replies_total{code=\"550\"} 2",
            "switchyard_policy_verdicts_total{reason=\"unknown\",stage=\"recipient\",verdict=\"reject\"} 1",
            "switchyard_policy_verdicts_total{reason=\"none\",stage=\"connect\",verdict=\"accept\"} 1",
            "switchyard_mx_hand_over_seconds_count{verdict=\"defer\"} 1",
            "switchyard_mx_hand_over_attempts_total{outcome=\"ambiguous\"} 1",
            "switchyard_mx_router_connections_total{from=\"pool\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
