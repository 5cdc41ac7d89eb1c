//! Dots and line ends: out of the wire's form, back into it, and a new body made fit for it.

use bytes::Bytes;
use memchr::{memchr2_iter, memmem};

/// Why a new body cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a new body with a NUL in it")]
pub struct NewBodyError;

/// Without the dots that the wire doubles. RFC 5321 §4.5.2: a line's first dot was put there by the sender.
#[must_use]
pub fn unstuffed(wire: &Bytes) -> Bytes {
    let mut places = line_starts_with_dot(wire).peekable();
    if places.peek().is_none() {
        return wire.clone();
    }
    let mut plain = Vec::with_capacity(wire.len());
    let mut from = 0;
    for dot in places {
        plain.extend_from_slice(wire.get(from..dot).unwrap_or_default());
        from = dot + 1;
    }
    plain.extend_from_slice(wire.get(from..).unwrap_or_default());
    plain.into()
}

/// RFC 5321 §4.5.2: a line that begins with a dot gets another one in front.
#[must_use]
pub fn stuffed(plain: &[u8]) -> Bytes {
    let mut wire = Vec::with_capacity(stuffed_len(plain));
    stuff(plain, &mut wire);
    wire.into()
}

/// Whether a line begins with a dot, so that [`unstuffed`] makes a copy.
#[must_use]
pub fn is_stuffed(wire: &[u8]) -> bool {
    line_starts_with_dot(wire).next().is_some()
}

/// Octets of the wire's form of whole lines.
pub(super) fn stuffed_len(plain: &[u8]) -> usize {
    plain.len() + line_starts_with_dot(plain).count()
}

/// Puts whole lines behind others, in the wire's form.
pub(super) fn stuff(plain: &[u8], wire: &mut Vec<u8>) {
    let mut from = 0;
    for dot in line_starts_with_dot(plain) {
        wire.extend_from_slice(plain.get(from..dot).unwrap_or_default());
        wire.push(b'.');
        from = dot;
    }
    wire.extend_from_slice(plain.get(from..).unwrap_or_default());
}

/// Where lines begin with a dot.
fn line_starts_with_dot(octets: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let first = octets.starts_with(b".").then_some(0);
    first.into_iter().chain(memmem::find_iter(octets, b"\r\n.").map(|line_end| line_end + 2))
}

/// A new body with lines that all end in CR LF, the last one too. Filters on Unix know LF alone; a lone CR or LF
/// that were passed on could be a line's end to the next host and none to us.
pub(super) fn normal(body: &[u8]) -> Result<Bytes, NewBodyError> {
    if memchr::memchr(0, body).is_some() {
        return Err(NewBodyError);
    }
    let mut normal = Vec::with_capacity(body.len() + 2);
    let mut from = 0;
    for place in memchr2_iter(b'\r', b'\n', body) {
        if place < from {
            continue; // The LF of a CR LF that is written already.
        }
        normal.extend_from_slice(body.get(from..place).unwrap_or_default());
        normal.extend_from_slice(b"\r\n");
        let pair = body.get(place..place + 2) == Some(b"\r\n");
        from = place + if pair { 2 } else { 1 };
    }
    normal.extend_from_slice(body.get(from..).unwrap_or_default());
    if !normal.is_empty() && !normal.ends_with(b"\r\n") {
        normal.extend_from_slice(b"\r\n");
    }
    Ok(normal.into())
}
