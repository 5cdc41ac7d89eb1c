//! What a client is asked to do, and how long it waits.

use std::time::Duration;

use crate::envelope::{Content, Recipient, Sender};
use crate::wire::command::{Attributes, Verb};

/// Which of the two protocols a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and an answer for each recipient after the content.
    Lmtp,
}

/// How the content is to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transfer {
    /// DATA, which every peer knows and which sends content as it is kept; BDAT only for what is binary.
    #[default]
    Data,
    /// BDAT where it is offered (RFC 3030): content that is counted has no end to be mistaken for.
    Chunk,
    /// Between our own hosts, where XTXN is offered: envelope and content in one write, named by the
    /// transaction's id, to be taken whole or not at all. Elsewhere as [`Self::Data`], but the content goes out
    /// only when every recipient was accepted.
    Whole,
}

/// One message on its way to some of its recipients.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// MAIL and its parameters.
    pub sender: &'a Sender,
    /// The recipients of this transaction.
    pub recipients: &'a [&'a Recipient],
    /// Header and body.
    pub content: &'a Content,
    /// Where the mail came from, told by XFORWARD to peers that offer it.
    pub forwarded: Option<&'a Attributes>,
    /// How the content is to travel.
    pub transfer: Transfer,
}

/// How long each answer is waited for. The defaults are RFC 5321 §4.5.3.2's, which are minima there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to come about.
    pub connect: Duration,
    /// For the greeting (§4.5.3.2.1).
    pub greeting: Duration,
    /// For the answer to EHLO, HELO, LHLO and STARTTLS.
    pub hello: Duration,
    /// For the TLS handshake.
    pub tls: Duration,
    /// For the answer to MAIL, and to RSET and XFORWARD (§4.5.3.2.2).
    pub mail: Duration,
    /// For the answer to RCPT (§4.5.3.2.3).
    pub rcpt: Duration,
    /// For the answer to DATA (§4.5.3.2.4).
    pub data: Duration,
    /// For a write to get on at all (§4.5.3.2.5).
    pub data_block: Duration,
    /// For the answer to the final dot or the last chunk (§4.5.3.2.6).
    pub final_dot: Duration,
    /// For the answer to QUIT.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            hello: minutes(5),
            tls: minutes(1),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            data_block: minutes(3),
            final_dot: minutes(10),
            quit: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    /// How long the answer to `verb` is waited for.
    #[must_use]
    pub fn of(&self, verb: Verb) -> Duration {
        match verb {
            Verb::Connect => self.greeting,
            Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::StartTls => self.hello,
            Verb::Rcpt => self.rcpt,
            Verb::Data => self.data,
            Verb::EndOfData | Verb::Bdat => self.final_dot,
            Verb::Quit => self.quit,
            _ => self.mail,
        }
    }
}
