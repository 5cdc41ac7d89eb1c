//! Transport and next hop of one recipient. In this order, as Postfix's trivial-rewrite has it:
//!
//! 1. relocated: who has moved is refused, whatever else is said of him;
//! 2. transport: whether mail goes on at all, by what, and where to;
//! 3. backend: on which server the mailbox is, where mail goes on at all. It is the more exact of the two, and says
//!    no more than that;
//! 4. for a recipient in the world that neither names: sender route, by who sends it;
//! 5. the default route.

use switchyard_maps::{
    Answer, Destination, Found, Hop, Nexthop, Notice, Resolved, Route, Snapshot, Unavailable, relocated,
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
    resolve_with(snapshot, options, sender, path, false)
}

/// The same for mail that a hand released: a line that says to hold it says nothing of it, and the tables after it
/// are asked.
///
/// # Errors
/// As for [`resolve`].
pub fn resolve_released(
    snapshot: &Snapshot,
    options: &RouteOptions,
    sender: &ReversePath,
    path: &ForwardPath,
) -> Result<Resolved, Unavailable> {
    resolve_with(snapshot, options, sender, path, true)
}

fn resolve_with(
    snapshot: &Snapshot,
    options: &RouteOptions,
    sender: &ReversePath,
    path: &ForwardPath,
    released: bool,
) -> Result<Resolved, Unavailable> {
    let Some(mailbox) = options.mailbox(path) else {
        return Ok(refuse((5, 1, 3), "bad destination mailbox address"));
    };
    if let Some(moved_to) = known(snapshot.relocated(&mailbox))? {
        return Ok(Resolved::Refuse(relocated::notice(&moved_to)));
    }
    let Some(route) = route(snapshot, options, sender, &mailbox, released)? else {
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

/// Where mail for a recipient goes by a route that somebody gave it, whatever the maps say. When the settings name
/// its pool no more, it waits: it was sent there because it was to go nowhere else.
#[must_use]
pub fn resolve_by(options: &RouteOptions, route: &Route, path: &ForwardPath) -> Resolved {
    let Some(mailbox) = options.mailbox(path) else {
        return refuse((5, 1, 3), "bad destination mailbox address");
    };
    let resolved = route.resolve(&options.default_route, &mailbox.host);
    if let Resolved::Deliver(Destination {
        nexthop: Nexthop::Pool(pool) | Nexthop::Hashed { pool, .. }, ..
    }) = &resolved
        && options.pools.all(pool).is_empty()
    {
        // RFC 3463 §3.4: X.3.5, system incorrectly configured.
        let status = EnhancedStatus::new(4, 3, 5);
        let text = format!("rerouted by hand to {route}, and the settings name no such pool any more");
        return Resolved::Defer(Notice { status, text: text.into() });
    }
    pick_member(options, &mailbox, resolved)
}

/// What the maps and the settings say; none for an address of an alias domain that nothing names.
fn route(
    snapshot: &Snapshot,
    options: &RouteOptions,
    sender: &ReversePath,
    mailbox: &Mailbox,
    released: bool,
) -> Result<Option<Route>, Unavailable> {
    let counts = |route: &Route| !(released && matches!(route, Route::Hold(_)));
    let by_transport = known(snapshot.route(mailbox))?.filter(counts);
    if matches!(by_transport, None | Some(Route::Keep | Route::Deliver { .. }))
        && let Some(route) = known(snapshot.backend(mailbox))?.filter(counts)
    {
        return Ok(Some(route));
    }
    if by_transport.is_some() {
        return Ok(by_transport);
    }
    let by_sender = match classify(snapshot, &options.origin, &mailbox.host)? {
        AddressClass::VirtualAlias => return Ok(None),
        AddressClass::Default => known(snapshot.sender_route(sender))?.filter(counts),
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
mod tests;
