//! Addresses: the one place that parses, quotes and folds case (RFC 5321 §4.1.2, RFC 6531 §3.3).
//!
//! A domain has one canonical form from here on: lower-case A-labels without a trailing dot, so that no map
//! and no relay decision ever sees two spellings of one name. A local part keeps its case and its meaning:
//! quotes are taken off when it is read and put back only where the grammar needs them.

mod domain;
mod host;
mod local_part;
mod mailbox;
mod path;

pub use domain::Domain;
pub use host::{AddressLiteral, Host};
pub use local_part::LocalPart;
pub use mailbox::Mailbox;
pub use path::{ForwardPath, ReversePath};

/// RFC 5321 §4.5.3.1.1, in octets.
pub const MAX_LOCAL_PART: usize = 64;
/// RFC 5321 §4.5.3.1.2, in octets.
pub const MAX_DOMAIN: usize = 255;
/// RFC 5321 §4.5.3.1.3, in octets, with the angle brackets.
pub const MAX_PATH: usize = 256;

/// Why an address was refused; the text is fit to be shown to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address by the grammar.
    #[error("malformed address")]
    Malformed,
    /// The local part is missing.
    #[error("empty local part")]
    EmptyLocalPart,
    /// Over 64 octets.
    #[error("local part is longer than 64 octets")]
    LocalPartTooLong,
    /// Over 255 octets.
    #[error("domain is longer than 255 octets")]
    DomainTooLong,
    /// Over 256 octets with its brackets.
    #[error("path is longer than 256 octets")]
    PathTooLong,
    /// Not a domain name by RFC 1035 and IDNA.
    #[error("malformed domain")]
    BadDomain,
    /// Not an IPv4 or IPv6 literal.
    #[error("malformed address literal")]
    BadLiteral,
    /// A control character, which no address may hold.
    #[error("control character in an address")]
    Control,
    /// Octets that are not UTF-8.
    #[error("address is not UTF-8")]
    NotUtf8,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a2_a_domain_has_one_spelling() {
        for text in ["example.org", "EXAMPLE.org.", "ｅxample.org", "example。org"] {
            assert_eq!(Domain::parse(text).unwrap().as_str(), "example.org", "{text}");
        }
        assert_eq!(Domain::parse("Bücher.example").unwrap().as_str(), "xn--bcher-kva.example");
        assert_eq!(Domain::parse("XN--bcher-kva.example").unwrap().as_str(), "xn--bcher-kva.example");
        for text in
            ["", ".", "a..b", "-a.b", "xn--example-.org", "2130706433", "127.1", "a b", "a\nb", "[127.0.0.1]"]
        {
            assert!(Domain::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a3_limits_are_exact() {
        let local = |length: usize| format!("<{}@x.y>", "a".repeat(length));
        assert!(ForwardPath::parse(&local(64)).is_ok());
        assert_eq!(ForwardPath::parse(&local(65)), Err(AddressError::LocalPartTooLong));
        let domain = |length: usize| {
            let mut text = "a.".repeat(length / 2 - 1);
            text.push_str(&"b".repeat(length - text.len()));
            text
        };
        assert!(Domain::parse(&domain(254)).is_ok());
        assert!(Domain::parse(&domain(255)).is_ok());
        assert_eq!(Domain::parse(&domain(256)), Err(AddressError::DomainTooLong));
        let path = |length: usize| format!("<a@{}>", domain(length - 4));
        assert!(ForwardPath::parse(&path(256)).is_ok());
        assert_eq!(ForwardPath::parse(&path(257)), Err(AddressError::PathTooLong));
        assert_eq!(ForwardPath::parse("<@x.y>"), Err(AddressError::Malformed));
        assert_eq!(ForwardPath::parse("<\"\"@x.y>"), Err(AddressError::EmptyLocalPart));
    }

    #[test]
    fn quotes_come_back_only_where_needed() {
        let mailbox = |text: &str| Mailbox::parse(text).unwrap().to_string();
        assert_eq!(mailbox("\"a@evil.example\"@b.example"), "\"a@evil.example\"@b.example");
        assert_eq!(mailbox("\"plain\"@b.example"), "plain@b.example");
        assert_eq!(mailbox("\"a\\\"b\"@b.example"), "\"a\\\"b\"@b.example");
        assert_eq!(Mailbox::parse("a@b@c.example"), Err(AddressError::BadDomain));
    }

    #[test]
    fn paths_and_literals() {
        assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
        assert_eq!(ForwardPath::parse("<PostMaster>"), Ok(ForwardPath::Postmaster));
        assert!(ForwardPath::parse("<>").is_err());
        assert_eq!(ForwardPath::parse("<@a,@b.c:u@D.e>").unwrap().to_string(), "<u@d.e>");
        assert_eq!(AddressLiteral::parse("[IPv6:::ffff:127.0.0.1]").unwrap().to_string(), "[127.0.0.1]");
        assert!(AddressLiteral::parse("[x:1]").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(meaning in "[ -~é]{1,30}") {
            let mailbox = Mailbox { local: LocalPart::new(&meaning).unwrap(), host: Host::parse("x.example").unwrap() };
            prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,300}") {
            let _ = ForwardPath::parse(&text);
            let _ = ReversePath::parse(&text);
        }
    }
}
