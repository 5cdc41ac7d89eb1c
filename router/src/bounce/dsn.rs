//! The text of a delivery status notification: RFC 3464 in RFC 6522's multipart/report, RFC 6533 where an
//! address or a header is not ASCII. Pure: who, what and when are handed in.
//!
//! Three parts: words for people, fields for programs, and the message (or its header) that this is about. What
//! comes back is cut from the wire form as it is kept, and stays in wire form: a dot that was stuffed stays so.

use std::fmt::Write;

use bytes::Bytes;
use jiff::Zoned;
use switchyard_smtp::address::Mailbox;
use switchyard_smtp::envelope::{Body, Content, Orcpt};
use switchyard_smtp::extension::to_xtext;
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::trace::header_lines;

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

    fn write_header(&self, text: &mut String) {
        let subject = match self.action() {
            Action::Failed => "Undelivered mail returned to sender",
            Action::Delayed => "Delayed mail (still being retried)",
            Action::Delivered | Action::Relayed => "Successful mail delivery report",
        };
        let mta = self.reporting_mta;
        line(text, format_args!("Date: {}", date(&self.now)));
        line(text, format_args!("From: Mail Delivery System <MAILER-DAEMON@{mta}>"));
        line(text, format_args!("To: <{}>", self.sender));
        line(text, format_args!("Subject: {subject}"));
        line(text, format_args!("Message-ID: <{}@{mta}>", self.unique));
        // RFC 3834 §5: no program answers this.
        line(text, format_args!("Auto-Submitted: auto-replied"));
        line(text, format_args!("MIME-Version: 1.0"));
        line(text, format_args!("Content-Type: multipart/report; report-type=delivery-status;"));
        line(text, format_args!("\tboundary=\"{}\"", self.boundary()));
        line(text, format_args!(""));
        line(text, format_args!("This is a MIME-encapsulated message."));
    }

    fn write_words(&self, text: &mut String) {
        let charset = if self.recipients.iter().all(is_ascii) { "us-ascii" } else { "utf-8" };
        line(text, format_args!("\r\n--{}", self.boundary()));
        line(text, format_args!("Content-Description: Notification"));
        line(text, format_args!("Content-Type: text/plain; charset={charset}"));
        if charset == "utf-8" {
            line(text, format_args!("Content-Transfer-Encoding: 8bit"));
        }
        line(text, format_args!(""));
        line(text, format_args!("This is the mail system at host {}.\r\n", self.reporting_mta));
        text.push_str(match self.action() {
            Action::Failed => {
                "Your message could not be delivered to the recipients below.\r\n\
                 It's attached, whole or its header.\r\n\r\n"
            }
            Action::Delayed => {
                "THIS IS A WARNING ONLY. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN.\r\n\r\n\
                 Your message could not be delivered yet to the recipients below.\r\n\
                 It will be tried again until it is too old.\r\n\r\n"
            }
            Action::Delivered | Action::Relayed => {
                "Your message was delivered to the recipients below, or handed to a\r\n\
                 host that sends no further report.\r\n\r\n"
            }
        });
        for recipient in self.recipients {
            fold(
                text,
                &format!("<{}>:", recipient.final_recipient),
                &printable(&recipient.diagnostic),
                "    ",
            );
            line(text, format_args!(""));
        }
    }

    fn write_fields(&self, text: &mut String, is_global: bool) {
        let kind = if is_global { "message/global-delivery-status" } else { "message/delivery-status" };
        line(text, format_args!("--{}", self.boundary()));
        line(text, format_args!("Content-Description: Delivery report"));
        line(text, format_args!("Content-Type: {kind}"));
        if is_global {
            line(text, format_args!("Content-Transfer-Encoding: 8bit"));
        }
        line(text, format_args!(""));
        // RFC 3464 §2.2: fields of the message.
        line(text, format_args!("Reporting-MTA: dns; {}", self.reporting_mta));
        if let Some(envid) = self.envid {
            line(text, format_args!("Original-Envelope-Id: {}", printable(envid)));
        }
        line(text, format_args!("X-Switchyard-Queue-ID: {}", self.queue_id));
        line(text, format_args!("Arrival-Date: {}", date(&self.arrival)));
        for recipient in self.recipients {
            line(text, format_args!(""));
            recipient.write(text, is_global);
        }
        line(text, format_args!(""));
    }

    fn write_returned_head(&self, text: &mut String, is_global: bool, returned: &[u8]) {
        let whole = self.returns_all();
        let (description, kind) = match (whole, is_global) {
            (true, false) => ("Undelivered message", "message/rfc822"),
            (true, true) => ("Undelivered message", "message/global"),
            (false, false) => ("Undelivered message headers", "text/rfc822-headers"),
            (false, true) => ("Undelivered message headers", "message/global-headers"),
        };
        let description = if self.action() == Action::Failed {
            description
        } else {
            &description["Undelivered m".len() - 1..]
        };
        line(text, format_args!("--{}", self.boundary()));
        line(text, format_args!("Content-Description: {description}"));
        line(text, format_args!("Content-Type: {kind}"));
        if !returned.is_ascii() {
            line(text, format_args!("Content-Transfer-Encoding: 8bit"));
        }
        line(text, format_args!(""));
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

impl Reported {
    /// RFC 3464 §2.3: fields of one recipient.
    fn write(&self, text: &mut String, is_global: bool) {
        if let Some(original) = &self.original_recipient {
            let address = printable(&original.address);
            // RFC 3464 §2.3.1: as it came in ORCPT, whose xtext the field keeps where it is not plain.
            let plain = address.bytes().all(|byte| byte.is_ascii_graphic());
            let shown = if plain || is_global { address } else { to_xtext(&original.address) };
            line(text, format_args!("Original-Recipient: {};{shown}", printable(&original.address_type)));
        }
        let kind = if self.final_recipient.needs_smtputf8() { "utf-8" } else { "rfc822" };
        line(text, format_args!("Final-Recipient: {kind};{}", self.final_recipient));
        line(text, format_args!("Action: {}", self.action.as_str()));
        line(text, format_args!("Status: {}", self.status));
        let told_by_peer = !self.remote_mta.is_empty();
        if told_by_peer {
            line(text, format_args!("Remote-MTA: dns; {}", printable(&self.remote_mta)));
        }
        if !self.diagnostic.is_empty() {
            let kind = if told_by_peer { "smtp" } else { "x-switchyard" };
            let diagnostic = printable(&self.diagnostic);
            let diagnostic = if is_global { diagnostic } else { ascii(&diagnostic) };
            fold(text, &format!("Diagnostic-Code: {kind};"), &diagnostic, "    ");
        }
        line(text, format_args!("Last-Attempt-Date: {}", date(&self.last_attempt)));
        if let Some(until) = &self.will_retry_until {
            line(text, format_args!("Will-Retry-Until: {}", date(until)));
        }
    }
}

fn is_ascii(recipient: &Reported) -> bool {
    !recipient.final_recipient.needs_smtputf8()
        && recipient.diagnostic.is_ascii()
        && recipient.original_recipient.as_ref().is_none_or(|orcpt| orcpt.address.is_ascii())
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = write!(text, "{arguments}\r\n");
}

/// RFC 5322 §3.3.
fn date(at: &Zoned) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// One line of at most [`MAX_DIAGNOSTIC`] octets without a control character: what a peer said ends no line of
/// ours.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_DIAGNOSTIC));
    for character in text.chars() {
        if shown.len() + character.len_utf8() > MAX_DIAGNOSTIC {
            break;
        }
        shown.push(if character.is_control() { ' ' } else { character });
    }
    shown
}

fn ascii(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
}

/// Writes `head value`, folded at spaces so that lines stay under 78 octets where the words allow it, and under
/// 998 always (RFC 5322 §2.1.1).
fn fold(text: &mut String, head: &str, value: &str, indent: &str) {
    let mut width = head.len();
    text.push_str(head);
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if width + 1 + word.len() > 76 {
            text.push_str("\r\n");
            text.push_str(indent);
            width = indent.len();
        } else {
            text.push(' ');
            width += 1;
        }
        let mut rest = word;
        while rest.len() > 900 {
            let end = (1..=900).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            text.push_str("\r\n");
            text.push_str(indent);
            rest = &rest[end..];
        }
        text.push_str(rest);
        width += word.len();
    }
    text.push_str("\r\n");
}

/// Our own lines in wire form (RFC 5321 §4.5.2).
fn stuffed(text: &str) -> Vec<u8> {
    let dotted = text.replace("\r\n.", "\r\n..");
    if dotted.starts_with('.') { format!(".{dotted}").into_bytes() } else { dotted.into_bytes() }
}
