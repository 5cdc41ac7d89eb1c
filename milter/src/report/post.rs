//! Sending: every report whose period is over, one after the other, to the MTA that the settings name.
//!
//! What cannot be sent now waits ([`Waiting`]) and is tried again until [`LIFETIME`] is over, whatever the MTA said: a no
//! may be a mistake in its settings. A report that was sent is forgotten after that, so a crash between the two sends
//! it once more, under the same name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchyard_smtp::address::{ForwardPath, Mailbox, ReversePath};
use switchyard_smtp::client::{Delivery, Outcome, RecipientOutcome, Transfer};
use switchyard_smtp::envelope::{Content, Recipient, Sender};
use switchyard_smtp::io::dial::{Connection, DialError, DialOptions, Target};
use switchyard_smtp::wire::command::Verb;
use switchyard_smtp::wire::data::stuff;

use super::ledger::{Due, Ledger, LedgerError, Told};
use super::waiting::Waiting;
use super::{Reports, destination, letter, seconds};

/// For how long after its period a report is of use: mail is looked into within days.
const LIFETIME: Duration = Duration::from_secs(3 * 24 * 3600);

/// How long after a period all of it is on disk: longer than counts wait for that.
const SETTLED: Duration = Duration::from_secs(60);

/// For all questions to the DNS about one report: whoever does not answer holds up the others no longer.
const DNS_PATIENCE: Duration = Duration::from_secs(20);

/// Reports of one round.
const MOST: usize = 2_000;

/// So often in a row the MTA may be unwell; then the round is over.
const MOST_FAILURES: u32 = 3;

/// The MTA that takes reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What we call ourselves.
    pub(crate) hello_name: String,
    /// How often is looked for what is due.
    pub(crate) looks_every: Duration,
}

/// The line to it.
#[derive(Debug, Default)]
struct Line {
    connection: Option<Connection>,
    /// How often in a row it was of no use, whatever was to go over it.
    failures: u32,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The MTA has it.
    Sent,
    /// It cannot be read or written, now or ever.
    Spoiled,
    /// Nobody may get it.
    Unwanted,
    /// It is too old to be of use.
    Expired,
    /// Another time.
    Deferred,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Spoiled => "spoiled",
            Self::Unwanted => "unwanted",
            Self::Expired => "expired",
            Self::Deferred => "deferred",
        }
    }
}

/// Sends what is due now, but for what waits.
pub(super) async fn all_due(reports: &Arc<Reports>, waiting: &mut Waiting) {
    let now = seconds(reports.clock.now_wall());
    let settled = now.saturating_sub(SETTLED.as_secs());
    let waits = waiting.until(now);
    let due = on_disk(reports, move |ledger| ledger.due(settled, MOST, |due| !waits.contains(due))).await;
    let due = match due {
        Ok(due) => due,
        Err(error) => return tracing::error!(%error, "no report can be made"),
    };
    let mut line = Line::default();
    for due in due {
        let fate = match one(reports, &due, now, &mut line).await {
            Ok(fate) => fate,
            Err(error) => {
                tracing::error!(domain = &*due.domain, %error, "a report cannot be made");
                // What is none today is none tomorrow; a disk may come back.
                if matches!(error, LedgerError::Foreign(_)) { Fate::Spoiled } else { Fate::Deferred }
            }
        };
        reports.metrics.reports.with_label_values(&[fate.as_str()]).inc();
        if fate == Fate::Deferred {
            waiting.put_off(due, seconds(reports.clock.now_wall()));
            if line.failures >= MOST_FAILURES {
                // It has no ear for the rest either.
                break;
            }
        } else {
            waiting.forget(&due);
            tracing::info!(domain = &*due.domain, begin = due.begin, fate = fate.as_str(), "report");
            let (gone, name) = (due.clone(), due.domain);
            if let Err(error) = on_disk(reports, move |ledger| ledger.forget(&gone)).await {
                tracing::error!(domain = &*name, %error, "a report cannot be forgotten: it will go out again");
            }
        }
    }
    if let Some(connection) = line.connection {
        Connection::quit(connection).await;
    }
}

async fn one(reports: &Arc<Reports>, due: &Due, now: u64, line: &mut Line) -> Result<Fate, LedgerError> {
    let wanted = due.clone();
    let Some(told) = on_disk(reports, move |ledger| ledger.read(&wanted)).await? else {
        return Ok(Fate::Unwanted);
    };
    if told.policy.end + LIFETIME.as_secs() < now {
        return Ok(Fate::Expired);
    }
    let dns = reports.dns.load_full();
    let allowed = destination::allowed(&dns, &due.domain, &told.policy.destinations);
    let to = match tokio::time::timeout(DNS_PATIENCE, allowed).await {
        Ok(Ok(to)) if to.is_empty() => return Ok(Fate::Unwanted),
        Ok(Ok(to)) => to,
        Err(_elapsed) => {
            tracing::warn!(
                domain = &*due.domain,
                "a report waits: the DNS takes too long to say who may get it"
            );
            return Ok(Fate::Deferred);
        }
        Ok(Err(error)) => {
            tracing::warn!(domain = &*due.domain, %error, "a report waits");
            return Ok(Fate::Deferred);
        }
    };
    let message = match written(reports, due, told, &to) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(domain = &*due.domain, %error, "a report cannot be written");
            return Ok(Fate::Spoiled);
        }
    };
    let Some(mut connection) = connected(reports, line).await else { return Ok(Fate::Deferred) };
    let outcome = handed_over(reports, due, message, to, &mut connection).await;
    line.failures = if is_unwell(&outcome) { line.failures + 1 } else { 0 };
    if connection.is_reusable() {
        line.connection = Some(connection);
    }
    let is_taken = outcome.recipients.iter().any(RecipientOutcome::is_accepted);
    Ok(if is_taken { Fate::Sent } else { Fate::Deferred })
}

fn written(reports: &Reports, due: &Due, told: Told, to: &[Mailbox]) -> std::io::Result<Bytes> {
    let sender = &reports.options.sender;
    letter::letter(sender, &letter::report(sender, due, told), to)
}

/// The line that is there, or a new one.
async fn connected(reports: &Reports, line: &mut Line) -> Option<Connection> {
    if let Some(mut connection) = line.connection.take()
        && connection.is_idle()
    {
        return Some(connection);
    }
    match opened(reports).await {
        Ok(connection) => Some(connection),
        Err(error) => {
            let relay = reports.options.relay.address;
            tracing::warn!(%relay, %error, "nobody takes reports now: `reports.relay` is tried again");
            line.failures = MOST_FAILURES;
            None
        }
    }
}

async fn opened(reports: &Reports) -> Result<Connection, DialError> {
    let Relay { address, hello_name, .. } = &reports.options.relay;
    Connection::connect(&Target::Tcp(*address), &DialOptions::new(hello_name.as_str())).await
}

async fn handed_over(
    reports: &Reports,
    due: &Due,
    message: Bytes,
    to: Vec<Mailbox>,
    connection: &mut Connection,
) -> Outcome {
    let sender = Sender::new(ReversePath::Mailbox(reports.options.sender.from.clone()));
    let recipients: Vec<Recipient> =
        to.into_iter().map(|mailbox| Recipient::new(ForwardPath::Mailbox(mailbox))).collect();
    let recipients: Vec<&Recipient> = recipients.iter().collect();
    let content = Content::from_wire(stuff(&message));
    let delivery = Delivery {
        sender: &sender,
        recipients: &recipients,
        content: &content,
        forwarded: None,
        transfer: Transfer::Data,
    };
    let outcome = connection.deliver(&delivery).await;
    for (recipient, outcome) in recipients.iter().zip(&outcome.recipients) {
        if !outcome.is_accepted() {
            let (domain, said) = (&*due.domain, outcome.reply());
            tracing::warn!(domain, to = %recipient.forward_path, reply = %said.text, "a report was not taken");
        }
    }
    outcome
}

/// Whether it is the MTA that has no ear now: not for these recipients, nor for this report, but for any.
fn is_unwell(outcome: &Outcome) -> bool {
    outcome.recipients.iter().any(|outcome| match outcome {
        RecipientOutcome::Lost { .. } => true,
        RecipientOutcome::Refused { stage: Verb::Rcpt, .. } => false,
        RecipientOutcome::Refused { stage: Verb::Mail, .. } => true,
        RecipientOutcome::Refused { reply, .. } => reply.is_transient(),
        RecipientOutcome::Accepted(_) | RecipientOutcome::Local(_) => false,
    })
}

/// Reads or writes the ledger, off the threads that sessions run on.
async fn on_disk<T: Send + 'static>(
    reports: &Arc<Reports>,
    work: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let ledger = Arc::clone(&reports.ledger);
    match tokio::task::spawn_blocking(move || work(&ledger)).await {
        Ok(done) => done,
        Err(error) => Err(LedgerError::Stopped(error.to_string())),
    }
}
