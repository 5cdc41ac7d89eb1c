//! The MTA that takes reports: how it is reached, how one is handed over, and what its answers mean for the next.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use switchyard_smtp::address::{ForwardPath, Mailbox, ReversePath};
use switchyard_smtp::client::{Delivery, Outcome, RecipientOutcome, Transfer};
use switchyard_smtp::envelope::{Content, Recipient, Sender};
use switchyard_smtp::io::dial::{Connection, DialError, DialOptions, Target};
use switchyard_smtp::wire::command::Verb;
use switchyard_smtp::wire::data::stuff;

use super::Reports;
use super::ledger::Due;

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

pub(super) async fn opened(reports: &Reports) -> Result<Connection, DialError> {
    let Relay { address, hello_name, .. } = &reports.options.relay;
    Connection::connect(&Target::Tcp(*address), &DialOptions::new(hello_name.as_str())).await
}

pub(super) async fn handed_over(
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
pub(super) fn is_unwell(outcome: &Outcome) -> bool {
    outcome.recipients.iter().any(|outcome| match outcome {
        RecipientOutcome::Lost { .. } => true,
        RecipientOutcome::Refused { stage: Verb::Rcpt, .. } => false,
        RecipientOutcome::Refused { stage: Verb::Mail, .. } => true,
        RecipientOutcome::Refused { reply, .. } => reply.is_transient(),
        RecipientOutcome::Accepted(_) | RecipientOutcome::Local(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use switchyard_smtp::client::Loss;
    use switchyard_smtp::reply::Reply;

    use super::*;

    fn refused(stage: Verb, code: u16) -> RecipientOutcome {
        RecipientOutcome::Refused { stage, reply: Reply::bare(code, "no") }
    }

    #[test]
    fn a_no_to_a_recipient_or_to_a_report_is_none_to_all_others() {
        for outcome in [refused(Verb::Rcpt, 450), refused(Verb::Rcpt, 550), refused(Verb::Data, 554)] {
            let said = format!("{outcome:?}");
            assert!(!is_unwell(&Outcome { recipients: vec![outcome], lost: None }), "{said}");
        }
    }

    #[test]
    fn an_mta_that_wants_none_of_our_mail_or_nothing_now_is_unwell() {
        let lost = RecipientOutcome::Lost { stage: Verb::Data, why: Loss::Closed, after_final_dot: false };
        for outcome in [refused(Verb::Mail, 550), refused(Verb::Data, 452), lost] {
            let said = format!("{outcome:?}");
            assert!(is_unwell(&Outcome { recipients: vec![outcome], lost: None }), "{said}");
        }
    }
}
