//! MAIL and RCPT: what may be said when, and how many.

use super::super::state::State;
use super::super::transaction::Transaction;
use super::{Session, Step};
use crate::envelope::{Recipient, Sender};
use crate::reply::{Reply, table};
use crate::wire::command::Verb;

impl<T> Session<T> {
    pub(super) fn check_sender(&mut self, sender: Box<Sender>) -> Option<Step<T>> {
        let refusal = match self.state {
            _ if self.offer.require_tls && self.client.tls.is_none() => Some(table::TLS_REQUIRED),
            State::Ready if sender.transaction.is_some() && !self.offer.xtxn => Some(table::BAD_PARAMETER),
            State::Ready if sender.hold.is_some() && !self.offer.xtxn => Some(table::BAD_PARAMETER),
            State::Ready if sender.priority.is_some() && !self.offer.priority => Some(table::BAD_PARAMETER),
            State::Ready if sender.size.is_some_and(|size| size > self.limits.message_size) => {
                Some(table::TOO_BIG)
            }
            State::Ready => None,
            _ => Some(table::BAD_SEQUENCE),
        };
        match refusal {
            Some(reply) => {
                self.say(Verb::Mail, &reply);
                None
            }
            None => Some(Step::Sender(sender)),
        }
    }

    /// Answers [`Step::Sender`]: with what the service keeps for the transaction, or a refusal.
    pub fn sender(&mut self, sender: Sender, verdict: Result<T, Reply>) {
        match verdict {
            Ok(kept) => {
                self.state = State::Mail(Box::new(Transaction::begin(sender, kept)));
                self.say(Verb::Mail, &table::SENDER_OK);
            }
            Err(reply) => self.say(Verb::Mail, &reply),
        }
    }

    pub(super) fn check_recipient(&mut self, recipient: Box<Recipient>, ascii: bool) -> Option<Step<T>> {
        let State::Mail(transaction) = &mut self.state else {
            self.say(Verb::Rcpt, &table::BAD_SEQUENCE);
            return None;
        };
        if !ascii && !transaction.envelope.sender.smtputf8 {
            transaction.refused += 1;
            self.say(Verb::Rcpt, &table::NEEDS_SMTPUTF8);
            return None;
        }
        if transaction.envelope.recipients.len() >= self.limits.recipients {
            transaction.refused += 1;
            self.recipient_overshoot += 1;
            if self.recipient_overshoot > self.limits.recipient_overshoot {
                self.close_with(Verb::Rcpt, &table::TOO_MUCH_JUNK);
                return Some(Step::Close);
            }
            self.say(Verb::Rcpt, &table::TOO_MANY_RECIPIENTS);
            return None;
        }
        Some(Step::Recipient(recipient))
    }

    /// Answers [`Step::Recipient`].
    pub fn recipient(&mut self, recipient: Recipient, verdict: Result<(), Reply>) {
        let State::Mail(transaction) = &mut self.state else { return };
        match verdict {
            Ok(()) => {
                transaction.accept(recipient);
                self.say(Verb::Rcpt, &table::RECIPIENT_OK);
            }
            Err(reply) => {
                transaction.refused += 1;
                self.say(Verb::Rcpt, &reply);
            }
        }
    }
}
