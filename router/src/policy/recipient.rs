//! RCPT: is the domain ours, may the client send elsewhere, and does the user exist, or has he moved?
//!
//! An address of our SRS domain stands for another one: it is taken when one of our secrets made it, and not too
//! long ago, whoever sends to it.
//!
//! Unknown users are refused here and now: taking mail first and reporting later would send the report to
//! whomever the envelope names (backscatter).

use std::time::SystemTime;

use switchyard_maps::{Answer, MapName, Notice, Resolved, Side, Snapshot, Unavailable};
use switchyard_smtp::address::{Domain, ForwardPath, Host, Mailbox, ReversePath};
use switchyard_smtp::reply::{Reply, table};

use crate::route::RouteOptions;
use crate::route::resolve::resolve;
use crate::route::srs::BadSrs;

/// How RCPT was judged; the label of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Judged {
    /// Taken.
    Accepted,
    /// Not our domain, and the client may not relay.
    RelayDenied,
    /// No such user.
    Unknown,
    /// A map can't be asked.
    Unavailable,
    /// The maps refuse mail for it, for good (`error:`, a user who has moved) or for now (`retry:`).
    Refused(Notice),
    /// It looks like an address that we rewrote, and is none.
    BadSrs(BadSrs),
}

impl Judged {
    /// As a label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::RelayDenied => "relay_denied",
            Self::Unknown => "unknown_user",
            Self::Unavailable => "map_unavailable",
            Self::Refused(_) => "refused_by_map",
            Self::BadSrs(_) => "bad_srs",
        }
    }

    /// What the client is told.
    ///
    /// # Errors
    /// With the reply to give, unless the recipient is accepted.
    pub fn verdict(self) -> Result<(), Reply> {
        match self {
            Self::Accepted => Ok(()),
            Self::RelayDenied => Err(table::RELAY_DENIED),
            Self::Unknown => Err(table::NO_SUCH_USER),
            Self::Unavailable => Err(table::LOCAL_ERROR),
            Self::Refused(notice) => {
                let entry = if notice.status.class == 5 { table::NO_SUCH_USER } else { table::LOCAL_ERROR };
                Err(Reply { status: Some(notice.status), ..entry.with_text(notice.text) })
            }
            Self::BadSrs(why) => Err(table::NO_SUCH_USER.with_text(why.to_string())),
        }
    }
}

/// One recipient of one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The client may send to any domain.
    pub may_relay: bool,
    /// From whom.
    pub sender: &'a ReversePath,
    /// To whom.
    pub path: &'a ForwardPath,
}

/// Judges an address of our SRS domain, for which no map is asked; none for any other address.
#[must_use]
pub fn judge_rewritten(routes: &RouteOptions, path: &ForwardPath, now: SystemTime) -> Option<Judged> {
    let (srs, mailbox) = (routes.srs.as_ref()?, path.mailbox()?);
    let judge = || srs.judge(mailbox, now).map_or_else(Judged::BadSrs, |()| Judged::Accepted);
    srs.is_rewritten(mailbox).then(judge)
}

/// Judges one recipient on the snapshot of its transaction. What could only be reported later is refused now.
#[must_use]
pub fn judge(maps: &Snapshot, routes: &RouteOptions, question: &Question<'_>) -> Judged {
    match is_welcome(maps, question.may_relay, question.path) {
        Judged::Accepted => refusal_by_route(maps, routes, question).unwrap_or(Judged::Accepted),
        refusal => refusal,
    }
}

/// The maps' refusal of this very address. One that is written otherwise, or stands for others, is judged where
/// that leads, and that may be to many.
fn refusal_by_route(maps: &Snapshot, routes: &RouteOptions, question: &Question<'_>) -> Option<Judged> {
    let mailbox = routes.mailbox(question.path)?;
    if !matches!(maps.canonical(&mailbox, Side::Recipient), Answer::NotFound)
        || !matches!(maps.alias(&mailbox), Answer::NotFound)
    {
        return None;
    }
    match resolve(maps, routes, question.sender, question.path) {
        Ok(Resolved::Refuse(notice) | Resolved::Defer(notice)) => Some(Judged::Refused(notice)),
        // A map that can't be asked now is asked again at the attempt; the mail can wait in the queue.
        Ok(Resolved::Deliver(_) | Resolved::Discard(_) | Resolved::Hold(_)) | Err(_) => None,
    }
}

fn is_welcome(maps: &Snapshot, may_relay: bool, path: &ForwardPath) -> Judged {
    let mailbox = match path {
        // RFC 5321 §4.5.1: always taken.
        ForwardPath::Postmaster => return Judged::Accepted,
        ForwardPath::Mailbox(mailbox) => mailbox,
    };
    let Host::Domain(domain) = &mailbox.host else {
        // An address in brackets names a host, not one of our domains.
        return if may_relay { Judged::Accepted } else { Judged::RelayDenied };
    };
    match is_ours(maps, domain) {
        Ok(true) => exists(maps, mailbox),
        Ok(false) if may_relay => Judged::Accepted,
        Ok(false) => Judged::RelayDenied,
        Err(unavailable) => {
            tracing::warn!(%mailbox, %unavailable, "recipient put off");
            Judged::Unavailable
        }
    }
}

fn is_ours(maps: &Snapshot, domain: &Domain) -> Result<bool, Unavailable> {
    match maps.is_relay_domain(domain) {
        Answer::Found(_) => return Ok(true),
        Answer::NotFound => {}
        Answer::Unavailable(unavailable) => return Err(unavailable),
    }
    match maps.is_alias_domain(domain) {
        Answer::Found(_) => Ok(true),
        Answer::NotFound => Ok(false),
        Answer::Unavailable(unavailable) => Err(unavailable),
    }
}

/// An alias, a listed recipient, an address that is written otherwise, and who has moved (who is told so by the
/// route) are known; where the role lists no recipients, everybody is.
fn exists(maps: &Snapshot, mailbox: &Mailbox) -> Judged {
    let answers = [
        maps.alias(mailbox).map(drop),
        maps.recipient(mailbox).map(drop),
        maps.canonical(mailbox, Side::Recipient).map(drop),
        maps.relocated(mailbox).map(drop),
    ];
    let mut unavailable = false;
    for answer in answers {
        match answer {
            Answer::Found(()) => return Judged::Accepted,
            Answer::NotFound => {}
            Answer::Unavailable(why) => {
                tracing::warn!(%mailbox, %why, "recipient put off");
                unavailable = true;
            }
        }
    }
    match (unavailable, maps.has(MapName::Recipients)) {
        (true, _) => Judged::Unavailable,
        (false, true) => Judged::Unknown,
        (false, false) => Judged::Accepted,
    }
}

#[cfg(test)]
mod tests;
