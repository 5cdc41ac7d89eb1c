//! Sending: every report whose period is over, one after the other, to the MTA that the settings name.
//!
//! What cannot be sent now is tried again until [`LIFETIME`] is over. A report that was sent is forgotten after
//! that, so a crash between the two sends it once more, under the same name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchyard_smtp::address::{ForwardPath, Mailbox, ReversePath};
use switchyard_smtp::client::{Delivery, Transfer};
use switchyard_smtp::envelope::{Content, Recipient, Sender};
use switchyard_smtp::io::dial::{Connection, DialError, DialOptions, Target};
use switchyard_smtp::wire::data::stuff;

use super::ledger::{Due, Ledger, LedgerError, Told};
use super::{Reports, destination, letter, seconds};

/// For how long after its period a report is of use: mail is looked into within days.
const LIFETIME: Duration = Duration::from_secs(3 * 24 * 3600);

/// How long after a period all of it is on disk: longer than counts wait for that.
const SETTLED: Duration = Duration::from_secs(60);

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
    /// Nobody answers there.
    is_deaf: bool,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The MTA has it.
    Sent,
    /// The MTA will never take it.
    Refused,
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
            Self::Refused => "refused",
            Self::Unwanted => "unwanted",
            Self::Expired => "expired",
            Self::Deferred => "deferred",
        }
    }
}

/// Sends what is due now.
pub(super) async fn all_due(reports: &Arc<Reports>) {
    let now = seconds(reports.clock.now_wall());
    let settled = now.saturating_sub(SETTLED.as_secs());
    let due = match on_disk(reports, move |ledger| ledger.due(settled)).await {
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
                if matches!(error, LedgerError::Foreign(_)) { Fate::Refused } else { Fate::Deferred }
            }
        };
        reports.metrics.reports.with_label_values(&[fate.as_str()]).inc();
        if fate != Fate::Deferred {
            tracing::info!(domain = &*due.domain, begin = due.begin, fate = fate.as_str(), "report");
            let (gone, name) = (due.clone(), due.domain);
            if let Err(error) = on_disk(reports, move |ledger| ledger.forget(&gone)).await {
                tracing::error!(domain = &*name, %error, "a report cannot be forgotten: it will go out again");
            }
        } else if line.is_deaf {
            // It has no ear for the rest either.
            break;
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
    let to = match destination::allowed(&dns, &due.domain, &told.policy.destinations).await {
        Ok(to) if to.is_empty() => return Ok(Fate::Unwanted),
        Ok(to) => to,
        Err(error) => {
            tracing::warn!(domain = &*due.domain, %error, "a report waits");
            return Ok(Fate::Deferred);
        }
    };
    let message = match written(reports, due, told, &to) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(domain = &*due.domain, %error, "a report cannot be written");
            return Ok(Fate::Refused);
        }
    };
    let Some(mut connection) = connected(reports, line).await else { return Ok(Fate::Deferred) };
    let fate = handed_over(reports, due, message, to, &mut connection).await;
    if connection.is_reusable() {
        line.connection = Some(connection);
    }
    Ok(fate)
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
            line.is_deaf = true;
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
) -> Fate {
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
    if outcome.recipients.iter().any(|outcome| outcome.is_accepted()) {
        Fate::Sent
    } else if outcome.recipients.iter().all(|outcome| outcome.is_permanent()) {
        Fate::Refused
    } else {
        Fate::Deferred
    }
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
