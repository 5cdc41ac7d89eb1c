//! Addresses: the one place that parses, quotes and folds case (RFC 5321 §4.1.2, RFC 6531 §3.3).
//!
//! A domain has one canonical form from here on: lower-case A-labels without a trailing dot, so that no map
//! and no relay decision ever sees two spellings of one name. A local part keeps its case and its meaning:
//! quotes are taken off when it is read and put back only where the grammar needs them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

// ---------------------------------------------------------------------------------------------------------

/// A domain name in its one canonical form: lower-case A-labels, no trailing dot.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a domain in any spelling: upper case, U-labels, one trailing dot.
    ///
    /// # Errors
    /// When it is no domain name (RFC 1035 §2.3.1, RFC 5891), or is longer than 255 octets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(AddressError::BadDomain);
        }
        if text.len() > 4 * MAX_DOMAIN {
            return Err(AddressError::DomainTooLong);
        }
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(AddressError::Control);
        }
        let ascii = if is_plain_hostname(text) {
            text.to_ascii_lowercase()
        } else if text.is_ascii() && !has_a_label(text) {
            // What is ASCII and no host name stays refused: IDNA must not be asked to repair it.
            return Err(AddressError::BadDomain);
        } else {
            // UTS 46 folds case and full-width forms; an A-label that decodes to ASCII is an error there
            // (RUSTSEC-2024-0421), so no two spellings come out as one name by accident.
            idna::domain_to_ascii_strict(text).map_err(|_| AddressError::BadDomain)?
        };
        if ascii.len() > MAX_DOMAIN {
            return Err(AddressError::DomainTooLong);
        }
        if !is_plain_hostname(&ascii) {
            return Err(AddressError::BadDomain);
        }
        // `2130706433` and `127.1` are addresses to some resolvers, never domains to us.
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressError::BadDomain);
        }
        Ok(Self(ascii.into_boxed_str()))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_a_label(text: &str) -> bool {
    text.split('.').any(|label| label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--")))
}

/// Letters, digits, hyphen and underscore in labels of 1 to 63 octets, none of them an A-label.
fn is_plain_hostname(text: &str) -> bool {
    text.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            // Underscores are no host name by RFC 1123, but mail to such domains exists.
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    }) && (!has_a_label(text)
        || idna::domain_to_ascii_strict(text).is_ok_and(|ascii| ascii.eq_ignore_ascii_case(text)))
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

// ---------------------------------------------------------------------------------------------------------

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3). General literals are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressLiteral(pub IpAddr);

impl AddressLiteral {
    /// Reads a literal with its square brackets.
    ///
    /// # Errors
    /// When it is neither an IPv4 nor an IPv6 literal.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner =
            text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(AddressError::BadLiteral)?;
        if let Some(v6) = inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).map(|_| &inner[5..])
        {
            let address: Ipv6Addr = v6.parse().map_err(|_| AddressError::BadLiteral)?;
            return Ok(Self(IpAddr::V6(address).to_canonical()));
        }
        let address: Ipv4Addr = inner.parse().map_err(|_| AddressError::BadLiteral)?;
        Ok(Self(IpAddr::V4(address)))
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(formatter, "[{address}]"),
            IpAddr::V6(address) => write!(formatter, "[IPv6:{address}]"),
        }
    }
}

/// What stands after the at-sign.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
}

impl Host {
    /// Reads a domain or an address literal.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('[') {
            AddressLiteral::parse(text).map(Self::Literal)
        } else {
            Domain::parse(text).map(Self::Domain)
        }
    }

    /// The domain, unless this is an address literal.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(formatter),
            Self::Literal(literal) => literal.fmt(formatter),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// What stands before the at-sign, without the quotes that the wire may need.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(Box<str>);

impl LocalPart {
    /// Takes a local part as it is meant: `a b`, not `"a b"`.
    ///
    /// # Errors
    /// When it is empty, over 64 octets, or holds a control character.
    pub fn new(meaning: &str) -> Result<Self, AddressError> {
        if meaning.is_empty() {
            return Err(AddressError::EmptyLocalPart);
        }
        if meaning.len() > MAX_LOCAL_PART {
            return Err(AddressError::LocalPartTooLong);
        }
        if meaning.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        Ok(Self(meaning.into()))
    }

    /// Reads the wire form: a dot-string or a quoted string.
    fn parse(text: &str) -> Result<Self, AddressError> {
        let Some(inner) = text.strip_prefix('"') else {
            let legal = !text.starts_with('.') && !text.ends_with('.') && !text.contains("..");
            if text.is_empty() {
                return Err(AddressError::EmptyLocalPart);
            }
            if text.len() > MAX_LOCAL_PART {
                return Err(AddressError::LocalPartTooLong);
            }
            return if legal && text.chars().all(is_atext_or_dot) {
                Self::new(text)
            } else {
                Err(AddressError::Malformed)
            };
        };
        let inner = inner.strip_suffix('"').ok_or(AddressError::Malformed)?;
        let mut meaning = String::with_capacity(inner.len());
        let mut characters = inner.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => meaning.push(characters.next().ok_or(AddressError::Malformed)?),
                '"' => return Err(AddressError::Malformed),
                other => meaning.push(other),
            }
        }
        Self::new(&meaning)
    }

    /// What it means, unquoted: the form that maps are asked with.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_dot_string(&self) -> bool {
        !self.0.starts_with('.')
            && !self.0.ends_with('.')
            && !self.0.contains("..")
            && self.0.chars().all(is_atext_or_dot)
    }
}

fn is_atext_or_dot(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character) || !character.is_ascii()
}

impl fmt::Display for LocalPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dot_string() {
            return formatter.write_str(&self.0);
        }
        formatter.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                formatter.write_str("\\")?;
            }
            write!(formatter, "{character}")?;
        }
        formatter.write_str("\"")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

// ---------------------------------------------------------------------------------------------------------

/// `local-part@domain`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    /// Before the at-sign; its case is kept.
    pub local: LocalPart,
    /// After it, in canonical form.
    pub host: Host,
}

impl Mailbox {
    /// Reads `local@domain`, without brackets; the local part may be quoted.
    ///
    /// # Errors
    /// When it is not a mailbox by RFC 5321 §4.1.2 (as RFC 6531 widens it).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = end_of_local_part(text)?;
        let (local, host) = text.split_at(at);
        let host = host.strip_prefix('@').ok_or(AddressError::Malformed)?;
        Ok(Self { local: LocalPart::parse(local)?, host: Host::parse(host)? })
    }

    /// True when it can only travel with SMTPUTF8 (RFC 6531 §3.2).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.as_str().is_ascii()
    }
}

/// Where the local part ends: a quoted one ends at its closing quote, a plain one at the first at-sign.
fn end_of_local_part(text: &str) -> Result<usize, AddressError> {
    if !text.starts_with('"') {
        return text.find('@').ok_or(AddressError::Malformed);
    }
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(AddressError::Malformed)
}

impl fmt::Display for Mailbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.local, self.host)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::str::FromStr for Mailbox {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The envelope's sender: who hears of a failure, or nobody (RFC 5321 §4.5.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: this mail is itself a report, and none is ever made about it.
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Reads `<…>` with its brackets.
    ///
    /// # Errors
    /// When it is not a reverse-path.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match inside_brackets(text)? {
            "" => Ok(Self::Null),
            inner => Ok(Self::Mailbox(Mailbox::parse(without_source_route(inner)?)?)),
        }
    }

    /// The mailbox, unless this is the null reverse-path.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// True for `<>`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// With brackets, as on the wire.
impl fmt::Display for ReversePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("<>"),
            Self::Mailbox(mailbox) => write!(formatter, "<{mailbox}>"),
        }
    }
}

/// One recipient's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain, which every server must take (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl ForwardPath {
    /// Reads `<…>` with its brackets. A source route is accepted and stripped (RFC 5321 Appendix C).
    ///
    /// # Errors
    /// When it is not a forward-path.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = inside_brackets(text)?;
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        Ok(Self::Mailbox(Mailbox::parse(without_source_route(inner)?)?))
    }

    /// The mailbox, unless this is the bare postmaster.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }
}

/// With brackets, as on the wire.
impl fmt::Display for ForwardPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => formatter.write_str("<postmaster>"),
            Self::Mailbox(mailbox) => write!(formatter, "<{mailbox}>"),
        }
    }
}

fn inside_brackets(text: &str) -> Result<&str, AddressError> {
    if text.len() > MAX_PATH {
        // Say which part is over where the parts can be told, so that the sender knows what to shorten.
        let inner = text.trim_start_matches('<').trim_end_matches('>');
        let local = end_of_local_part(inner).unwrap_or(0);
        return Err(if local > MAX_LOCAL_PART {
            AddressError::LocalPartTooLong
        } else {
            AddressError::PathTooLong
        });
    }
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or(AddressError::Malformed)
}

/// `@a,@b:user@c` → `user@c` (RFC 5321 Appendix C: accept, and ignore the route).
fn without_source_route(inner: &str) -> Result<&str, AddressError> {
    if !inner.starts_with('@') {
        return Ok(inner);
    }
    let (route, mailbox) = inner.split_once(':').ok_or(AddressError::Malformed)?;
    for hop in route.split(',') {
        Domain::parse(hop.strip_prefix('@').ok_or(AddressError::Malformed)?)?;
    }
    Ok(mailbox)
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
