//! Sending: every report whose period is over, a few at a time, to the MTA that the settings name.
//!
//! What cannot be sent now waits ([`Waiting`]) and is tried again until [`LIFETIME`] is over, whatever the MTA said: a no
//! may be a mistake in its settings. A report that was sent is forgotten after that, so a crash between the two sends
//! it once more, under the same name.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use switchyard_smtp::address::Mailbox;
use switchyard_smtp::client::RecipientOutcome;
use switchyard_smtp::io::dial::Connection;

use super::ledger::{Due, Ledger, LedgerError, Told};
use super::waiting::Waiting;
use super::{Reports, destination, letter, relay, seconds};

/// For how long after its period a report is of use: mail is looked into within days.
const LIFETIME: Duration = Duration::from_secs(3 * 24 * 3600);

/// How long after a period all of it is on disk: longer than counts wait for that.
const SETTLED: Duration = Duration::from_secs(60);

/// For all questions to the DNS about one report: whoever does not answer holds up the others no longer.
const DNS_PATIENCE: Duration = Duration::from_secs(20);

/// Reports of one round.
const MOST: usize = 2_000;

/// Reports on their way at once: as many connections to the MTA, and questions to the DNS that wait.
const LINES: usize = 4;

/// So often in a row the MTA may be unwell; then the round is over.
const MOST_FAILURES: u32 = 3;

/// What all lines of a round share.
struct Round<'a> {
    reports: &'a Arc<Reports>,
    due: Mutex<std::vec::IntoIter<Due>>,
    waiting: Mutex<&'a mut Waiting>,
    /// How often in a row the MTA was of no use, whatever was to go to it.
    failures: AtomicU32,
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

/// Waits that the last process kept.
pub(super) async fn kept_waits(reports: &Arc<Reports>) -> Waiting {
    let asked = reports.options.relay.address.to_string();
    let kept = on_disk(reports, move |ledger| ledger.waits(&asked)).await;
    kept.map(Waiting::of).unwrap_or_else(|error| {
        tracing::error!(%error, "how long reports are to wait cannot be read: all of them are tried now");
        Waiting::default()
    })
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
    let round = Round {
        reports,
        due: Mutex::new(due.into_iter()),
        waiting: Mutex::new(waiting),
        failures: AtomicU32::new(0),
    };
    round.run(now).await;
    drop(round);
    if let Some(waits) = waiting.changed() {
        let asked = reports.options.relay.address.to_string();
        if let Err(error) = on_disk(reports, move |ledger| ledger.keep_waits(&asked, &waits)).await {
            tracing::error!(%error, "how long reports are to wait cannot be kept: a restart tries them all");
        }
    }
}

impl Round<'_> {
    async fn run(&self, now: u64) {
        let [one, two, three, four]: [_; LINES] = std::array::from_fn(|_| Box::pin(self.line(now)));
        tokio::join!(one, two, three, four);
    }

    /// One report after the other over one connection, until none is left or the MTA has no ear for the rest.
    async fn line(&self, now: u64) {
        let mut line = None;
        while self.failures.load(Ordering::Relaxed) < MOST_FAILURES
            && let Some(due) = self.next()
        {
            let fate = match self.one(&due, now, &mut line).await {
                Ok(fate) => fate,
                Err(error) => {
                    tracing::error!(domain = &*due.domain, %error, "a report cannot be made");
                    // What is none today is none tomorrow; a disk may come back.
                    if matches!(error, LedgerError::Foreign(_)) { Fate::Spoiled } else { Fate::Deferred }
                }
            };
            self.settle(due, fate).await;
        }
        if let Some(connection) = line {
            Connection::quit(connection).await;
        }
    }

    fn next(&self) -> Option<Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    /// What follows from a report's fate.
    async fn settle(&self, due: Due, fate: Fate) {
        let reports = self.reports;
        reports.metrics.reports.with_label_values(&[fate.as_str()]).inc();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if fate == Fate::Deferred {
                return waiting.put_off(due, seconds(reports.clock.now_wall()));
            }
            waiting.forget(&due);
        }
        tracing::info!(domain = &*due.domain, begin = due.begin, fate = fate.as_str(), "report");
        let (gone, name) = (due.clone(), due.domain);
        if let Err(error) = on_disk(reports, move |ledger| ledger.forget(&gone)).await {
            tracing::error!(domain = &*name, %error, "a report cannot be forgotten: it will go out again");
        }
    }

    async fn one(&self, due: &Due, now: u64, line: &mut Option<Connection>) -> Result<Fate, LedgerError> {
        let reports = self.reports;
        let (message, to) = match prepared(reports, due, now).await? {
            Ok(prepared) => prepared,
            Err(fate) => return Ok(fate),
        };
        let Some(mut connection) = self.connected(line).await else { return Ok(Fate::Deferred) };
        let outcome = relay::handed_over(reports, due, message, to, &mut connection).await;
        if relay::is_unwell(&outcome) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failures.store(0, Ordering::Relaxed);
        }
        if connection.is_reusable() {
            *line = Some(connection);
        }
        let is_taken = outcome.recipients.iter().any(RecipientOutcome::is_accepted);
        Ok(if is_taken { Fate::Sent } else { Fate::Deferred })
    }

    /// The connection that is there, or a new one.
    async fn connected(&self, line: &mut Option<Connection>) -> Option<Connection> {
        if let Some(mut connection) = line.take()
            && connection.is_idle()
        {
            return Some(connection);
        }
        match relay::opened(self.reports).await {
            Ok(connection) => Some(connection),
            Err(error) => {
                let relay = self.reports.options.relay.address;
                tracing::warn!(%relay, %error, "nobody takes reports now: `reports.relay` is tried again");
                self.failures.store(MOST_FAILURES, Ordering::Relaxed);
                None
            }
        }
    }
}

/// A report as a message, and to whom it goes; or why it does not.
async fn prepared(
    reports: &Arc<Reports>,
    due: &Due,
    now: u64,
) -> Result<Result<(Bytes, Vec<Mailbox>), Fate>, LedgerError> {
    let wanted = due.clone();
    let Some(told) = on_disk(reports, move |ledger| ledger.read(&wanted)).await? else {
        return Ok(Err(Fate::Unwanted));
    };
    if told.policy.end + LIFETIME.as_secs() < now {
        return Ok(Err(Fate::Expired));
    }
    let dns = reports.dns.load_full();
    let allowed = destination::allowed(&dns, &due.domain, &told.policy.destinations);
    let to = match tokio::time::timeout(DNS_PATIENCE, allowed).await {
        Ok(Ok(to)) if to.is_empty() => return Ok(Err(Fate::Unwanted)),
        Ok(Ok(to)) => to,
        Err(_elapsed) => {
            tracing::warn!(
                domain = &*due.domain,
                "a report waits: the DNS takes too long to say who may get it"
            );
            return Ok(Err(Fate::Deferred));
        }
        Ok(Err(error)) => {
            tracing::warn!(domain = &*due.domain, %error, "a report waits");
            return Ok(Err(Fate::Deferred));
        }
    };
    let message = match written(reports, due, told, &to) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(domain = &*due.domain, %error, "a report cannot be written");
            return Ok(Err(Fate::Spoiled));
        }
    };
    Ok(Ok((message, to)))
}

fn written(reports: &Reports, due: &Due, told: Told, to: &[Mailbox]) -> std::io::Result<Bytes> {
    let sender = &reports.options.sender;
    letter::letter(sender, &letter::report(sender, due, told), to)
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

#[cfg(test)]
mod tests;
