//! A filter's word, as the reply that our client gets.

use switchyard_milter_protocol::io::client::Verdict;
use switchyard_milter_protocol::reply::ReplyText;
use switchyard_smtp::reply::{Reply, ReplyCode, ReplyKind, table};
use switchyard_smtp::status::EnhancedStatus;

/// What a verdict means for a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Word {
    GoOn,
    /// 250, and the message is dropped.
    Drop,
    Refuse(Reply),
}

impl From<Verdict> for Word {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::GoOn => Self::GoOn,
            Verdict::Discard => Self::Drop,
            Verdict::Reject => Self::Refuse(table::FILTER_REFUSES),
            Verdict::Tempfail => Self::Refuse(table::FILTER_DEFERS),
            // A client whose connection breaks without a word comes again, and so does one that is told to.
            Verdict::Shutdown | Verdict::Break => Self::Refuse(table::FILTER_CLOSES),
            Verdict::Reply(reply) => Self::Refuse(given(&reply)),
        }
    }
}

/// A filter's own reply. RFC 5321 §4.2 knows no second digit above 5: of such a code only the first counts.
fn given(reply: &ReplyText) -> Reply {
    let usual = if reply.is_transient() { table::FILTER_DEFERS } else { table::FILTER_REFUSES };
    let status = |(class, subject, detail)| EnhancedStatus::new(class, subject, detail);
    let lines: Vec<&str> = reply.lines().collect();
    let text = lines.join("\n");
    Reply {
        code: ReplyCode::new(reply.code()).unwrap_or(usual.code),
        status: reply.status().map(status),
        text: usual.text.clone(),
    }
    .with_text(if text.is_empty() { &usual.text } else { &*text })
}

/// A refusal where a client waits for the greeting. RFC 5321 §4.3.2: that is 554; RFC 5321 §3.8: or 421, when it
/// may come again. Its text stays.
pub(crate) fn greeting(reply: Reply) -> Reply {
    let lawful = if reply.code.kind() == ReplyKind::TransientNegative { 421 } else { 554 };
    Reply { code: ReplyCode::new(lawful).unwrap_or(reply.code), ..reply }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filters_reply_is_given_as_it_is() {
        let said = |code, status, text| Verdict::Reply(ReplyText::new(code, status, text).unwrap());
        for (verdict, reply) in [
            (Verdict::Reject, "550 5.7.1 Refused by a mail filter"),
            (Verdict::Tempfail, "451 4.7.1 Message cannot be taken now, try again"),
            (Verdict::Break, "421 4.7.0 Closing connection, try again"),
            (said(554, Some((5, 7, 1)), "Gtube"), "554 5.7.1 Gtube"),
            (said(550, None, "one\ntwo"), "550 one two"),
            (said(452, None, ""), "452 Message cannot be taken now, try again"),
            (said(599, None, "odd"), "550 odd"),
            (said(460, None, "odd"), "451 odd"),
        ] {
            match Word::from(verdict) {
                Word::Refuse(given) => assert_eq!(given.to_string(), reply),
                other => panic!("{other:?} instead of {reply}"),
            }
        }
        assert_eq!(greeting(table::FILTER_REFUSES).to_string(), "554 5.7.1 Refused by a mail filter");
        assert_eq!(
            greeting(table::FILTER_DEFERS).to_string(),
            "421 4.7.1 Message cannot be taken now, try again"
        );
        assert_eq!((Word::from(Verdict::GoOn), Word::from(Verdict::Discard)), (Word::GoOn, Word::Drop));
    }
}
