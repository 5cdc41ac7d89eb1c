//! What a router's answers mean for a message: one verdict for all of its recipients.
//!
//! A client hears one answer for the whole message, so a message is handed over whole or not at all. What no
//! answer could tell truly (some recipients taken, some refused) is put off, and the refusals are remembered so
//! that the client hears them at RCPT when it comes again.

use switchyard_smtp::client::{Outcome, RecipientOutcome};
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::Verb;

/// What a router's answers come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It took the message, for every recipient.
    Taken(Reply),
    /// It said no, and its answer is ours.
    No {
        /// What the client hears.
        reply: Reply,
        /// Recipients that it will never take, by their place in the envelope, and what it said to each.
        refused: Vec<(usize, Reply)>,
    },
    /// It can't now, for reasons of its own: another router may.
    Elsewhere(Reply),
    /// The connection was lost before there was an answer.
    Lost {
        /// The whole content was out: it may have taken the message all the same.
        after_final_dot: bool,
    },
}

/// Reads one outcome.
pub(super) fn judge(outcome: &Outcome) -> Verdict {
    let recipients = &outcome.recipients;
    if recipients.iter().any(|recipient| matches!(recipient, RecipientOutcome::Lost { .. })) {
        return Verdict::Lost { after_final_dot: outcome.is_ambiguous() };
    }
    if let Some(reply) = recipients.iter().find_map(own_trouble) {
        return Verdict::Elsewhere(reply.clone());
    }
    let refusals =
        || recipients.iter().enumerate().filter(|(_, recipient)| is_about_the_recipient(recipient));
    if let Some((_, put_off)) = refusals().find(|(_, recipient)| recipient.is_transient()) {
        return Verdict::No { reply: put_off.reply().into_owned(), refused: Vec::new() };
    }
    let refused: Vec<_> =
        refusals().map(|(index, recipient)| (index, recipient.reply().into_owned())).collect();
    let reply = match (recipients.first(), refused.first()) {
        (None, _) => table::LOCAL_ERROR,
        (Some(RecipientOutcome::Accepted(reply)), None) if outcome.is_accepted_for_all() => {
            return Verdict::Taken(reply.clone());
        }
        (Some(_), Some((_, reply))) if refused.len() == recipients.len() => reply.clone(),
        (Some(_), Some(_)) => {
            table::LOCAL_ERROR.with_text("Some recipients were refused, try again for the others")
        }
        // All of them fared alike: the answer was to MAIL or to the content.
        (Some(first), None) => match recipients.iter().find(|recipient| !recipient.is_accepted()) {
            Some(refusal) => refusal.reply().into_owned(),
            None => first.reply().into_owned(),
        },
    };
    Verdict::No { reply, refused }
}

/// 421, or a status that speaks of the host and not of the mail (RFC 3463 §3.4: X.3 is mail system status).
fn own_trouble(recipient: &RecipientOutcome) -> Option<&Reply> {
    match recipient {
        RecipientOutcome::Refused { reply, .. } if reply.closes() => Some(reply),
        RecipientOutcome::Refused { reply, .. }
            if reply.is_transient() && reply.status.is_some_and(|status| status.subject == 3) =>
        {
            Some(reply)
        }
        _ => None,
    }
}

fn is_about_the_recipient(recipient: &RecipientOutcome) -> bool {
    matches!(recipient, RecipientOutcome::Refused { stage: Verb::Rcpt, .. })
}

/// A router's reply as it is passed on: its text bounded, with the status that RFC 2034 §4 wants, and without
/// closing the client's session, which has nothing to do with the router's.
pub(super) fn pass_on(reply: &Reply) -> Reply {
    const MOST: usize = 1000;
    let mut told = if reply.closes() { table::NO_ROUTER } else { reply.clone() };
    if told.text.len() > MOST {
        let text: String = told.text.chars().take(MOST / 4).collect();
        told = told.with_text(text);
    }
    let class = (told.code.get() / 100) as u8;
    told.status =
        told.status.filter(|status| status.class == class).or(Some(EnhancedStatus::new(class, 0, 0)));
    told
}

#[cfg(test)]
mod tests {
    use switchyard_smtp::client::{LocalRefusal, Loss};

    use super::*;

    fn accepted() -> RecipientOutcome {
        RecipientOutcome::Accepted(table::TAKEN.with_text("Ok: queued as 4ZK"))
    }

    fn refused(stage: Verb, reply: Reply) -> RecipientOutcome {
        RecipientOutcome::Refused { stage, reply }
    }

    fn lost(after_final_dot: bool) -> RecipientOutcome {
        RecipientOutcome::Lost { stage: Verb::Bdat, why: Loss::Closed, after_final_dot }
    }

    fn no(reply: Reply, refused: &[(usize, Reply)]) -> Verdict {
        Verdict::No { reply, refused: refused.to_vec() }
    }

    #[test]
    fn one_verdict_for_all_recipients() {
        let unknown = || refused(Verb::Rcpt, table::NO_SUCH_USER);
        let beside = || refused(Verb::Bdat, table::NOT_ALL_RECIPIENTS);
        let virus = Reply::fixed(550, (5, 7, 1), "Virus");
        let grey = Reply::fixed(450, (4, 7, 1), "Greylisted");
        let mixed = table::LOCAL_ERROR.with_text("Some recipients were refused, try again for the others");
        for (recipients, verdict) in [
            (vec![accepted(), accepted()], Verdict::Taken(table::TAKEN.with_text("Ok: queued as 4ZK"))),
            (vec![unknown()], no(table::NO_SUCH_USER, &[(0, table::NO_SUCH_USER)])),
            (
                vec![unknown(), refused(Verb::Rcpt, table::RELAY_DENIED)],
                no(table::NO_SUCH_USER, &[(0, table::NO_SUCH_USER), (1, table::RELAY_DENIED)]),
            ),
            (vec![beside(), unknown()], no(mixed.clone(), &[(1, table::NO_SUCH_USER)])),
            (vec![accepted(), unknown()], no(mixed, &[(1, table::NO_SUCH_USER)])),
            (vec![unknown(), refused(Verb::Rcpt, grey.clone()), beside()], no(grey.clone(), &[])),
            (vec![refused(Verb::EndOfData, virus.clone()); 2], no(virus, &[])),
            (vec![refused(Verb::Mail, grey.clone()); 2], no(grey, &[])),
            (vec![refused(Verb::Bdat, table::NO_ROOM)], Verdict::Elsewhere(table::NO_ROOM)),
            (
                vec![unknown(), refused(Verb::Rcpt, table::LOCAL_ERROR)],
                Verdict::Elsewhere(table::LOCAL_ERROR),
            ),
            (vec![refused(Verb::Mail, table::SHUTTING_DOWN)], Verdict::Elsewhere(table::SHUTTING_DOWN)),
            (vec![unknown(), lost(false)], Verdict::Lost { after_final_dot: false }),
            (vec![lost(true), lost(true)], Verdict::Lost { after_final_dot: true }),
            (vec![RecipientOutcome::Local(LocalRefusal::TooBig)], no(LocalRefusal::TooBig.reply(), &[])),
        ] {
            let outcome = Outcome { recipients, lost: None };
            assert_eq!(judge(&outcome), verdict, "{outcome:?}");
        }
    }

    #[test]
    fn b4_what_a_router_said_is_bounded() {
        let reply = Reply::bare(550, "no").with_text("é".repeat(100_000));
        let told = pass_on(&reply);
        assert!(told.text.len() <= 1000 && told.code.get() == 550);
        assert_eq!(told.status, Some(EnhancedStatus::new(5, 0, 0)));
        assert_eq!(pass_on(&table::SHUTTING_DOWN), table::NO_ROUTER, "the client's session goes on");
        assert_eq!(pass_on(&table::NO_SUCH_USER), table::NO_SUCH_USER);
    }
}
