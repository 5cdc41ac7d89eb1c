//! What stands after the at-sign: a domain, or an address in brackets (RFC 5321 §4.1.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddressError, Domain};

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
