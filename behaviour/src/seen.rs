//! What came of a behaviour's message, as far as a run can see it.

use std::fmt;

use serde::Serialize;

use crate::pattern::Heard;

/// Where in the dialogue a reply was the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The connection itself, before HELO.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// STARTTLS.
    Tls,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the message.
    Data,
    /// The end of the message.
    Content,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 7] =
        [Self::Connect, Self::Helo, Self::Tls, Self::Mail, Self::Rcpt, Self::Data, Self::Content];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::Tls => "tls",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Content => "content",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// All that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// One for each recipient, in the order they were given.
    pub answers: Vec<Answered>,
    /// What was seen of the message afterwards.
    pub after: After,
}

/// The last word on a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// In the server's words.
    pub reply: Heard,
    /// To what.
    pub stage: Stage,
}

impl fmt::Display for Answered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.reply, self.stage)
    }
}

/// What a run sees of a message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// What the maps make of each address behind the recipients.
    Maps(Vec<Routed>),
    /// No router's maps are there to say.
    NoRouter,
    /// What came to the catchers.
    Caught {
        /// The catchers' names.
        places: Vec<String>,
        /// What came, one for each recipient of it.
        mail: Vec<Caught>,
    },
    /// Nobody looks.
    NoCatcher,
}

/// What the maps make of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The address, rewritten.
    pub to: String,
    /// The sender it leaves with.
    pub from: String,
    /// Where it goes.
    pub went: Went,
}

/// Where the maps send an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// There: the route, and the hops behind it.
    To {
        /// `lmtp:@mailboxes`.
        route: String,
        /// `[192.0.2.1]:24`.
        hops: Vec<String>,
    },
    /// Nowhere, and why.
    Nowhere(String),
}

/// A copy of the message, as it came to a catcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// The catcher's name.
    pub place: String,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// Its header fields, unfolded.
    pub header: Vec<(String, String)>,
}

impl Seen {
    /// Whether the message was taken for anybody.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.answers.iter().any(|answer| answer.reply.is_positive())
    }
}
