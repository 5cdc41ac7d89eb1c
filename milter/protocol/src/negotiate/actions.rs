//! The edits that a filter may ask for: one bit each.

use std::ops::BitOr;

/// A set of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Actions(pub u32);

impl Actions {
    /// ADDHEADER and INSHEADER.
    pub const ADD_HEADERS: Self = Self(0x001);
    /// REPLBODY.
    pub const CHANGE_BODY: Self = Self(0x002);
    /// ADDRCPT.
    pub const ADD_RECIPIENTS: Self = Self(0x004);
    /// DELRCPT.
    pub const DELETE_RECIPIENTS: Self = Self(0x008);
    /// CHGHEADER.
    pub const CHANGE_HEADERS: Self = Self(0x010);
    /// QUARANTINE.
    pub const QUARANTINE: Self = Self(0x020);
    /// CHGFROM.
    pub const CHANGE_SENDER: Self = Self(0x040);
    /// ADDRCPT with ESMTP arguments.
    pub const ADD_RECIPIENTS_WITH_ARGUMENTS: Self = Self(0x080);
    /// Lists of macros in the filter's answer.
    pub const SET_MACROS: Self = Self(0x100);

    /// All that a version knows. Versions differ little here in practice: what came with version 6 has bits that
    /// older ones never use.
    #[must_use]
    pub const fn of_version(version: u32) -> Self {
        match version {
            0..=1 => Self(0x00f),
            2..=5 => Self(0x03f),
            _ => Self(0x1ff),
        }
    }

    /// Whether all of `other` is in here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in here and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Actions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
