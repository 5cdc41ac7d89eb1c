//! The stages of a session at which a filter is told something, in their order.

use std::fmt;

/// A stage, by the protocol's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// A client has connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL.
    EnvFrom,
    /// RCPT, once each.
    EnvRcpt,
    /// DATA.
    Data,
    /// A field of the header, once each.
    Header,
    /// The end of the header.
    Eoh,
    /// A chunk of the body, once each.
    Body,
    /// The end of the message.
    Eom,
    /// A command that the server does not know; it may come at any time before DATA.
    Unknown,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Helo,
        Self::EnvFrom,
        Self::EnvRcpt,
        Self::Data,
        Self::Header,
        Self::Eoh,
        Self::Body,
        Self::Eom,
        Self::Unknown,
    ];

    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::EnvFrom => "envfrom",
            Self::EnvRcpt => "envrcpt",
            Self::Data => "data",
            Self::Header => "header",
            Self::Eoh => "eoh",
            Self::Body => "body",
            Self::Eom => "eom",
            Self::Unknown => "unknown",
        }
    }

    /// True for what belongs to one message, not to the session.
    #[must_use]
    pub const fn is_of_message(self) -> bool {
        !matches!(self, Self::Connect | Self::Helo | Self::Unknown)
    }

    /// True for the parts of a message's content, its end among them.
    #[must_use]
    pub const fn is_content(self) -> bool {
        matches!(self, Self::Header | Self::Eoh | Self::Body | Self::Eom)
    }

    /// True for what comes as often as the message has it.
    #[must_use]
    pub const fn repeats(self) -> bool {
        matches!(self, Self::Helo | Self::EnvRcpt | Self::Header | Self::Body | Self::Unknown)
    }

    /// The code of the event, as commands and macros name it.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Connect => b'C',
            Self::Helo => b'H',
            Self::EnvFrom => b'M',
            Self::EnvRcpt => b'R',
            Self::Data => b'T',
            Self::Header => b'L',
            Self::Eoh => b'N',
            Self::Body => b'B',
            Self::Eom => b'E',
            Self::Unknown => b'U',
        }
    }

    /// The stage whose event has this code.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.code() == code)
    }

    /// The number that a filter's list of macros names it by; headers and body chunks have no list of their own.
    #[must_use]
    pub const fn list_number(self) -> Option<u32> {
        match self {
            Self::Connect => Some(0),
            Self::Helo => Some(1),
            Self::EnvFrom => Some(2),
            Self::EnvRcpt => Some(3),
            Self::Data => Some(4),
            Self::Eom => Some(5),
            Self::Eoh => Some(6),
            Self::Header | Self::Body | Self::Unknown => None,
        }
    }

    /// The stage that a list of macros is for.
    #[must_use]
    pub fn of_list_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.list_number() == Some(number))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
