//! Paths as MAIL and RCPT carry them, in angle brackets (RFC 5321 §4.1.2).

use std::fmt;

use super::mailbox::end_of_local_part;
use super::{AddressError, Domain, MAX_LOCAL_PART, MAX_PATH, Mailbox};

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
