//! What a peer said, as what becomes of a recipient.

use std::sync::Arc;

use switchyard_smtp::client::RecipientOutcome;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::status::EnhancedStatus;

use super::hosts::Nowhere;

/// Postfix's `status=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Somebody took it.
    Sent,
    /// Not now.
    Deferred,
    /// Never.
    Bounced,
}

impl Verdict {
    /// The word in the log, and the metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
        }
    }
}

/// What an attempt came to for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Sent, deferred or bounced.
    pub verdict: Verdict,
    /// The peer's enhanced status, or ours.
    pub status: EnhancedStatus,
    /// The host that said so; empty when it was ourselves.
    pub host: Arc<str>,
    /// For the log: `mx.example[192.0.2.1]:25`, or `none`.
    pub relay: Arc<str>,
    /// The reply, or our reason.
    pub text: String,
    /// The peer has the sender's wishes (RFC 3461) and sends the reports from here on.
    pub passes_reports: bool,
}

impl Fate {
    /// A fate that no peer has decided.
    #[must_use]
    pub fn local(verdict: Verdict, status: EnhancedStatus, text: impl Into<String>) -> Self {
        Self {
            verdict,
            status,
            host: "".into(),
            relay: "none".into(),
            text: text.into(),
            passes_reports: false,
        }
    }

    pub(super) fn nowhere(nowhere: &Nowhere) -> Self {
        let verdict = if nowhere.status.class == 5 { Verdict::Bounced } else { Verdict::Deferred };
        Self::local(verdict, nowhere.status, nowhere.text.clone())
    }

    /// What was said at a peer, by it or by us about it.
    pub(super) fn said(
        verdict: Verdict,
        reply: &Reply,
        told: bool,
        host: &Arc<str>,
        relay: &Arc<str>,
    ) -> Self {
        Self {
            verdict,
            status: status_of(reply, verdict),
            host: if told { Arc::clone(host) } else { "".into() },
            relay: Arc::clone(relay),
            text: reply.to_string(),
            passes_reports: false,
        }
    }

    pub(super) fn of(outcome: &RecipientOutcome, host: &Arc<str>, relay: &Arc<str>) -> Self {
        let verdict = if outcome.is_accepted() {
            Verdict::Sent
        } else if outcome.is_permanent() {
            Verdict::Bounced
        } else {
            Verdict::Deferred
        };
        let told = matches!(outcome, RecipientOutcome::Accepted(_) | RecipientOutcome::Refused { .. });
        Self::said(verdict, &outcome.reply(), told, host, relay)
    }
}

/// The reply's own status where it fits the verdict, or the plain one of its class (RFC 3463 §3.1).
fn status_of(reply: &Reply, verdict: Verdict) -> EnhancedStatus {
    let class = match verdict {
        Verdict::Sent => 2,
        Verdict::Deferred => 4,
        Verdict::Bounced => 5,
    };
    match reply.status {
        Some(status) => EnhancedStatus { class, ..status },
        None => EnhancedStatus::new(class, 0, 0),
    }
}
