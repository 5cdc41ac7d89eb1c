//! What the router counts of its own sessions. Labels come from closed sets only.

use switchyard_daemon::metrics::{CounterVec, MetricsError, Registry};
use switchyard_maps::access::standing::Asked;
use switchyard_smtp::io::serve::Ended;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::Event;

use crate::policy::recipient::Judged;

/// Sessions, replies and verdicts.
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    replies: CounterVec,
    verdicts: CounterVec,
    ended: CounterVec,
}

impl ServerMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            replies: registry.counters("smtp_server_replies_total", "Replies given.", &["verb", "code"])?,
            verdicts: registry.counters(
                "policy_verdicts_total",
                "Verdicts by stage.",
                &["stage", "verdict"],
            )?,
            ended: registry.counters("smtp_server_ended_total", "How sessions ended.", &["how"])?,
        })
    }

    pub(crate) fn replied(&self, event: Event) {
        let mut digits = [0; 3];
        self.replies
            .with_label_values(&[event.verb.as_str(), code_label(event.code.get(), &mut digits)])
            .inc();
    }

    pub(crate) fn judged(&self, judged: &Judged) {
        self.verdicts.with_label_values(&["recipient", judged.as_str()]).inc();
    }

    /// An access table said no.
    pub(crate) fn ruled(&self, asked: Asked, reply: &Reply) {
        let stage = match asked {
            Asked::Client => "connect",
            Asked::Helo => "hello",
            Asked::Sender => "sender",
            Asked::Recipient => "recipient",
        };
        let verdict = if reply.is_permanent() { "access_refused" } else { "access_deferred" };
        self.verdicts.with_label_values(&[stage, verdict]).inc();
    }

    /// A mail filter said no, or nobody could be asked.
    pub(crate) fn filtered(&self, stage: &'static str, reply: &Reply) {
        let verdict = if reply.is_permanent() { "filter_refused" } else { "filter_deferred" };
        self.verdicts.with_label_values(&[stage, verdict]).inc();
    }

    pub(crate) fn ended(&self, ended: Ended) {
        self.ended.with_label_values(&[ended.as_str()]).inc();
    }
}

/// The code's three digits, without an allocation: this runs for every reply.
fn code_label(code: u16, digits: &mut [u8; 3]) -> &str {
    *digits = [code / 100, code / 10 % 10, code % 10].map(|digit| b'0' + (digit % 10) as u8);
    std::str::from_utf8(digits).unwrap_or("000")
}
