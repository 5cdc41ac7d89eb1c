//! How urgent a message is (RFC 6710): from -9 to 9, 0 for most mail.

use std::fmt;

/// A message's priority; the higher, the sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Priority(i8);

impl Priority {
    /// Of mail that nobody said anything about.
    pub const NORMAL: Self = Self(0);

    /// The highest and the lowest there are (RFC 6710 §3).
    const BOUND: i8 = 9;

    /// A priority, if there is one of this number.
    #[must_use]
    pub const fn new(number: i8) -> Option<Self> {
        if number >= -Self::BOUND && number <= Self::BOUND { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The text is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a priority: a number from -9 to 9 is wanted")]
pub struct BadPriority;

impl std::str::FromStr for Priority {
    type Err = BadPriority;

    /// RFC 6710 §3: `("-" NZDIGIT) / DIGIT`, and nothing else: no plus sign, no `-0`, no `07`.
    fn from_str(text: &str) -> Result<Self, BadPriority> {
        let digit = |text: &str| match text.as_bytes() {
            [digit @ b'0'..=b'9'] => Some((digit - b'0').cast_signed()),
            _ => None,
        };
        let number = match text.strip_prefix('-') {
            Some(rest) => digit(rest).filter(|number| *number > 0).map(|number| -number),
            None => digit(text),
        };
        number.and_then(Self::new).ok_or(BadPriority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_from_minus_nine_to_nine_are_priorities() {
        for number in -9..=9 {
            let priority = Priority::new(number).unwrap();
            assert_eq!((priority.to_string().parse(), priority.number()), (Ok(priority), number));
        }
        for text in ["", "-", "-0", "+1", "10", "-10", "01", "1 ", "x", "١"] {
            assert_eq!(text.parse::<Priority>(), Err(BadPriority), "{text}");
        }
        assert_eq!((Priority::new(10), Priority::new(-10)), (None, None));
    }
}
