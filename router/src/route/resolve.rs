//! Transport and next hop of one recipient. In this order, as Postfix's trivial-rewrite has it:
//!
//! 1. relocated: who has moved is refused, whatever else is said of him;
//! 2. transport: whether mail goes on at all, by what, and where to;
//! 3. backend: on which server the mailbox is, where mail goes on at all. It is the more exact of the two, and says
//!    no more than that;
//! 4. for a recipient in the world that neither names: sender route, by who sends it;
//! 5. the default route.

use switchyard_maps::{
    Answer, Destination, Found, Hop, Nexthop, Notice, Resolved, Route, Snapshot, Unavailable,
};
use switchyard_smtp::address::{ForwardPath, Host, Mailbox, ReversePath};
use switchyard_smtp::status::EnhancedStatus;

use super::RouteOptions;
use super::class::{AddressClass, classify};

/// Where mail for a recipient goes now.
///
/// # Errors
/// When a map cannot be asked: the recipient is deferred, never refused.
pub fn resolve(
    snapshot: &Snapshot,
    options: &RouteOptions,
    sender: &ReversePath,
    path: &ForwardPath,
) -> Result<Resolved, Unavailable> {
    let Some(mailbox) = options.mailbox(path) else {
        return Ok(refuse((5, 1, 3), "bad destination mailbox address"));
    };
    if let Some(moved_to) = known(snapshot.relocated(&mailbox))? {
        // RFC 3463 §3.2.
        return Ok(refuse((5, 1, 6), &format!("User has moved to {moved_to}")));
    }
    let Some(route) = route(snapshot, options, sender, &mailbox)? else {
        // What is left of an alias domain after all aliases is no one.
        return Ok(refuse((5, 1, 1), "user unknown in the alias map"));
    };
    let resolved = pick_member(options, &mailbox, route.resolve(&options.default_route, &mailbox.host));
    // An address literal as a destination is the sender's choice of a machine, inside our network perhaps:
    // only a map can send mail there.
    if matches!(mailbox.host, Host::Literal(_)) && goes_to(&resolved, &mailbox.host) {
        return Ok(refuse((5, 1, 2), "mail to address literals is not taken here"));
    }
    Ok(resolved)
}

/// What the maps and the settings say; none for an address of an alias domain that nothing names.
fn route(
    snapshot: &Snapshot,
    options: &RouteOptions,
    sender: &ReversePath,
    mailbox: &Mailbox,
) -> Result<Option<Route>, Unavailable> {
    let by_transport = known(snapshot.route(mailbox))?;
    if matches!(by_transport, None | Some(Route::Keep | Route::Deliver { .. }))
        && let Some(route) = known(snapshot.backend(mailbox))?
    {
        return Ok(Some(route));
    }
    if by_transport.is_some() {
        return Ok(by_transport);
    }
    let by_sender = match classify(snapshot, &options.origin, &mailbox.host)? {
        AddressClass::VirtualAlias => return Ok(None),
        AddressClass::Default => known(snapshot.sender_route(sender))?,
        AddressClass::Local | AddressClass::Relay => None,
    };
    Ok(Some(by_sender.unwrap_or_else(|| options.default_route.clone())))
}

fn known<T>(answer: Answer<Found<T>>) -> Result<Option<T>, Unavailable> {
    match answer {
        Answer::Found(found) => Ok(Some(found.value)),
        Answer::NotFound => Ok(None),
        Answer::Unavailable(unavailable) => Err(unavailable),
    }
}

/// The member of a pool that an address falls to; its extension changes nothing.
fn pick_member(options: &RouteOptions, mailbox: &Mailbox, resolved: Resolved) -> Resolved {
    let Resolved::Deliver(Destination { transport, nexthop: Nexthop::Hashed { pool, .. } }) = resolved else {
        return resolved;
    };
    let local = mailbox.local.as_str();
    let end = local.find(|character| options.recipient_delimiter.contains(character)).filter(|end| *end > 0);
    let user = local.get(..end.unwrap_or(local.len())).unwrap_or(local);
    let member = options.pools.member_of(&pool, &format!("{}@{}", user.to_lowercase(), mailbox.host));
    Resolved::Deliver(Destination { transport, nexthop: Nexthop::Hashed { pool, member } })
}

fn goes_to(resolved: &Resolved, host: &Host) -> bool {
    let Resolved::Deliver(Destination { nexthop: Nexthop::Hops(hops), .. }) = resolved else { return false };
    matches!(&**hops, [Hop::Host { host: hop, port: None }] if hop == host)
}

fn refuse(status: (u8, u16, u16), text: &str) -> Resolved {
    Resolved::Refuse(Notice { status: EnhancedStatus::new(status.0, status.1, status.2), text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet, Route};
    use switchyard_smtp::address::Domain;

    fn resolved(snapshot: &Snapshot, default_route: &str, path: &str) -> String {
        let mut options = RouteOptions::new(Domain::parse("origin.example").unwrap());
        options.default_route = Route::parse(default_route, &BTreeSet::new()).unwrap();
        match resolve(snapshot, &options, &ReversePath::Null, &ForwardPath::parse(path).unwrap()) {
            Ok(Resolved::Deliver(destination)) => destination.to_string(),
            Ok(Resolved::Refuse(notice)) => format!("refuse {}", notice.status),
            Ok(Resolved::Defer(notice)) => format!("defer {}", notice.status),
            Ok(Resolved::Discard(why)) => format!("discard {why}"),
            Ok(Resolved::Hold(why)) => format!("hold {why}"),
            Err(unavailable) => unavailable.map.to_string(),
        }
    }

    #[test]
    fn the_map_first_then_the_default() {
        let maps = MapOptions::default()
            .with_file(MapName::Transport, "transport")
            .with_file(MapName::VirtualAlias, "virtual");
        let texts = [
            (
                MapName::Transport,
                "in.example lmtp:[127.0.0.1]:24\nno.example error:5.1.6 gone\nlater.example retry:4.3.2 wait\n\
                 sink.example discard:test\nwait.example hold:look\nmx.example smtp:\norigin.example lmtp:unix:/run/lmtp\n",
            ),
            (MapName::VirtualAlias, "alias.example anything\nuser@alias.example user@in.example\n"),
        ];
        let snapshot = MapHandle::new(MapSet::from_texts(&maps, &texts).unwrap()).snapshot();
        for (path, default_route, expected) in [
            ("<a@in.example>", "smtp:[gw.example]", "lmtp:[127.0.0.1]:24"),
            ("<a@mx.example>", "smtp:[gw.example]", "smtp:mx.example"),
            ("<a@else.example>", "smtp:[gw.example]", "smtp:[gw.example]"),
            ("<a@else.example>", ":", "smtp:else.example"),
            ("<a@no.example>", ":", "refuse 5.1.6"),
            ("<a@later.example>", ":", "defer 4.3.2"),
            ("<a@sink.example>", ":", "discard test"),
            ("<a@wait.example>", ":", "hold look"),
            ("<postmaster>", ":", "lmtp:unix:/run/lmtp"),
            ("<nobody@alias.example>", "smtp:[gw.example]", "refuse 5.1.1"),
            ("<a@[127.0.0.1]>", ":", "refuse 5.1.2"),
            ("<a@[127.0.0.1]>", "smtp:[gw.example]", "smtp:[gw.example]"),
        ] {
            assert_eq!(resolved(&snapshot, default_route, path), expected, "{path}");
        }
    }

    #[test]
    fn a_map_that_cannot_be_read_never_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let maps = MapOptions { folder: folder.path().to_owned(), ..MapOptions::default() }
            .with_file(MapName::Transport, "missing");
        let snapshot = MapHandle::new(MapSet::start(&maps).0).snapshot();
        assert_eq!(resolved(&snapshot, ":", "<a@in.example>"), "transport");
    }
}
