//! The protocol's steps: events and answers that can be left out, and features, one bit each.

use std::ops::{BitAnd, BitOr};

use crate::frame::USUAL_DATA;
use crate::stage::Stage;

/// A set of steps. In an offer: the MTA can do so. In an answer: the MTA shall do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Steps(pub u32);

impl Steps {
    /// No event for a connection.
    pub const NO_CONNECT: Self = Self(0x0000_0001);
    /// No event for HELO.
    pub const NO_HELO: Self = Self(0x0000_0002);
    /// No event for MAIL.
    pub const NO_MAIL: Self = Self(0x0000_0004);
    /// No event for RCPT.
    pub const NO_RCPT: Self = Self(0x0000_0008);
    /// No body.
    pub const NO_BODY: Self = Self(0x0000_0010);
    /// No header fields.
    pub const NO_HEADERS: Self = Self(0x0000_0020);
    /// No event for the end of the header.
    pub const NO_EOH: Self = Self(0x0000_0040);
    /// No answer to a header field.
    pub const NO_REPLY_HEADER: Self = Self(0x0000_0080);
    /// No event for unknown commands.
    pub const NO_UNKNOWN: Self = Self(0x0000_0100);
    /// No event for DATA.
    pub const NO_DATA: Self = Self(0x0000_0200);
    /// The answer "skip" is understood: no more events of this kind for this message.
    pub const SKIP: Self = Self(0x0000_0400);
    /// Recipients that the MTA itself refuses are told as well.
    pub const REJECTED_RCPT: Self = Self(0x0000_0800);
    /// No answer to a connection.
    pub const NO_REPLY_CONNECT: Self = Self(0x0000_1000);
    /// No answer to HELO.
    pub const NO_REPLY_HELO: Self = Self(0x0000_2000);
    /// No answer to MAIL.
    pub const NO_REPLY_MAIL: Self = Self(0x0000_4000);
    /// No answer to RCPT.
    pub const NO_REPLY_RCPT: Self = Self(0x0000_8000);
    /// No answer to DATA.
    pub const NO_REPLY_DATA: Self = Self(0x0001_0000);
    /// No answer to an unknown command.
    pub const NO_REPLY_UNKNOWN: Self = Self(0x0002_0000);
    /// No answer to the end of the header.
    pub const NO_REPLY_EOH: Self = Self(0x0004_0000);
    /// No answer to a chunk of the body.
    pub const NO_REPLY_BODY: Self = Self(0x0008_0000);
    /// The space behind a field's colon belongs to its value.
    pub const LEADING_SPACE: Self = Self(0x0010_0000);
    /// Data of 256 KB in a frame.
    pub const DATA_256K: Self = Self(0x1000_0000);
    /// Data of 1 MB in a frame.
    pub const DATA_1M: Self = Self(0x2000_0000);

    /// All that a version knows.
    #[must_use]
    pub const fn of_version(version: u32) -> Self {
        match version {
            0..=1 => Self(0x0000_003f),
            2 => Self(0x0000_007f),
            3 => Self(0x0000_017f),
            4..=5 => Self(0x0000_03ff),
            _ => Self(0x301f_ffff),
        }
    }

    /// The step that leaves a stage's event out; the end of the message is always told.
    #[must_use]
    pub const fn no_event(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Connect => Some(Self::NO_CONNECT),
            Stage::Helo => Some(Self::NO_HELO),
            Stage::EnvFrom => Some(Self::NO_MAIL),
            Stage::EnvRcpt => Some(Self::NO_RCPT),
            Stage::Data => Some(Self::NO_DATA),
            Stage::Header => Some(Self::NO_HEADERS),
            Stage::Eoh => Some(Self::NO_EOH),
            Stage::Body => Some(Self::NO_BODY),
            Stage::Unknown => Some(Self::NO_UNKNOWN),
            Stage::Eom => None,
        }
    }

    /// The step that leaves the answer out; the end of the message always has one.
    #[must_use]
    pub const fn no_reply(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Connect => Some(Self::NO_REPLY_CONNECT),
            Stage::Helo => Some(Self::NO_REPLY_HELO),
            Stage::EnvFrom => Some(Self::NO_REPLY_MAIL),
            Stage::EnvRcpt => Some(Self::NO_REPLY_RCPT),
            Stage::Data => Some(Self::NO_REPLY_DATA),
            Stage::Header => Some(Self::NO_REPLY_HEADER),
            Stage::Eoh => Some(Self::NO_REPLY_EOH),
            Stage::Body => Some(Self::NO_REPLY_BODY),
            Stage::Unknown => Some(Self::NO_REPLY_UNKNOWN),
            Stage::Eom => None,
        }
    }

    /// The data size that these steps stand for: the largest named.
    #[must_use]
    pub const fn data_size(self) -> DataSize {
        if self.contains(Self::DATA_1M) {
            DataSize::OneMegabyte
        } else if self.contains(Self::DATA_256K) {
            DataSize::Quarter
        } else {
            DataSize::Usual
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

impl BitOr for Steps {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Steps {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// How much data a frame may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataSize {
    /// 64 KB less one: what holds when nothing is said.
    Usual,
    /// 256 KB less one.
    Quarter,
    /// 1 MB less one.
    OneMegabyte,
}

impl DataSize {
    /// In octets.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Usual => USUAL_DATA,
            Self::Quarter => (256 << 10) - 1,
            Self::OneMegabyte => (1 << 20) - 1,
        }
    }
}
