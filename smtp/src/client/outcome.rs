//! What the peer said, per recipient.

use std::borrow::Cow;
use std::io;

use crate::reply::Reply;
use crate::wire::command::Verb;
use crate::wire::reply::ReplyError;

/// What came of one transaction.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// One for each recipient, in the order they were given.
    pub recipients: Vec<RecipientOutcome>,
    /// Why the connection is of no more use, when it is.
    pub lost: Option<Loss>,
}

impl Outcome {
    /// True when the peer took the mail for every recipient.
    #[must_use]
    pub fn is_accepted_for_all(&self) -> bool {
        self.recipients.iter().all(RecipientOutcome::is_accepted)
    }

    /// True when the peer may have taken the mail without our knowing: the whole content had gone out when
    /// the connection was lost.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.recipients
            .iter()
            .any(|outcome| matches!(outcome, RecipientOutcome::Lost { after_final_dot: true, .. }))
    }
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientOutcome {
    /// The peer has taken responsibility (RFC 5321 §4.2.5).
    Accepted(Reply),
    /// The peer has said no.
    Refused {
        /// To what.
        stage: Verb,
        /// In its own words.
        reply: Reply,
    },
    /// The connection was lost before there was an answer. Always transient.
    Lost {
        /// The answer to this was awaited.
        stage: Verb,
        /// How.
        why: Loss,
        /// The whole content had gone out, so the peer may have taken it all the same.
        after_final_dot: bool,
    },
    /// Nothing was sent for this recipient: we know that this peer can't carry it.
    Local(LocalRefusal),
}

impl RecipientOutcome {
    /// The peer has the mail.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    /// No other attempt at this peer would end otherwise.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Accepted(_) | Self::Lost { .. } => false,
            // RFC 5321 §4.5.3.1.10: a 552 to RCPT means too many recipients, which was once said with it.
            Self::Refused { stage: Verb::Rcpt, reply } if reply.code.get() == 552 => false,
            Self::Refused { reply, .. } => reply.is_permanent(),
            Self::Local(refusal) => refusal.reply().is_permanent(),
        }
    }

    /// Another attempt may end otherwise.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !self.is_accepted() && !self.is_permanent()
    }

    /// The peer's reply, or one of ours that says what happened.
    #[must_use]
    pub fn reply(&self) -> Cow<'_, Reply> {
        const LOST: Reply = Reply::fixed(451, (4, 4, 2), "");
        match self {
            Self::Accepted(reply) | Self::Refused { reply, .. } => Cow::Borrowed(reply),
            Self::Lost { stage, why, after_final_dot } => {
                let when = if *after_final_dot { "after the end of data" } else { stage.as_str() };
                Cow::Owned(
                    LOST.with_text(format!("Lost connection while waiting for an answer ({when}): {why}")),
                )
            }
            Self::Local(refusal) => Cow::Owned(refusal.reply()),
        }
    }
}

/// How a connection was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The peer hung up.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer said 421 and hangs up (RFC 5321 §3.8).
    #[error("the peer is closing the connection")]
    Closing,
    /// Too slow, or silent.
    #[error("timed out")]
    TimedOut,
    /// The socket broke.
    #[error("the connection broke: {0}")]
    Broken(io::ErrorKind),
    /// What came was no reply.
    #[error(transparent)]
    NotAReply(#[from] ReplyError),
    /// A reply to nothing that was asked, or of a kind that cannot answer what was.
    #[error("the peer is out of step")]
    OutOfStep,
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LocalRefusal {
    /// RFC 6531 §3.5: an address or a header field that only travels with SMTPUTF8.
    #[error("Message needs SMTPUTF8, which the next host does not offer")]
    NeedsSmtpUtf8,
    /// RFC 6152 §3: 8-bit content. We don't re-encode: what we pass on, we pass on byte for byte.
    #[error("Message needs 8BITMIME, which the next host does not offer")]
    NeedsEightBitMime,
    /// RFC 3030 §3: binary content; not re-encoded either.
    #[error("Message needs BINARYMIME, which the next host does not offer")]
    NeedsBinaryMime,
    /// RFC 1870 §6.
    #[error("Message is larger than the next host takes")]
    TooBig,
    /// RFC 9422: over what the peer takes in one transaction; the rest may go in another.
    #[error("More recipients than the next host takes at once")]
    TooManyRecipients,
    /// The message was to go to all of its recipients or to none, and another one was refused.
    #[error("Another recipient was refused, and this message goes to all of them or to none")]
    NotAll,
    /// It is to be held, which only a host of our own does for us.
    #[error("Message is to be held, and the next host does not do that")]
    NeedsHold,
    /// Content that would not come out at the other end as it went in, or would end there early.
    #[error("Message holds a bare CR or LF, or a line that would end it")]
    Malformed,
}

impl LocalRefusal {
    /// As if a peer had said it.
    #[must_use]
    pub fn reply(self) -> Reply {
        let entry = match self {
            Self::NeedsSmtpUtf8 => Reply::fixed(553, (5, 6, 7), ""),
            // RFC 3463 §3.7: 5.6.3, conversion required but not supported.
            Self::NeedsEightBitMime | Self::NeedsBinaryMime => Reply::fixed(554, (5, 6, 3), ""),
            Self::TooBig => Reply::fixed(552, (5, 3, 4), ""),
            Self::TooManyRecipients => Reply::fixed(452, (4, 5, 3), ""),
            Self::NotAll => Reply::fixed(451, (4, 5, 0), ""),
            Self::NeedsHold => Reply::fixed(451, (4, 7, 1), ""),
            Self::Malformed => Reply::fixed(554, (5, 6, 0), ""),
        };
        entry.with_text(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::table;

    #[test]
    fn each_outcome_has_its_answer() {
        let refused = |stage, reply| RecipientOutcome::Refused { stage, reply };
        let lost = |after_final_dot| RecipientOutcome::Lost {
            stage: Verb::EndOfData,
            why: Loss::Closed,
            after_final_dot,
        };
        let too_many = Reply::fixed(552, (5, 5, 3), "too many");
        for (outcome, permanent, code, status) in [
            (refused(Verb::Rcpt, table::NO_SUCH_USER), true, 550, "5.1.1"),
            (refused(Verb::Rcpt, too_many.clone()), false, 552, "5.5.3"),
            (refused(Verb::EndOfData, too_many), true, 552, "5.5.3"),
            (refused(Verb::Mail, table::LOCAL_ERROR), false, 451, "4.3.0"),
            (lost(true), false, 451, "4.4.2"),
            (lost(false), false, 451, "4.4.2"),
            (RecipientOutcome::Local(LocalRefusal::NeedsSmtpUtf8), true, 553, "5.6.7"),
            (RecipientOutcome::Local(LocalRefusal::NeedsEightBitMime), true, 554, "5.6.3"),
            (RecipientOutcome::Local(LocalRefusal::TooBig), true, 552, "5.3.4"),
            (RecipientOutcome::Local(LocalRefusal::NeedsHold), false, 451, "4.7.1"),
            (RecipientOutcome::Local(LocalRefusal::TooManyRecipients), false, 452, "4.5.3"),
        ] {
            let reply = outcome.reply();
            assert_eq!(
                (outcome.is_permanent(), outcome.is_transient()),
                (permanent, !permanent),
                "{outcome:?}"
            );
            assert_eq!(
                (reply.code.get(), reply.status.unwrap().to_string().as_str()),
                (code, status),
                "{outcome:?}"
            );
        }
        assert!(!RecipientOutcome::Accepted(table::TAKEN).is_transient());
    }
}
