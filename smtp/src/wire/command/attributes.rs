//! XCLIENT's and XFORWARD's attributes.

use std::net::IpAddr;

use crate::extension::from_xtext;
use crate::reply::{Reply, table};

/// What XCLIENT and XFORWARD tell; `[UNAVAILABLE]` and `[TEMPUNAVAIL]` come out as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `NAME`: the client's verified host name.
    pub name: Option<Box<str>>,
    /// `ADDR`.
    pub address: Option<IpAddr>,
    /// `PORT`.
    pub port: Option<u16>,
    /// `HELO`.
    pub helo: Option<Box<str>>,
    /// `PROTO`.
    pub protocol: Option<Box<str>>,
    /// `IDENT`: the id of the session or message on the other host.
    pub ident: Option<Box<str>>,
}

/// XCLIENT and XFORWARD share one grammar; names that we have no use for are read past.
pub(super) fn attributes(rest: &[u8]) -> Result<Attributes, Reply> {
    let text = std::str::from_utf8(rest).map_err(|_| table::BAD_ARGUMENTS)?;
    let mut found = Attributes::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').ok_or(table::BAD_ARGUMENTS)?;
        let value = from_xtext(value).filter(|value| value.len() <= 255).ok_or(table::BAD_ARGUMENTS)?;
        let known =
            !value.eq_ignore_ascii_case("[UNAVAILABLE]") && !value.eq_ignore_ascii_case("[TEMPUNAVAIL]");
        let word = || Some(value.as_str()).filter(|_| known).map(Box::from);
        match key.to_ascii_uppercase().as_str() {
            "NAME" => found.name = word(),
            "HELO" => found.helo = word(),
            "PROTO" => found.protocol = word(),
            "IDENT" => found.ident = word(),
            "ADDR" if known => found.address = Some(address(&value)?),
            "PORT" if known => found.port = Some(value.parse().map_err(|_| table::BAD_ARGUMENTS)?),
            "ADDR" | "PORT" | "SOURCE" | "LOGIN" | "DESTADDR" | "DESTPORT" => {}
            _ => return Err(table::BAD_ARGUMENTS),
        }
    }
    Ok(found)
}

/// Postfix writes IPv6 addresses here as `IPV6:…`.
fn address(value: &str) -> Result<IpAddr, Reply> {
    let bare = value.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPV6:")).map_or(value, |_| &value[5..]);
    bare.parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| table::BAD_ARGUMENTS)
}
