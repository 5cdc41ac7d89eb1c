//! A mailbox: local part and host (RFC 5321 §4.1.2).

use std::fmt;

use super::{AddressError, Host, LocalPart};

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
pub(super) fn end_of_local_part(text: &str) -> Result<usize, AddressError> {
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
