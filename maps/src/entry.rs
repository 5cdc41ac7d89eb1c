//! What a transport map says about an address: a typed [`Route`].
//!
//! The text is transport(5)'s `transport:nexthop`. An empty transport keeps the default one; an empty next
//! hop is the recipient's domain; both empty change nothing at all.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use switchyard_smtp::address::Host;
use switchyard_smtp::status::EnhancedStatus;

use crate::fault::{Wrong, offset};
use crate::nexthop::{Hop, Nexthop};

/// Octets of a text that is said to the world.
const MAX_NOTICE: usize = 400;

/// The protocol that carries mail to a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// `smtp:`, and `relay:`, which is another name for it.
    Smtp,
    /// `lmtp:` (RFC 2033).
    Lmtp,
}

impl Transport {
    /// The port of its services.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Lmtp => 24,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why mail goes nowhere, in words for its sender.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice {
    /// 5.x.x for `error:`, 4.x.x for `retry:`.
    pub status: EnhancedStatus,
    /// Printable ASCII.
    pub text: Arc<str>,
}

/// What a transport map, or the settings, say about an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route {
    /// `:` — as if the map did not exist.
    Keep,
    /// Hand it over; without a transport, by the default one.
    Deliver {
        /// By which protocol.
        transport: Option<Transport>,
        /// To whom.
        nexthop: Nexthop,
    },
    /// `error:` — refuse it for good.
    Refuse(Notice),
    /// `retry:` — refuse it for now.
    Defer(Notice),
    /// `discard:` — take it and drop it, for the reason in the text.
    Discard(Arc<str>),
    /// `hold:` — take it and wait for the operator, for the reason in the text.
    Hold(Arc<str>),
}

/// Text that is no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRoute {
    /// In octets from the start of the text.
    pub at: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Route {
    /// Reads `transport:nexthop`; every pool named must be one of `pools`.
    ///
    /// # Errors
    /// When the transport is unknown, or what follows is not for it.
    pub fn parse(text: &str, pools: &BTreeSet<String>) -> Result<Self, BadRoute> {
        Self::read(text, pools).map_err(|wrong| BadRoute { at: wrong.at, message: wrong.what })
    }

    pub(crate) fn read(text: &str, pools: &BTreeSet<String>) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::new("`transport:nexthop` is expected"));
        }
        if let Some(at) = text.find(|character: char| character.is_control() && character != '\t') {
            return Err(Wrong::at(at, "control character"));
        }
        // Without a colon all of it is the transport.
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let nexthop = rest.trim_matches([' ', '\t']);
        let at = if nexthop.is_empty() { 0 } else { offset(nexthop, text) };
        let moved = |wrong: Wrong| wrong.moved(at);
        match name {
            "" if nexthop.is_empty() => Ok(Self::Keep),
            "" => Self::deliver(None, nexthop, pools).map_err(moved),
            "smtp" | "relay" => Self::deliver(Some(Transport::Smtp), nexthop, pools).map_err(moved),
            "lmtp" => Self::deliver(Some(Transport::Lmtp), nexthop, pools).map_err(moved),
            "error" => Notice::read(nexthop, 5, "mail for this address is not deliverable")
                .map(Self::Refuse)
                .map_err(moved),
            "retry" => Notice::read(nexthop, 4, "mail for this address is not deliverable now")
                .map(Self::Defer)
                .map_err(moved),
            "discard" => reason(nexthop).map(Self::Discard).map_err(moved),
            "hold" => reason(nexthop).map(Self::Hold).map_err(moved),
            _ => Err(Wrong::new(unknown_transport(name, text))),
        }
    }

    /// The next hop that is one of these hosts, by name or address in lower case, and port.
    pub(crate) fn leads_to(&self, own: &BTreeSet<(String, u16)>) -> Option<&Hop> {
        let Self::Deliver { transport, nexthop } = self else { return None };
        let usual = transport.unwrap_or(Transport::Smtp).port();
        nexthop.hops().iter().find(|hop| {
            let (host, port) = match hop {
                Hop::Mx { domain, port } => (domain.to_string(), port),
                Hop::Host { host: Host::Domain(domain), port } => (domain.to_string(), port),
                Hop::Host { host: Host::Literal(literal), port } => (literal.0.to_string(), port),
                Hop::Unix(_) => return false,
            };
            own.contains(&(host, port.unwrap_or(usual)))
        })
    }

    fn deliver(transport: Option<Transport>, nexthop: &str, pools: &BTreeSet<String>) -> Result<Self, Wrong> {
        let nexthop = match (nexthop, transport) {
            // Mail exchangers speak SMTP.
            ("", Some(Transport::Lmtp)) => return Err(Wrong::new("lmtp: needs a next hop")),
            ("", _) => Nexthop::RecipientDomain,
            _ => Nexthop::read(nexthop, pools)?,
        };
        let socket = nexthop.hops().iter().any(|hop| matches!(hop, Hop::Unix(_)));
        if socket && transport != Some(Transport::Lmtp) {
            return Err(Wrong::new("a socket's path is for lmtp: only"));
        }
        Ok(Self::Deliver { transport, nexthop })
    }
}

fn unknown_transport(name: &str, text: &str) -> String {
    let expected = "smtp, lmtp, relay, error, retry, discard or hold is expected";
    if name.contains(['.', '[', '@']) {
        return format!("unknown transport `{name}`; if it is the next hop, write `smtp:{text}`");
    }
    format!("unknown transport `{name}`; {expected}")
}

impl Notice {
    /// `text` or `5.1.1 text`, as Postfix's error(8) takes it.
    fn read(nexthop: &str, class: u8, default: &str) -> Result<Self, Wrong> {
        let (status, text) = match EnhancedStatus::split_from(nexthop) {
            Some((status, _)) if status.class != class => {
                let other = if class == 5 { "retry:" } else { "error:" };
                return Err(Wrong::new(format!("{status} belongs to {other}; here {class}.x.x is expected")));
            }
            Some((status, text)) => (status, text.trim_start()),
            None => (EnhancedStatus::new(class, 0, 0), nexthop),
        };
        if text.is_empty() {
            return Ok(Self { status, text: default.into() });
        }
        let text = reason(text).map_err(|wrong| wrong.moved(offset(text, nexthop)))?;
        Ok(Self { status, text })
    }
}

/// A text that may stand in a reply (RFC 5321 §4.2, textstring).
pub(crate) fn reason(text: &str) -> Result<Arc<str>, Wrong> {
    if text.len() > MAX_NOTICE {
        return Err(Wrong::new(format!("a text of more than {MAX_NOTICE} octets")));
    }
    match text.find(|character: char| !matches!(character, ' '..='~' | '\t')) {
        Some(at) => Err(Wrong::at(at, "only printable ASCII may stand in a reply")),
        // A tab comes from a line that goes on in the next one.
        None => Ok(text.replace('\t', " ").into()),
    }
}

/// As it stands in a map.
impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => formatter.write_str(":"),
            Self::Deliver { transport, nexthop } => {
                write!(formatter, "{}:{nexthop}", transport.map_or("", Transport::as_str))
            }
            Self::Refuse(notice) => write!(formatter, "error:{} {}", notice.status, notice.text),
            Self::Defer(notice) => write!(formatter, "retry:{} {}", notice.status, notice.text),
            Self::Discard(reason) => write!(formatter, "discard:{reason}"),
            Self::Hold(reason) => write!(formatter, "hold:{reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Route {
        Route::parse(text, &BTreeSet::from(["inside".to_owned()])).unwrap()
    }

    #[test]
    fn routes_read_and_write() {
        for (text, written) in [
            (":", ":"),
            ("smtp", "smtp:"),
            ("relay:[gw.example.net]:26", "smtp:[gw.example.net]:26"),
            (":[gw.example.net]", ":[gw.example.net]"),
            ("smtp: bar.example, foo.example", "smtp:bar.example, foo.example"),
            ("lmtp:unix:/run/lmtp", "lmtp:unix:/run/lmtp"),
            ("lmtp:@inside", "lmtp:@inside"),
            ("error:mail for *.example.com: no", "error:5.0.0 mail for *.example.com: no"),
            ("error:5.1.6 moved", "error:5.1.6 moved"),
            ("retry:4.3.2 not\tyet", "retry:4.3.2 not yet"),
            ("retry:", "retry:4.0.0 mail for this address is not deliverable now"),
            ("discard:test traffic", "discard:test traffic"),
            ("hold:", "hold:"),
        ] {
            assert_eq!(route(text).to_string(), written, "{text}");
            assert_eq!(route(written), route(text), "{text}");
        }
    }

    #[test]
    fn bad_routes_say_what_was_expected() {
        for (text, at, message) in [
            ("", 0, "`transport:nexthop` is expected"),
            (
                "uucp:x",
                0,
                "unknown transport `uucp`; smtp, lmtp, relay, error, retry, discard or hold is expected",
            ),
            (
                "gw.example",
                0,
                "unknown transport `gw.example`; if it is the next hop, write `smtp:gw.example`",
            ),
            (
                "[gw.example]:25",
                0,
                "unknown transport `[gw.example]`; if it is the next hop, write `smtp:[gw.example]:25`",
            ),
            ("lmtp:", 0, "lmtp: needs a next hop"),
            ("smtp:unix:/run/x", 5, "a socket's path is for lmtp: only"),
            ("error:4.1.1 later", 6, "4.1.1 belongs to retry:; here 5.x.x is expected"),
            ("error:caf\u{e9}", 9, "only printable ASCII may stand in a reply"),
            ("smtp:a.example\r\nBcc: x", 14, "control character"),
        ] {
            let expected = BadRoute { at, message: message.to_owned() };
            assert_eq!(Route::parse(text, &BTreeSet::new()), Err(expected), "{text:?}");
        }
    }
}
