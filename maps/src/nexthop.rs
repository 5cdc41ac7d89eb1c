//! Where next, by Postfix's grammar: `[host]:port`, `host:port`, lists of these, `unix:/path`, and ours: `@pool`
//! and `hash:@pool`.
//!
//! `[host]` means the host's own addresses; `host` without brackets is asked for its MX records first. Hops
//! of a list are tried in order (Postfix 3.5). A pool is a list of hops kept under a name in the settings: its
//! members take turns, or, by hash, each address has its own member.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use switchyard_smtp::address::{AddressLiteral, Domain, Host};

use crate::entry::BadRoute;
use crate::fault::{SETTINGS_NAME, Wrong, offset};

/// Hops of one list.
const MAX_HOPS: usize = 100;
/// Octets of a socket's path that every system takes (`sun_path`, with its closing NUL).
const MAX_SOCKET_PATH: usize = 107;

/// Where a message goes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Nexthop {
    /// The recipient's own domain.
    RecipientDomain,
    /// These, tried in order; never empty.
    Hops(Arc<[Hop]>),
    /// A pool of the settings, whose members take turns.
    Pool(Arc<str>),
    /// `hash:@pool`: of a pool of the settings, the member that the recipient's address falls to.
    Hashed {
        /// The pool.
        pool: Arc<str>,
        /// That member, once the recipient is known; equal ones share a queue and connections.
        member: Option<Hop>,
    },
}

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hop {
    /// `host`: the domain's mail exchangers (RFC 5321 §5.1).
    Mx {
        /// Whose MX records.
        domain: Domain,
        /// The transport's own port when there is none.
        port: Option<u16>,
    },
    /// `[host]`: this very host.
    Host {
        /// A name, of which the address records are asked, or an address.
        host: Host,
        /// The transport's own port when there is none.
        port: Option<u16>,
    },
    /// `unix:/path`: a socket on this machine.
    Unix(Arc<Path>),
}

impl Nexthop {
    /// Reads a next hop; every pool named must be one of `pools`.
    pub(crate) fn read(text: &str, pools: &BTreeSet<String>) -> Result<Self, Wrong> {
        let known_pool = |pool: &str| match pools.get(pool) {
            Some(pool) => Ok(pool.as_str().into()),
            None => Err(Wrong::new(format!("unknown pool `{pool}`; {}", known(pools)))),
        };
        if let Some(pool) = text.strip_prefix('@') {
            return known_pool(pool).map(Self::Pool);
        }
        if let Some(pool) = text.strip_prefix("hash:") {
            return match pool.strip_prefix('@') {
                Some(pool) => known_pool(pool)
                    .map(|pool| Self::Hashed { pool, member: None })
                    .map_err(|wrong| wrong.moved(5)),
                None => Err(Wrong::at(5, "`hash:@pool` is expected: a hash is over the members of a pool")),
            };
        }
        let mut hops = Vec::new();
        for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            let at = offset(word, text);
            if word.starts_with('@') {
                return Err(Wrong::at(at, "a pool stands alone"));
            }
            if hops.len() == MAX_HOPS {
                return Err(Wrong::at(at, format!("more than {MAX_HOPS} next hops")));
            }
            hops.push(Hop::read(word).map_err(|wrong| wrong.moved(at))?);
        }
        if hops.is_empty() {
            return Err(Wrong::new("a next hop is expected"));
        }
        Ok(Self::Hops(hops.into()))
    }

    /// The hops, unless they stand in the settings or are the recipient's business.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        match self {
            Self::Hops(hops) => hops,
            Self::RecipientDomain | Self::Pool(_) | Self::Hashed { .. } => &[],
        }
    }
}

fn known(pools: &BTreeSet<String>) -> String {
    match pools.len() {
        0 => format!("{SETTINGS_NAME} none"),
        _ => format!("{SETTINGS_NAME} {}", pools.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
    }
}

impl Hop {
    /// What a recipient's own domain, or address literal, says.
    #[must_use]
    pub fn of_recipient(host: &Host) -> Self {
        match host {
            Host::Domain(domain) => Self::Mx { domain: domain.clone(), port: None },
            Host::Literal(_) => Self::Host { host: host.clone(), port: None },
        }
    }

    fn read(word: &str) -> Result<Self, Wrong> {
        if let Some(path) = word.strip_prefix("unix:") {
            return match path {
                _ if !path.starts_with('/') => Err(Wrong::at(5, "a socket's path starts with a slash")),
                _ if path.len() > MAX_SOCKET_PATH => {
                    Err(Wrong::at(5, format!("a socket's path is longer than {MAX_SOCKET_PATH} octets")))
                }
                _ => Ok(Self::Unix(Path::new(path).into())),
            };
        }
        let inet = if word.starts_with("inet:") { 5 } else { 0 };
        Self::read_inet(&word[inet..]).map_err(|wrong| wrong.moved(inet))
    }

    fn read_inet(word: &str) -> Result<Self, Wrong> {
        if let Some(inner) = word.strip_prefix('[') {
            let (inner, rest) =
                inner.split_once(']').ok_or_else(|| Wrong::new("a bracket that nothing closes"))?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(read_port(port).map_err(|wrong| wrong.moved(inner.len() + 3))?),
                None if rest.is_empty() => None,
                None => return Err(Wrong::at(inner.len() + 2, "after `[host]` only `:port` may stand")),
            };
            return Ok(Self::Host { host: read_bracketed(inner).map_err(|wrong| wrong.moved(1))?, port });
        }
        if word.parse::<IpAddr>().is_ok() {
            return Err(Wrong::new(format!("an address stands in brackets: [{word}]")));
        }
        let (name, port) = match word.split_once(':') {
            Some((name, port)) => (name, Some(read_port(port).map_err(|wrong| wrong.moved(name.len() + 1))?)),
            None => (word, None),
        };
        if name.parse::<Ipv4Addr>().is_ok() {
            return Err(Wrong::new(format!("an address stands in brackets: [{name}]")));
        }
        let domain = Domain::parse(name).map_err(|error| Wrong::new(format!("`{name}`: {error}")))?;
        Ok(Self::Mx { domain, port })
    }
}

/// For settings that name one hop: a relay host, a member of a pool.
impl FromStr for Hop {
    type Err = BadRoute;

    fn from_str(text: &str) -> Result<Self, BadRoute> {
        if let Some(at) = text.find(char::is_control) {
            return Err(BadRoute { at, message: "control character".to_owned() });
        }
        Self::read(text).map_err(|wrong| BadRoute { at: wrong.at, message: wrong.what })
    }
}

fn read_bracketed(inner: &str) -> Result<Host, Wrong> {
    let literal =
        inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).map_or(inner, |_| &inner[5..]);
    if let Ok(address) = literal.parse::<Ipv6Addr>() {
        return Ok(Host::Literal(AddressLiteral(IpAddr::V6(address).to_canonical())));
    }
    if let Ok(address) = inner.parse::<Ipv4Addr>() {
        return Ok(Host::Literal(AddressLiteral(IpAddr::V4(address))));
    }
    let domain = Domain::parse(inner).map_err(|error| Wrong::new(format!("`{inner}`: {error}")))?;
    Ok(Host::Domain(domain))
}

/// A number, or one of the services that mail is taken at. The system's own table is not asked: the same
/// map must mean the same on every host.
fn read_port(text: &str) -> Result<u16, Wrong> {
    match text {
        "smtp" => return Ok(25),
        "lmtp" => return Ok(24),
        "submission" => return Ok(587),
        _ => {}
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => {
            Err(Wrong::new(format!("`{text}` is no port: 1 to 65535, smtp, lmtp or submission is expected")))
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = match self {
            Self::Mx { domain, port } => {
                domain.fmt(formatter)?;
                port
            }
            Self::Host { host: Host::Domain(domain), port } => {
                write!(formatter, "[{domain}]")?;
                port
            }
            Self::Host { host: Host::Literal(literal), port } => {
                literal.fmt(formatter)?;
                port
            }
            Self::Unix(path) => return write!(formatter, "unix:{}", path.display()),
        };
        port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

/// As it stands in a map, after the transport's colon.
impl fmt::Display for Nexthop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecipientDomain => Ok(()),
            Self::Pool(pool) => write!(formatter, "@{pool}"),
            Self::Hashed { pool, .. } => write!(formatter, "hash:@{pool}"),
            Self::Hops(hops) => hops.iter().enumerate().try_for_each(|(index, hop)| {
                formatter.write_str(if index > 0 { ", " } else { "" })?;
                hop.fmt(formatter)
            }),
        }
    }
}

#[cfg(test)]
mod tests;
