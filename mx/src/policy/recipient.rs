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

use switchyard_maps::access::standing::Asked;
use switchyard_maps::{Answer, Found, MapName, Place, Snapshot, Unavailable, relocated};
use switchyard_smtp::address::{ForwardPath, Host, LocalPart, Mailbox};
use switchyard_smtp::envelope::Recipient;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Transaction};

use super::{CANNOT_KNOW, Held, Policy};
use crate::metrics::{Reason, Stage};

impl Policy {
    pub(super) async fn decide_recipient(
        &self,
        client: &Client,
        transaction: &mut Transaction<Held>,
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        let path = &recipient.forward_path;
        let shared = &self.rules.shared;
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
        let Err(No { reply, reason, unavailable }) = judged else {
            shared.metrics.verdict(Stage::Recipient, None, Reason::None);
            return Ok(());
        };
        let reply = standing.refused(reply);
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
mod tests {
    use switchyard_maps::{MapHandle, MapOptions, MapSet};

    use super::*;

    fn maps(texts: &[(MapName, &str)]) -> Snapshot {
        let options = MapOptions { recipient_delimiter: "+".into(), ..MapOptions::default() };
        MapHandle::new(MapSet::from_texts(&options, texts).unwrap()).snapshot()
    }

    fn site() -> Snapshot {
        maps(&[
            (MapName::RelayDomains, "example.org x\nall.example x\n"),
            (
                MapName::Recipients,
                "alice@example.org x\npet%cat@example.org x\n@all.example x\nup!down@all.example x\n",
            ),
            (
                MapName::VirtualAlias,
                "alias.example x\nsales@alias.example alice@example.org\ninfo@example.org alice@example.org\n",
            ),
        ])
    }

    fn said(maps: &Snapshot, path: &str) -> String {
        match judge(maps, &ForwardPath::parse(path).unwrap()) {
            Ok(()) => "ok".into(),
            Err(no) => format!("{} {}", no.reply.code, no.reply.status.unwrap()),
        }
    }

    #[test]
    fn b2_unknown_recipients_are_refused_at_rcpt() {
        let maps = site();
        for (path, answer) in [
            ("<alice@example.org>", "ok"),
            ("<Alice@EXAMPLE.org.>", "ok"),
            ("<alice+lists@example.org>", "ok"),
            ("<info@example.org>", "ok"),
            ("<sales@alias.example>", "ok"),
            ("<anybody@all.example>", "ok"),
            ("<postmaster>", "ok"),
            ("<bob@example.org>", "550 5.1.1"),
            ("<other@alias.example>", "550 5.1.1"),
            ("<alice@example.com>", "554 5.7.1"),
            ("<alice@sub.example.org>", "554 5.7.1"),
            ("<alice@[192.0.2.1]>", "554 5.7.1"),
            ("<@example.org:alice@example.com>", "554 5.7.1"),
        ] {
            assert_eq!(said(&maps, path), answer, "{path}");
        }
    }

    #[test]
    fn a1_routes_in_a_local_part_are_refused_unless_listed() {
        let maps = site();
        for (path, answer) in [
            ("<user%other.org@example.org>", "554 5.7.1"),
            ("<other!user@example.org>", "554 5.7.1"),
            ("<\"user@other.org\"@example.org>", "554 5.7.1"),
            ("<alice+x%other.org@example.org>", "554 5.7.1"),
            ("<user%other.org@all.example>", "554 5.7.1"),
            ("<other.org!user@all.example>", "554 5.7.1"),
            ("<\"user@other.org\"@all.example>", "554 5.7.1"),
            ("<pet%cat@example.org>", "ok"),
            ("<up!down@all.example>", "ok"),
        ] {
            assert_eq!(said(&maps, path), answer, "{path}");
        }
        let open = self::maps(&[(MapName::RelayDomains, "example.org x\n")]);
        assert_eq!(said(&open, "<whoever@example.org>"), "ok", "no list of recipients");
        assert_eq!(said(&open, "<user%other.org@example.org>"), "554 5.7.1");
    }

    #[test]
    fn who_has_moved_is_told_where_to() {
        let maps = maps(&[
            (MapName::RelayDomains, "example.org x\n"),
            (MapName::Recipients, "alice@example.org x\nbob@example.org x\n"),
            (MapName::VirtualAlias, "bob@example.org alice@example.org\n"),
            (
                MapName::Relocated,
                "carol@example.org carol@new.example\nbob@example.org nowhere\nx@else.example y\n",
            ),
        ]);
        for (path, answer) in [
            ("<carol@example.org>", "550 5.1.6"),
            ("<carol+lists@example.org>", "550 5.1.6"),
            ("<bob@example.org>", "ok"),
            ("<x@else.example>", "554 5.7.1"),
        ] {
            assert_eq!(said(&maps, path), answer, "{path}");
        }
    }

    #[test]
    fn recipients_alone_say_what_is_ours() {
        let maps = maps(&[(MapName::Recipients, "alice@example.org x\n")]);
        assert_eq!(said(&maps, "<alice@example.org>"), "ok");
        assert_eq!(said(&maps, "<bob@example.org>"), "554 5.7.1");
    }

    #[test]
    fn a_map_that_cannot_say_is_no_no() {
        let folder = tempfile::tempdir().unwrap();
        let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() }
            .with_file(MapName::Recipients, "recipients")
            .with_file(MapName::RelayDomains, "relay_domains");
        let snapshot = || MapHandle::new(MapSet::start(&options).0).snapshot();
        assert_eq!(said(&snapshot(), "<alice@example.org>"), "451 4.3.0");
        #[expect(clippy::disallowed_methods, reason = "a test's own file")]
        std::fs::write(folder.path().join("relay_domains"), "example.org x\n").unwrap();
        assert_eq!(said(&snapshot(), "<alice@example.org>"), "451 4.3.0");
        assert_eq!(said(&snapshot(), "<alice@example.com>"), "554 5.7.1");
        assert_eq!(said(&snapshot(), "<postmaster>"), "ok");
    }
}
