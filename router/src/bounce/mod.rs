//! Reports to senders: who hears of what, and the message that says it.
//!
//! - Never about mail that came with the null reverse-path (RFC 5321 §6.1): that is counted and logged.
//! - Failures unless NOTIFY says otherwise; delays likewise; success only where it was asked for (RFC 3461 §4.1).
//! - One report for a message and an event, about all recipients that the event has.
//! - A sender's domain gets [`BounceOptions::per_domain`] reports in a window at most: the rest is counted and
//!   logged, so that mail with a forged sender cannot make a flood of us. What the operator bounces is not counted.
//!
//! A report is an ordinary message with the null reverse-path: the spool takes it before the queue forgets
//! what it is about.

mod cap;
pub mod dsn;
mod metrics;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use switchyard_daemon::clock::Clock;
use switchyard_smtp::address::{ForwardPath, Host, Mailbox, ReversePath};
use switchyard_smtp::envelope::{Content, Envelope, Notify, Recipient, Ret, Sender};

use cap::Cap;
pub use dsn::Action;
use dsn::{Report, Reported, Returned};
pub use metrics::BounceMetrics;

use crate::spool::{Arrival, NewMessage, Origin, Outcome};

/// How reports are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BounceOptions {
    /// Our name in reports.
    pub reporting_mta: String,
    /// Octets of a message that come back at most (Postfix's `bounce_size_limit`).
    pub max_returned: usize,
    /// Reports to one domain in a window.
    pub per_domain: u32,
    /// The window.
    pub window: Duration,
}

impl Default for BounceOptions {
    fn default() -> Self {
        Self {
            reporting_mta: "localhost".to_owned(),
            max_returned: 50_000,
            per_domain: 1000,
            window: Duration::from_secs(3600),
        }
    }
}

/// One event of a message.
#[derive(Debug)]
pub struct Event<'a> {
    /// The message's id, as text.
    pub queue_id: &'a str,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// When it came.
    pub arrival: SystemTime,
    /// Until when it is tried; told of delays.
    pub retry_until: SystemTime,
    /// What happened, to which recipient of the envelope: all of one kind.
    pub recipients: &'a [(u32, Action, &'a Outcome)],
    /// The operator ordered it: no limit keeps the sender from hearing of it.
    pub by_hand: bool,
}

/// Makes reports.
#[derive(Debug)]
pub struct Bouncer {
    options: BounceOptions,
    metrics: BounceMetrics,
    clock: Clock,
    cap: Arc<Mutex<Cap>>,
}

/// Whether a sender wants to hear of an event at all (RFC 3461 §4.1).
#[must_use]
pub fn is_wanted(recipient: &Recipient, action: Action) -> bool {
    match (action, recipient.notify) {
        (Action::Failed | Action::Delayed, None) => true,
        (Action::Delivered | Action::Relayed, None) => false,
        (Action::Failed, Some(notify)) => notify.failure,
        (Action::Delayed, Some(notify)) => notify.delay,
        (Action::Delivered | Action::Relayed, Some(notify)) => notify.success,
    }
}

impl Bouncer {
    /// Makes reports in our name.
    #[must_use]
    pub fn new(options: BounceOptions, metrics: BounceMetrics, clock: Clock) -> Self {
        Self { options, metrics, clock, cap: Arc::default() }
    }

    /// One for other settings, which knows how many reports each domain has had.
    #[must_use]
    pub fn renewed(&self, options: BounceOptions) -> Self {
        let (metrics, clock, cap) = (self.metrics.clone(), self.clock.clone(), Arc::clone(&self.cap));
        Self { options, metrics, clock, cap }
    }

    /// Whom a report about this event would be for; `None`, counted and logged, where there must be none.
    #[must_use]
    pub fn addressee<'a>(&self, event: &Event<'a>) -> Option<&'a Mailbox> {
        let action = event.recipients.first()?.1;
        let refused = |why: &str| {
            self.metrics.made.with_label_values(&["suppressed"]).inc();
            tracing::info!(id = event.queue_id, action = action.as_str(), "no report: {why}");
        };
        let ReversePath::Mailbox(sender) = &event.envelope.sender.reverse_path else {
            // RFC 5321 §6.1: a report about a report must not be. Of what nobody wanted to hear, no word.
            if action == Action::Failed {
                refused("the message has the null reverse-path");
            }
            return None;
        };
        if event.by_hand {
            return Some(sender);
        }
        let now = self.clock.now_monotonic();
        let BounceOptions { per_domain, window, .. } = self.options;
        let mut cap = self.cap.lock().unwrap_or_else(PoisonError::into_inner);
        if !cap.take(&sender.host.to_string(), now, per_domain, window) {
            refused("the sender's domain has had too many reports");
            return None;
        }
        Some(sender)
    }

    /// The report about an event, as a message for the spool. Only recipients whose sender wants to hear of it
    /// may stand in the event ([`is_wanted`]).
    #[must_use]
    pub fn report(&self, event: &Event<'_>, to: &Mailbox, original: &Content) -> NewMessage {
        let now = self.clock.now_wall();
        let recipients: Vec<Reported> = event
            .recipients
            .iter()
            .filter_map(|(index, action, outcome)| {
                let recipient = event.envelope.recipients.get(*index as usize)?;
                Some(self.reported(recipient, *action, outcome, event.retry_until))
            })
            .collect();
        let failed = recipients.iter().any(|recipient| recipient.action == Action::Failed);
        let sender = &event.envelope.sender;
        let unique = format!("{}.{:016x}", event.queue_id, fastrand::u64(..));
        let report = Report {
            reporting_mta: &self.options.reporting_mta,
            queue_id: event.queue_id,
            sender: to,
            envid: sender.envid.as_deref(),
            arrival: zoned(event.arrival),
            now: zoned(now),
            recipients: &recipients,
            original,
            body: sender.body,
            // RFC 3461 §4.3: RET counts for failures; other reports bring the header back.
            returned: if failed && sender.ret != Some(Ret::Hdrs) {
                Returned::Full
            } else {
                Returned::Headers
            },
            max_returned: self.options.max_returned,
            unique: &unique,
        };
        let composed = report.compose();
        if let Some((_, action, _)) = event.recipients.first() {
            self.metrics.made.with_label_values(&[action.as_str()]).inc();
        }
        let mut envelope_sender = Sender::new(ReversePath::Null);
        envelope_sender.body = composed.body;
        envelope_sender.smtputf8 = composed.smtputf8;
        // RFC 6710: a report is as urgent as what it is about.
        envelope_sender.priority = sender.priority;
        let mut recipient = Recipient::new(ForwardPath::Mailbox(to.clone()));
        // RFC 3461 §6.2: nobody is told of a report's own fate.
        recipient.notify = Some(Notify::NEVER);
        NewMessage {
            envelope: Arc::new(Envelope { sender: envelope_sender, recipients: vec![recipient] }),
            content: composed.content,
            arrival: Arrival { wall: now, client: "local".into(), from: None },
            origin: Origin::Report,
            hold: None,
        }
    }

    fn reported(
        &self,
        recipient: &Recipient,
        action: Action,
        outcome: &Outcome,
        until: SystemTime,
    ) -> Reported {
        let final_recipient = match &recipient.forward_path {
            ForwardPath::Mailbox(mailbox) => mailbox.clone(),
            ForwardPath::Postmaster => self.postmaster(),
        };
        Reported {
            final_recipient,
            original_recipient: recipient.orcpt.clone(),
            action,
            status: outcome.status,
            remote_mta: outcome.remote_mta.clone(),
            diagnostic: outcome.diagnostic.clone(),
            last_attempt: zoned(outcome.at),
            will_retry_until: (action == Action::Delayed).then(|| zoned(until)),
        }
    }

    /// The bare postmaster, in a field that asks for an address.
    fn postmaster(&self) -> Mailbox {
        let ours = format!("postmaster@{}", self.options.reporting_mta);
        Mailbox::parse(&ours).unwrap_or_else(|_| Mailbox {
            local: switchyard_smtp::address::LocalPart::new("postmaster").expect("a local part"),
            host: Host::Literal(switchyard_smtp::address::AddressLiteral([127, 0, 0, 1].into())),
        })
    }
}

fn zoned(at: SystemTime) -> Zoned {
    Timestamp::try_from(at).unwrap_or_default().to_zoned(TimeZone::system())
}
