//! Trace: the Received field we add, and loops found by counting it (RFC 5321 §4.4, §6.3).

use std::fmt::Write;
use std::net::IpAddr;

use jiff::Timestamp;

/// What a Received field tells.
#[derive(Debug)]
pub struct Received<'a> {
    /// What the client called itself.
    pub helo: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// Our name.
    pub by: &'a str,
    /// `ESMTP`, `ESMTPS`, `UTF8SMTPS`… (RFC 3848, RFC 6531 §3.7.3).
    pub protocol: &'a str,
    /// TLS version and cipher, where there is TLS.
    pub tls: Option<&'a str>,
    /// The session's or the queue's id.
    pub id: &'a str,
    /// The recipient, told only when there is exactly one: others are nobody's business (RFC 5321 §7.2).
    pub recipient: Option<&'a str>,
    /// When; told in UTC.
    pub at: Timestamp,
}

impl Received<'_> {
    /// The whole field, folded, ending in CR LF (RFC 5321 §4.4).
    #[must_use]
    pub fn field(&self) -> String {
        let mut field = String::with_capacity(256);
        let literal = match self.address {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        // Writing to a String can't fail.
        let _ = write!(field, "Received: from {} ({literal})\r\n", self.helo);
        if let Some(tls) = self.tls {
            let _ = write!(field, "\t(using {tls})\r\n");
        }
        let _ = write!(field, "\tby {} (Switchyard) with {} id {}", self.by, self.protocol, self.id);
        if let Some(recipient) = self.recipient {
            let _ = write!(field, "\r\n\tfor {recipient}");
        }
        let _ = write!(field, "; {}\r\n", self.at.strftime("%a, %d %b %Y %H:%M:%S +0000"));
        field
    }
}

/// How many Received fields stand in the header, of any case, folded or not. `wire` is dot-stuffed content.
#[must_use]
pub fn count_received(wire: &[u8]) -> usize {
    header_lines(wire)
        .filter(|line| line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"received")))
        .filter(|line| line[8..].trim_ascii_start().first() == Some(&b':'))
        .count()
}

/// The header's lines without their CR LF; ends at the first empty line.
pub fn header_lines(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let end = memchr::memmem::find(rest, b"\r\n").unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 2..).unwrap_or_default();
        (!line.is_empty()).then_some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_reads_as_the_rfc_shows_it() {
        let at: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let field = Received {
            helo: "client.example",
            address: "192.0.2.1".parse().unwrap(),
            by: "mx1.example.org",
            protocol: "ESMTPS",
            tls: Some("TLSv1.3 with cipher TLS_AES_128_GCM_SHA256"),
            id: "4ZK",
            recipient: Some("<alice@example.org>"),
            at,
        }
        .field();
        assert_eq!(
            field,
            "Received: from client.example ([192.0.2.1])\r\n\
             \t(using TLSv1.3 with cipher TLS_AES_128_GCM_SHA256)\r\n\
             \tby mx1.example.org (Switchyard) with ESMTPS id 4ZK\r\n\
             \tfor <alice@example.org>; Sat, 21 Nov 2026 03:00:00 +0000\r\n"
        );
    }

    #[test]
    fn l1_hops_are_counted_in_any_case_and_folded() {
        let wire = b"ReCeIvEd: a\r\n\tb\r\nreceived : c\r\nX: received: no\r\n received: no\r\n\r\nReceived: body\r\n";
        assert_eq!(count_received(wire), 2);
        assert_eq!(count_received(b""), 0);
    }
}
