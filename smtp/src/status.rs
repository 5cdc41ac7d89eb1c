//! Enhanced status codes (RFC 3463, RFC 2034).

use std::fmt;

/// `class.subject.detail`, 5.1.1 say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedStatus {
    /// 2, 4 or 5 (RFC 3463 §3.1).
    pub class: u8,
    /// 0 to 999: what it is about (§3.2 and on).
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl EnhancedStatus {
    /// The three numbers, as they stand in the text.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads the status at the head of a reply's text and returns it with what follows.
    #[must_use]
    pub fn split_from(text: &str) -> Option<(Self, &str)> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some((word.parse().ok()?, rest))
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The text is no status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code (RFC 3463 §2)")]
pub struct BadStatus;

impl std::str::FromStr for EnhancedStatus {
    type Err = BadStatus;

    fn from_str(text: &str) -> Result<Self, BadStatus> {
        let mut parts = text.split('.');
        let mut number = |limit: usize| {
            let part = parts.next().filter(|part| (1..=limit).contains(&part.len())).ok_or(BadStatus)?;
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(BadStatus);
            }
            part.parse::<u16>().map_err(|_| BadStatus)
        };
        let (class, subject, detail) = (number(1)?, number(3)?, number(3)?);
        match (class, parts.next()) {
            (2 | 4 | 5, None) => Ok(Self::new(class as u8, subject, detail)),
            _ => Err(BadStatus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        assert_eq!("5.1.1".parse(), Ok(EnhancedStatus::new(5, 1, 1)));
        assert_eq!(EnhancedStatus::split_from("4.7.0 wait"), Some((EnhancedStatus::new(4, 7, 0), "wait")));
        for text in ["", "5", "5.1", "3.1.1", "5.1.1.1", "5.1000.1", "5.+1.1", "5..1"] {
            assert_eq!(text.parse::<EnhancedStatus>(), Err(BadStatus), "{text}");
        }
    }
}
