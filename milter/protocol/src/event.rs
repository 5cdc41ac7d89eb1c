//! What an MTA tells a filter, stage by stage.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::decode::{DecodeError, Parts, put_text};
use crate::stage::Stage;

/// The words of one MAIL or RCPT: the path and what follows it.
const MOST_ARGUMENTS: usize = 64;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client has connected.
    Connect(Connect),
    /// HELO or EHLO with this name.
    Helo(Bytes),
    /// MAIL.
    EnvFrom(Path),
    /// RCPT.
    EnvRcpt(Path),
    /// DATA.
    Data,
    /// A command that the server does not know, as it came.
    Unknown(Bytes),
    /// A field of the header.
    Header(Field),
    /// The header is over.
    Eoh,
    /// Some of the body, lines ending in CR LF, dots not doubled.
    Body(Bytes),
    /// The message is over; this was the last of its body.
    Eom(Bytes),
}

/// Who has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The client's name as the DNS has it, or its address in brackets.
    pub host: Bytes,
    /// Its address.
    pub client: Client,
}

/// The address of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// Not known: mail that never came over a socket.
    Unknown,
    /// A local socket, by its path.
    Unix(Bytes),
    /// IPv4 or IPv6.
    Inet(SocketAddr),
}

/// A path with its ESMTP arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// `<ann@example.org>` or `<>`, with its brackets.
    pub path: Bytes,
    /// `SIZE=1000`, `NOTIFY=NEVER` and the like, as they came.
    pub arguments: Vec<Bytes>,
}

/// A field of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, without the colon.
    pub name: Bytes,
    /// Its value. Folded lines end in LF alone. The space behind the colon is in it only if
    /// [`Steps::LEADING_SPACE`](crate::negotiate::Steps::LEADING_SPACE) was agreed.
    pub value: Bytes,
}

impl Path {
    /// A path without arguments.
    #[must_use]
    pub fn new(path: impl Into<Bytes>) -> Self {
        Self { path: path.into(), arguments: Vec::new() }
    }
}

impl Event {
    /// Its stage.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Connect(_) => Stage::Connect,
            Self::Helo(_) => Stage::Helo,
            Self::EnvFrom(_) => Stage::EnvFrom,
            Self::EnvRcpt(_) => Stage::EnvRcpt,
            Self::Data => Stage::Data,
            Self::Unknown(_) => Stage::Unknown,
            Self::Header(_) => Stage::Header,
            Self::Eoh => Stage::Eoh,
            Self::Body(_) => Stage::Body,
            Self::Eom(_) => Stage::Eom,
        }
    }

    /// By frames: a body is told in chunks of so many octets.
    pub(crate) fn pieces(&self, most: usize) -> impl Iterator<Item = Self> {
        let (mut whole, mut rest) = match self {
            Self::Body(body) => (None, body.clone()),
            event => (Some(event.clone()), Bytes::new()),
        };
        std::iter::from_fn(move || {
            whole.take().or_else(|| {
                let chunk = rest.split_to(rest.len().min(most));
                (!chunk.is_empty()).then_some(Self::Body(chunk))
            })
        })
    }

    pub(crate) fn encode(&self, output: &mut BytesMut) {
        match self {
            Self::Connect(connect) => connect.encode(output),
            Self::Helo(text) | Self::Unknown(text) => put_text(output, text),
            Self::EnvFrom(path) | Self::EnvRcpt(path) => {
                put_text(output, &path.path);
                for argument in path.arguments.iter().take(MOST_ARGUMENTS - 1) {
                    put_text(output, argument);
                }
            }
            Self::Header(field) => {
                put_text(output, &field.name);
                put_text(output, &field.value);
            }
            Self::Body(chunk) | Self::Eom(chunk) => output.extend_from_slice(chunk),
            Self::Data | Self::Eoh => {}
        }
    }

    pub(crate) fn decode(stage: Stage, payload: Bytes) -> Result<Self, DecodeError> {
        let mut parts = Parts::new(stage.code(), payload);
        let event = match stage {
            Stage::Connect => Self::Connect(Connect::decode(&mut parts)?),
            Stage::Helo => Self::Helo(parts.text()?),
            Stage::EnvFrom => Self::EnvFrom(Path::decode(&mut parts)?),
            Stage::EnvRcpt => Self::EnvRcpt(Path::decode(&mut parts)?),
            Stage::Data => Self::Data,
            Stage::Unknown => Self::Unknown(parts.text()?),
            Stage::Header => {
                let name = parts.text()?;
                Self::Header(Field { name, value: parts.text()? })
            }
            Stage::Eoh => Self::Eoh,
            Stage::Body => Self::Body(parts.rest()),
            Stage::Eom => Self::Eom(parts.rest()),
        };
        parts.end()?;
        Ok(event)
    }
}

impl Connect {
    fn encode(&self, output: &mut BytesMut) {
        put_text(output, &self.host);
        match &self.client {
            Client::Unknown => output.put_u8(b'U'),
            Client::Unix(path) => {
                output.put_u8(b'L');
                output.put_u16(0);
                put_text(output, path);
            }
            Client::Inet(address) => {
                output.put_u8(if address.is_ipv4() { b'4' } else { b'6' });
                output.put_u16(address.port());
                put_text(output, address.ip().to_string().as_bytes());
            }
        }
    }

    fn decode(parts: &mut Parts) -> Result<Self, DecodeError> {
        let host = parts.text()?;
        let family = parts.octet()?;
        if family == b'U' {
            // Sendmail says no more; some say a port and an address that nobody reads.
            let _ = parts.rest();
            return Ok(Self { host, client: Client::Unknown });
        }
        let port = parts.short_number()?;
        let address = parts.text()?;
        let client = match family {
            b'L' => Client::Unix(address),
            b'4' | b'6' => {
                let address = ip(&address).filter(|address| address.is_ipv4() == (family == b'4'));
                Client::Inet(SocketAddr::new(address.ok_or_else(|| parts.value("an address"))?, port))
            }
            _ => return Err(parts.value("an address family")),
        };
        Ok(Self { host, client })
    }
}

/// Sendmail writes `IPv6:` in front of an IPv6 address, Postfix does not.
fn ip(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPv6:") => {
            text.get(5..)?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => text.parse().ok(),
    }
}

impl Path {
    fn decode(parts: &mut Parts) -> Result<Self, DecodeError> {
        let path = parts.text()?;
        Ok(Self { path, arguments: parts.texts("arguments", MOST_ARGUMENTS - 1)? })
    }
}
