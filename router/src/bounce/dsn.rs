//! The text of a delivery status notification: RFC 3464 in RFC 6522's multipart/report, RFC 6533 where an
//! address or a header is not ASCII. Pure: who, what and when are handed in.
//!
//! Three parts: words for people, fields for programs, and the message (or its header) that this is about. What
//! comes back is cut from the wire form as it is kept, and stays in wire form: a dot that was stuffed stays so.

mod parts;
mod text;

use bytes::Bytes;
use jiff::Zoned;
use switchyard_smtp::address::Mailbox;
use switchyard_smtp::envelope::{Body, Content, Orcpt};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::trace::header_lines;

use parts::is_ascii;
use text::stuffed;

/// The longest `Diagnostic-Code`, in octets.
pub const MAX_DIAGNOSTIC: usize = 1024;

/// What has become of a recipient (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet, and still trying.
    Delayed,
    /// In the mailbox.
    Delivered,
    /// Handed to a host that sends no reports of success.
    Relayed,
}

impl Action {
    /// The word for it, in the report and as a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
        }
    }
}

/// One recipient in a report.
#[derive(Debug, Clone)]
pub struct Reported {
    /// As we tried it.
    pub final_recipient: Mailbox,
    /// As the sender named it (RFC 3461 §4.2).
    pub original_recipient: Option<Orcpt>,
    /// What has become of it.
    pub action: Action,
    /// Why.
    pub status: EnhancedStatus,
    /// The host that said so; empty when it was ourselves.
    pub remote_mta: Box<str>,
    /// Its reply, or our reason.
    pub diagnostic: Box<str>,
    /// When we tried last.
    pub last_attempt: Zoned,
    /// Until when we go on, if we do.
    pub will_retry_until: Option<Zoned>,
}

/// What comes back with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// The whole message.
    Full,
    /// Its header.
    Headers,
}

/// Everything that a report says.
#[derive(Debug)]
pub struct Report<'a> {
    /// Our name: `Reporting-MTA`.
    pub reporting_mta: &'a str,
    /// The message's id in our queue.
    pub queue_id: &'a str,
    /// To whom the report goes: the reverse-path of the message.
    pub sender: &'a Mailbox,
    /// `ENVID=`.
    pub envid: Option<&'a str>,
    /// When the message came.
    pub arrival: Zoned,
    /// Now.
    pub now: Zoned,
    /// The recipients that this is about.
    pub recipients: &'a [Reported],
    /// The message.
    pub original: &'a Content,
    /// How it was sent.
    pub body: Body,
    /// How much of it comes back.
    pub returned: Returned,
    /// Octets that come back at most; a larger message comes back as its header.
    pub max_returned: usize,
    /// A text that nobody outside can guess, for `Message-ID` and the boundary.
    pub unique: &'a str,
}

/// A report, ready to be sent.
#[derive(Debug)]
pub struct Composed {
    /// In wire form.
    pub content: Content,
    /// As it must be sent.
    pub body: Body,
    /// True when its own header holds more than ASCII.
    pub smtputf8: bool,
}

impl Report<'_> {
    /// Writes the report.
    #[must_use]
    pub fn compose(&self) -> Composed {
        let returned = self.cut();
        let is_global = !returned.is_ascii() && self.has_utf8_header(&returned)
            || self.recipients.iter().any(|recipient| !is_ascii(recipient))
            || self.envid.is_some_and(|envid| !envid.is_ascii());
        let mut text = String::with_capacity(2048);
        self.write_header(&mut text);
        self.write_words(&mut text);
        self.write_fields(&mut text, is_global);
        self.write_returned_head(&mut text, is_global, &returned);
        let eight_bit = !returned.is_ascii() || !text.is_ascii();
        let mut wire = stuffed(&text);
        wire.extend_from_slice(&returned);
        if !wire.ends_with(b"\r\n") {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(format!("\r\n--{}--\r\n", self.boundary()).as_bytes());
        Composed {
            content: Content::from_wire(Bytes::from(wire)),
            body: if eight_bit { Body::EightBitMime } else { Body::SevenBit },
            smtputf8: self.sender.needs_smtputf8(),
        }
    }

    fn action(&self) -> Action {
        // All recipients of one report share their event; success may be of two kinds.
        self.recipients.first().map_or(Action::Failed, |recipient| recipient.action)
    }

    fn boundary(&self) -> String {
        format!("=_{}", self.unique)
    }

    fn returns_all(&self) -> bool {
        // Binary content cannot stand inside lines of text (RFC 3030 §3).
        self.returned == Returned::Full
            && self.original.len() <= self.max_returned
            && self.body != Body::BinaryMime
    }

    /// What comes back, in wire form: all of it, or header lines up to the limit.
    fn cut(&self) -> Vec<u8> {
        let Content { added, wire } = self.original;
        let mut octets = Vec::with_capacity(self.max_returned.min(self.original.len()));
        octets.extend_from_slice(&added[..added.len().min(self.max_returned)]);
        if self.returns_all() {
            octets.extend_from_slice(wire);
            return octets;
        }
        for line in header_lines(wire) {
            if octets.len() + line.len() + 2 > self.max_returned {
                break;
            }
            // A bare CR or LF can stand only in binary content; a report holds none.
            octets.extend(line.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')));
            octets.extend_from_slice(b"\r\n");
        }
        octets
    }

    fn has_utf8_header(&self, returned: &[u8]) -> bool {
        header_lines(returned).any(|line| !line.is_ascii())
    }
}
