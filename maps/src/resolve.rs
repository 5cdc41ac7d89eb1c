//! What comes of a route for one recipient, once the default has filled in what the map left open.

use std::fmt;
use std::sync::Arc;

use switchyard_smtp::address::Host;

use crate::entry::{Notice, Route, Transport};
use crate::nexthop::{Hop, Nexthop};

/// Where one recipient's mail goes: equal ones share a queue and connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// By which protocol.
    pub transport: Transport,
    /// To whom; never [`Nexthop::RecipientDomain`].
    pub nexthop: Nexthop,
}

/// `smtp:[gw.example.net]:25`, as in a map.
impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.transport, self.nexthop)
    }
}

/// What a route comes to for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resolved {
    /// Hand it over.
    Deliver(Destination),
    /// Refuse it for good.
    Refuse(Notice),
    /// Refuse it for now.
    Defer(Notice),
    /// Take it and drop it.
    Discard(Arc<str>),
    /// Take it and wait for the operator.
    Hold(Arc<str>),
}

impl Route {
    /// What this comes to for a recipient at `host`, where `default` holds what the map left open.
    #[must_use]
    pub fn resolve(&self, default: &Self, host: &Host) -> Resolved {
        let by_default = match default {
            Self::Deliver { transport, .. } => transport.unwrap_or(Transport::Smtp),
            _ => Transport::Smtp,
        };
        match self {
            Self::Keep if *default == Self::Keep => {
                Self::Deliver { transport: None, nexthop: Nexthop::RecipientDomain }.resolve(default, host)
            }
            Self::Keep => default.resolve(default, host),
            Self::Deliver { transport, nexthop } => {
                let nexthop = match nexthop {
                    Nexthop::RecipientDomain => Nexthop::Hops(Arc::from([Hop::of_recipient(host)])),
                    other => other.clone(),
                };
                Resolved::Deliver(Destination { transport: transport.unwrap_or(by_default), nexthop })
            }
            Self::Refuse(notice) => Resolved::Refuse(notice.clone()),
            Self::Defer(notice) => Resolved::Defer(notice.clone()),
            Self::Discard(reason) => Resolved::Discard(Arc::clone(reason)),
            Self::Hold(reason) => Resolved::Hold(Arc::clone(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use switchyard_smtp::status::EnhancedStatus;

    use super::*;

    fn route(text: &str) -> Route {
        Route::parse(text, &BTreeSet::new()).unwrap()
    }

    #[test]
    fn what_the_map_leaves_open_is_the_defaults() {
        let host = Host::parse("dom.example").unwrap();
        let resolve = |text: &str, default: &str| match route(text).resolve(&route(default), &host) {
            Resolved::Deliver(destination) => destination.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(resolve(":", "lmtp:[in.example]:24"), "lmtp:[in.example]:24");
        assert_eq!(resolve(":[gw.example]", "lmtp:[in.example]:24"), "lmtp:[gw.example]");
        assert_eq!(resolve("smtp:", "lmtp:[in.example]:24"), "smtp:dom.example");
        assert_eq!(resolve(":", ":"), "smtp:dom.example");
        assert_eq!(resolve(":", "smtp:"), "smtp:dom.example");
        let notice = Notice { status: EnhancedStatus::new(5, 0, 0), text: "no".into() };
        assert_eq!(route("error:no").resolve(&route("smtp:"), &host), Resolved::Refuse(notice.clone()));
        assert_eq!(route(":").resolve(&route("error:no"), &host), Resolved::Refuse(notice));
    }
}
