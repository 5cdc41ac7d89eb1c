//! What a stretch of addresses leads to, as it stands in a leaf or a list.

use super::Found;

/// Octets of an answer.
pub(super) const ANSWER: usize = 8;

/// What a stretch of addresses leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// No rule.
    Nobody,
    /// A rule.
    Rule(Found),
    /// One first half of addresses, whose second halves stand in the list that starts with this record.
    List(u32),
}

impl Answer {
    const NOBODY: u32 = u32::MAX;
    const LIST: u32 = u32::MAX - 1;

    #[inline]
    pub(super) fn read(octets: [u8; ANSWER]) -> Self {
        let both = u64::from_le_bytes(octets);
        let (value, line) = (both as u32, (both >> 32) as u32);
        match value {
            Self::NOBODY => Self::Nobody,
            Self::LIST => Self::List(line),
            _ => Self::Rule(Found { value, line }),
        }
    }

    pub(super) fn octets(self) -> [u8; ANSWER] {
        let (value, line) = match self {
            Self::Nobody => (Self::NOBODY, 0),
            Self::List(record) => (Self::LIST, record),
            Self::Rule(Found { value, line }) => (value, line),
        };
        let ([a, b, c, d], [e, f, g, h]) = (value.to_le_bytes(), line.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }
}
