//! RCPT: is it for us, and is there such a recipient? Whatever can be refused is refused here, before there is
//! a message that somebody would have to bounce.
//!
//! | who | asked | no | cannot know |
//! |---|---|---|---|
//! | `<postmaster>` | nothing (RFC 5321 §4.5.1) | | |
//! | a mailbox | recipient access | what the table says | 451 4.3.0 |
//! | an address literal | nothing | 554 5.7.1 | |
//! | a domain | relay domains, virtual alias domains | 554 5.7.1 | 451 4.3.0 |
//! | a mailbox in it that is no alias | relocated | 550 5.1.6 | 451 4.3.0 |
//! | a mailbox in it | recipients, virtual aliases | 550 5.1.1 | 451 4.3.0 |
//! | one that could be read as a route | the same, by its very spelling | 554 5.7.1 | 451 4.3.0 |
//! | one that a router refused | what it said | that | |

use std::sync::Arc;

use switchyard_daemon::session::Stage;
use switchyard_maps::access::standing::Asked;
use switchyard_maps::{Answer, Found, MapName, Place, Snapshot, Unavailable, relocated};
use switchyard_smtp::address::{ForwardPath, Host, LocalPart, Mailbox};
use switchyard_smtp::envelope::Recipient;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Transaction};

use super::{CANNOT_KNOW, Held, Policy};
use crate::metrics::Reason;

impl Policy {
    pub(super) async fn decide_recipient(
        &mut self,
        client: &Client,
        transaction: &mut Transaction<Held>,
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        let path = &recipient.forward_path;
        let shared = Arc::clone(&self.rules.shared);
        let held = &transaction.kept;
        let mut standing = held.standing.clone();
        if let ForwardPath::Mailbox(mailbox) = path {
            let answer = Box::pin(held.maps.settled(|maps| maps.access_recipient(mailbox))).await;
            self.rule(&mut standing, Asked::Recipient, answer, client, path)?;
        }
        let judged = Box::pin(held.maps.settled(|maps| judge(maps, path))).await;
        let judged = judged.and_then(|()| match shared.refused.recall(path, shared.clock.now_monotonic()) {
            Some(reply) => Err(No { reply, reason: Reason::Refused, unavailable: None }),
            None => standing.permitted().map_err(|reply| No::new(reply, Reason::Access)),
        });
        let No { reply, reason, unavailable } = match judged {
            Err(no) => {
                let reply = standing.refused(no.reply);
                Box::pin(self.filters.refused(recipient, &reply)).await;
                No { reply, ..no }
            }
            Ok(()) => match Box::pin(self.filters.recipient(recipient)).await {
                Err(reply) => No::new(reply, Reason::Filter),
                Ok(()) => {
                    shared.metrics.verdict(Stage::Recipient, None, Reason::None);
                    return Ok(());
                }
            },
        };
        shared.metrics.verdict(Stage::Recipient, Some(reply.code), reason);
        if let Some(unavailable) = unavailable {
            tracing::error!(session = %self.id, %unavailable, "a recipient is put off");
        }
        tracing::info!(
            session = %self.id,
            transaction = %transaction.kept.id,
            client = %client.address.ip(),
            helo = client.helo_name(),
            from = %transaction.envelope.sender.reverse_path,
            to = %path,
            reason = reason.label(),
            %reply,
            "recipient refused",
        );
        Err(reply)
    }
}

/// Why not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) reply: Reply,
    reason: Reason,
    pub(crate) unavailable: Option<Unavailable>,
}

impl No {
    fn new(reply: Reply, reason: Reason) -> Self {
        Self { reply, reason, unavailable: None }
    }

    fn cannot_know(unavailable: Unavailable) -> Self {
        Self { reply: CANNOT_KNOW, reason: Reason::Map, unavailable: Some(unavailable) }
    }
}

pub(crate) fn judge(maps: &Snapshot, path: &ForwardPath) -> Result<(), No> {
    let mailbox = match path {
        // RFC 5321 §4.5.1: taken with no domain, whatever the maps say.
        ForwardPath::Postmaster => return Ok(()),
        ForwardPath::Mailbox(mailbox) => mailbox,
    };
    let domain = domain_is_ours(maps, mailbox);
    match &domain {
        Answer::Found(_) => {}
        Answer::NotFound => return Err(No::new(table::RELAY_DENIED, Reason::Relay)),
        Answer::Unavailable(why) => return Err(No::cannot_know(why.clone())),
    }
    has_moved(maps, mailbox)?;
    if !maps.has(MapName::Recipients) && domain == Answer::Found(Ours::Relay) {
        // A site that names no recipients takes mail for all of them; never for what looks like a route.
        return if could_be_a_route(&mailbox.local) {
            Err(No::new(table::RELAY_DENIED, Reason::Relay))
        } else {
            Ok(())
        };
    }
    match exists(maps, mailbox) {
        Answer::Unavailable(why) => Err(No::cannot_know(why)),
        Answer::Found(place)
            if !could_be_a_route(&mailbox.local) || is_spelled_out(maps, mailbox, &place) =>
        {
            Ok(())
        }
        Answer::NotFound if !could_be_a_route(&mailbox.local) => {
            Err(No::new(table::NO_SUCH_USER, Reason::Unknown))
        }
        Answer::Found(_) | Answer::NotFound => Err(No::new(table::RELAY_DENIED, Reason::Relay)),
    }
}

/// As in Postfix: who is an alias is asked for where that leads.
fn has_moved(maps: &Snapshot, mailbox: &Mailbox) -> Result<(), No> {
    match maps.relocated(mailbox) {
        Answer::NotFound => Ok(()),
        Answer::Unavailable(why) => Err(No::cannot_know(why)),
        Answer::Found(moved) => match maps.alias(mailbox) {
            Answer::Found(_) => Ok(()),
            Answer::NotFound => Err(No::new(relocated::reply(&moved.value), Reason::Relocated)),
            Answer::Unavailable(why) => Err(No::cannot_know(why)),
        },
    }
}

/// In which way a domain is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    /// Mail for it goes on to another host.
    Relay,
    /// Its addresses are aliases, each named by a map.
    Alias,
}

fn domain_is_ours(maps: &Snapshot, mailbox: &Mailbox) -> Answer<Ours> {
    let Host::Domain(domain) = &mailbox.host else { return Answer::NotFound };
    if !maps.has(MapName::RelayDomains) {
        // Without a list of domains, the list of recipients says what is ours.
        return exists(maps, mailbox).map(|_| Ours::Alias);
    }
    first_of(maps.is_relay_domain(domain).map(|_| Ours::Relay), || {
        maps.is_alias_domain(domain).map(|_| Ours::Alias)
    })
}

fn exists(maps: &Snapshot, mailbox: &Mailbox) -> Answer<Place> {
    first_of(maps.recipient(mailbox).map(place), || maps.alias(mailbox).map(place))
}

fn place<T>(found: Found<T>) -> Place {
    found.place
}

/// What either finds; "no" takes a "no" from both.
fn first_of<T>(one: Answer<T>, other: impl FnOnce() -> Answer<T>) -> Answer<T> {
    match one {
        Answer::Found(found) => Answer::Found(found),
        Answer::NotFound => other(),
        Answer::Unavailable(why) => match other() {
            Answer::Found(found) => Answer::Found(found),
            Answer::NotFound | Answer::Unavailable(_) => Answer::Unavailable(why),
        },
    }
}

/// `user%other.org@ours`, `other.org!user@ours`, `"user@other.org"@ours`: some host behind us may take it for a
/// route to the world, so no catch-all takes it.
fn could_be_a_route(local: &LocalPart) -> bool {
    local.as_str().contains(['%', '!', '@'])
}

/// True when a map lists this very address: with another sign in the route's place, it answers from another
/// line or not at all. A catch-all, or a user whose extension this is, would answer as before.
fn is_spelled_out(maps: &Snapshot, mailbox: &Mailbox, place: &Place) -> bool {
    let other: String = mailbox.local.as_str().replace(['%', '!', '@'], "~");
    let Ok(local) = LocalPart::new(&other) else { return false };
    let twin = Mailbox { local, host: mailbox.host.clone() };
    match exists(maps, &twin) {
        Answer::Found(found) => found != *place,
        Answer::NotFound => true,
        Answer::Unavailable(_) => false,
    }
}

#[cfg(test)]
mod tests;
