//! Domain names in one spelling (RFC 1035 §2.3.1, RFC 5891).

use std::fmt;

use super::{AddressError, MAX_DOMAIN};

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
