//! What stands before the at-sign: quotes are the wire's business, the meaning is kept (RFC 5321 §4.1.2).

use std::fmt;

use super::{AddressError, MAX_LOCAL_PART};

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
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
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
