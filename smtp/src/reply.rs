//! Replies, and the named table of every reply that Switchyard ever gives (RFC 5321 §4.2, RFC 2034).

use std::borrow::Cow;
use std::fmt;

use crate::status::EnhancedStatus;

/// A reply's three digits (RFC 5321 §4.2.1): the first 2 to 5, the second 0 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(u16);

/// What a reply's first digit says (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyKind {
    /// 2yz: done.
    PositiveCompletion,
    /// 3yz: go on.
    PositiveIntermediate,
    /// 4yz: not now; the same command may work later.
    TransientNegative,
    /// 5yz: no, and never like this.
    PermanentNegative,
}

impl ReplyCode {
    /// A code that the grammar allows (RFC 5321 §4.2: first digit 2–5, second 0–5).
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 200 && code <= 559 && (code / 10) % 10 <= 5 { Some(Self(code)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What its first digit says.
    #[must_use]
    pub const fn kind(self) -> ReplyKind {
        match self.0 / 100 {
            2 => ReplyKind::PositiveCompletion,
            3 => ReplyKind::PositiveIntermediate,
            4 => ReplyKind::TransientNegative,
            _ => ReplyKind::PermanentNegative,
        }
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One reply: a code, perhaps an enhanced status, and text of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its three digits.
    pub code: ReplyCode,
    /// The enhanced status; none in greetings, EHLO and 354 (RFC 2034 §4).
    pub status: Option<EnhancedStatus>,
    /// What people read; lines are parted by `\n`. Never holds CR or another control character.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with a fixed text. Panics at compile time when the code is none: use it in constants.
    #[must_use]
    pub const fn fixed(code: u16, status: (u8, u16, u16), text: &'static str) -> Self {
        let Some(code) = ReplyCode::new(code) else { panic!("not a reply code") };
        let status = EnhancedStatus::new(status.0, status.1, status.2);
        Self { code, status: Some(status), text: Cow::Borrowed(text) }
    }

    /// A reply without an enhanced status, as the greeting and 354 are.
    #[must_use]
    pub const fn bare(code: u16, text: &'static str) -> Self {
        let Some(code) = ReplyCode::new(code) else { panic!("not a reply code") };
        Self { code, status: None, text: Cow::Borrowed(text) }
    }

    /// The same reply with another text. Control characters become `?`: what a peer or a map said must never
    /// end our line (RFC 5321 §4.2).
    #[must_use]
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        self.text = Cow::Owned(printable(text.as_ref()));
        self
    }

    /// True for 2yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code.kind() == ReplyKind::PositiveCompletion
    }

    /// True for 4yz.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code.kind() == ReplyKind::TransientNegative
    }

    /// True for 5yz.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code.kind() == ReplyKind::PermanentNegative
    }

    /// 421 says that the channel closes after it (RFC 5321 §3.8).
    #[must_use]
    pub fn closes(&self) -> bool {
        self.code.get() == 421
    }

    /// Writes the reply as it goes over the wire, each line with its code and CR LF.
    pub fn write_to(&self, output: &mut Vec<u8>) {
        use std::io::Write;
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            // Writing to a Vec can't fail.
            let _ = match self.status {
                Some(status) => write!(output, "{}{mark}{status} {line}\r\n", self.code),
                None => write!(output, "{}{mark}{line}\r\n", self.code),
            };
        }
    }
}

/// On one line, for logs and reports.
impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(formatter, " {status}")?;
        }
        write!(formatter, " {}", self.text.replace('\n', " "))
    }
}

/// Text fit for a reply, a log line or a header field: lines stay, other control characters become `?`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() && character != '\n' { '?' } else { character })
        .collect()
}

/// Every reply that we ever give, by name. Numbers and statuses are RFC 5321 §4.2.2, RFC 3463 and the RFC of
/// the extension at hand; whoever needs other words takes the entry and calls [`Reply::with_text`].
pub mod table {
    use super::Reply;

    /// The banner; the text is the host's name (RFC 5321 §4.2: its first word is the domain).
    pub const GREETING: Reply = Reply::bare(220, "ESMTP");
    /// STARTTLS accepted (RFC 3207 §4).
    pub const READY_FOR_TLS: Reply = Reply::fixed(220, (2, 0, 0), "Ready to start TLS");
    /// QUIT.
    pub const BYE: Reply = Reply::fixed(221, (2, 0, 0), "Bye");
    /// HELO and EHLO; the text is the host's name and, for EHLO, its extensions.
    pub const HELLO: Reply = Reply::bare(250, "");
    /// NOOP, RSET and XFORWARD.
    pub const OK: Reply = Reply::fixed(250, (2, 0, 0), "Ok");
    /// MAIL.
    pub const SENDER_OK: Reply = Reply::fixed(250, (2, 1, 0), "Ok");
    /// RCPT.
    pub const RECIPIENT_OK: Reply = Reply::fixed(250, (2, 1, 5), "Ok");
    /// A chunk that is not the last (RFC 3030 §2).
    pub const CHUNK_OK: Reply = Reply::fixed(250, (2, 0, 0), "Ok");
    /// End of data; the text names who has it.
    pub const TAKEN: Reply = Reply::fixed(250, (2, 0, 0), "Ok");
    /// VRFY, which tells nothing (RFC 5321 §7.3).
    pub const VRFY_NOTHING: Reply = Reply::fixed(252, (2, 1, 5), "Send some mail, I'll try my best");
    /// HELP.
    pub const HELP: Reply = Reply::fixed(214, (2, 0, 0), "See RFC 5321");
    /// DATA.
    pub const START_MAIL_INPUT: Reply = Reply::bare(354, "End data with <CR><LF>.<CR><LF>");

    /// A session that sat idle, or was too slow (RFC 5321 §4.5.3.2).
    pub const TIMED_OUT: Reply = Reply::fixed(421, (4, 4, 2), "Timed out");
    /// The daemon drains.
    pub const SHUTTING_DOWN: Reply = Reply::fixed(421, (4, 3, 2), "Service is shutting down, try again");
    /// A cap on sessions is reached.
    pub const TOO_MANY_SESSIONS: Reply = Reply::fixed(421, (4, 3, 2), "Too many connections, try again");
    /// A cap on sessions of one network is reached.
    pub const TOO_MANY_FROM_YOU: Reply =
        Reply::fixed(421, (4, 7, 0), "Too many connections from your network");
    /// A mail filter wants the session over.
    pub const FILTER_CLOSES: Reply = Reply::fixed(421, (4, 7, 0), "Closing connection, try again");
    /// A cap on hand-overs is reached.
    pub const TOO_BUSY: Reply = Reply::fixed(421, (4, 3, 2), "Too busy, try again");
    /// Over the limit of errors or of commands without effect.
    pub const TOO_MUCH_JUNK: Reply =
        Reply::fixed(421, (4, 7, 0), "Too many errors or commands without effect");
    /// Another router, or none, answers; the client keeps the mail.
    pub const NO_ROUTER: Reply = Reply::fixed(451, (4, 4, 1), "No router answers, try again");
    /// A map is unavailable, or something of ours broke: never "no such user".
    pub const LOCAL_ERROR: Reply = Reply::fixed(451, (4, 3, 0), "Temporary local problem, try again");
    /// The spool could not write.
    pub const SPOOL_ERROR: Reply = Reply::fixed(451, (4, 3, 0), "Queue file write error, try again");
    /// A mail filter says to come again, or none is there to be asked.
    pub const FILTER_DEFERS: Reply = Reply::fixed(451, (4, 7, 1), "Message cannot be taken now, try again");
    /// Disk or memory is short.
    pub const NO_ROOM: Reply = Reply::fixed(452, (4, 3, 1), "Insufficient system storage, try again");
    /// Over the limit of recipients (RFC 5321 §4.5.3.1.10).
    pub const TOO_MANY_RECIPIENTS: Reply = Reply::fixed(452, (4, 5, 3), "Too many recipients");
    /// TLS cannot be had now (RFC 3207 §4).
    pub const TLS_UNAVAILABLE: Reply = Reply::fixed(454, (4, 7, 0), "TLS is not available, try again");

    /// A verb that we don't know.
    pub const UNKNOWN_COMMAND: Reply = Reply::fixed(500, (5, 5, 2), "Command not recognized");
    /// A command line over the limit (RFC 5321 §4.5.3.1.4).
    pub const LINE_TOO_LONG: Reply = Reply::fixed(500, (5, 5, 2), "Line too long");
    /// A command line with a bare CR, a bare LF or a NUL in it.
    pub const BAD_LINE: Reply = Reply::fixed(500, (5, 5, 2), "Stray CR, LF or NUL in a command");
    /// Arguments that the grammar does not allow.
    pub const BAD_ARGUMENTS: Reply = Reply::fixed(501, (5, 5, 4), "Syntax error in the arguments");
    /// An address that the grammar does not allow, in MAIL.
    pub const BAD_SENDER: Reply = Reply::fixed(501, (5, 1, 7), "Bad sender address syntax");
    /// An address that the grammar does not allow, in RCPT.
    pub const BAD_RECIPIENT: Reply = Reply::fixed(501, (5, 1, 3), "Bad recipient address syntax");
    /// A command out of its order.
    pub const BAD_SEQUENCE: Reply = Reply::fixed(503, (5, 5, 1), "Bad sequence of commands");
    /// Something that is not implemented.
    pub const NOT_IMPLEMENTED: Reply = Reply::fixed(502, (5, 5, 1), "Command not implemented");
    /// A parameter of MAIL or RCPT that we did not offer (RFC 5321 §4.1.1.11).
    pub const BAD_PARAMETER: Reply = Reply::fixed(555, (5, 5, 4), "Unsupported parameter");
    /// TLS is asked for before mail is taken (RFC 3207 §4).
    pub const TLS_REQUIRED: Reply = Reply::fixed(530, (5, 7, 0), "Must issue a STARTTLS command first");
    /// No such user here.
    pub const NO_SUCH_USER: Reply = Reply::fixed(550, (5, 1, 1), "User unknown");
    /// A mail filter says no, and not why.
    pub const FILTER_REFUSES: Reply = Reply::fixed(550, (5, 7, 1), "Refused by a mail filter");
    /// A bare CR or LF in the content.
    pub const STRAY_LINE_END: Reply = Reply::fixed(550, (5, 5, 2), "Message holds a bare CR or LF");
    /// A NUL in the content.
    pub const STRAY_NUL: Reply = Reply::fixed(550, (5, 6, 0), "Message holds a NUL");
    /// A header that begins with a continuation line: it would go on the field that we put on top.
    pub const BAD_HEADER: Reply = Reply::fixed(550, (5, 6, 0), "Message begins with a blank");
    /// Over the size limit (RFC 1870 §6).
    pub const TOO_BIG: Reply = Reply::fixed(552, (5, 3, 4), "Message is larger than allowed");
    /// A header over its limit.
    pub const HEADER_TOO_BIG: Reply = Reply::fixed(552, (5, 3, 4), "Message header is larger than allowed");
    /// An address that needs SMTPUTF8 and came without it (RFC 6531 §3.5).
    pub const NEEDS_SMTPUTF8: Reply = Reply::fixed(553, (5, 6, 7), "Address needs SMTPUTF8");
    /// Octets in an address that are not UTF-8.
    pub const ADDRESS_NOT_UTF8: Reply = Reply::fixed(553, (5, 6, 7), "Address is not UTF-8");
    /// Mail for a domain that is not ours, from a client that may not relay.
    pub const RELAY_DENIED: Reply = Reply::fixed(554, (5, 7, 1), "Relay access denied");
    /// DATA or the last chunk with no recipient left.
    pub const NO_VALID_RECIPIENTS: Reply = Reply::fixed(554, (5, 5, 1), "No valid recipients");
    /// Commands sent before their time (RFC 2920 §3.1, RFC 3207 §4.2).
    pub const OUT_OF_STEP: Reply =
        Reply::fixed(554, (5, 5, 0), "Synchronization error: commands sent too early");
    /// Some other protocol on our port.
    pub const NOT_SMTP: Reply = Reply::fixed(421, (4, 7, 0), "This is a mail server, and that was not SMTP");
    /// Over 100 hops (RFC 5321 §6.3).
    pub const TOO_MANY_HOPS: Reply = Reply::fixed(554, (5, 4, 6), "Too many hops, the message seems to loop");
    /// On a hop between our own hosts a transaction is taken whole or not at all.
    pub const NOT_ALL_RECIPIENTS: Reply = Reply::fixed(554, (5, 5, 1), "Not all recipients were accepted");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.write_to(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_reply_on_the_wire() {
        assert_eq!(wire(&table::NO_SUCH_USER), "550 5.1.1 User unknown\r\n");
        let hello = table::HELLO.with_text("mx.example\nPIPELINING\nSIZE 1");
        assert_eq!(wire(&hello), "250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1\r\n");
        assert_eq!(hello.to_string(), "250 mx.example PIPELINING SIZE 1");
    }

    #[test]
    fn no_text_ends_our_line() {
        assert_eq!(wire(&table::OK.with_text("a\r250 b\0")), "250 2.0.0 a?250 b?\r\n");
    }

    #[test]
    fn codes_are_those_of_the_grammar() {
        for code in [0, 99, 199, 260, 460, 560, 600, 999] {
            assert_eq!(ReplyCode::new(code), None, "{code}");
        }
        assert_eq!(ReplyCode::new(550).map(ReplyCode::kind), Some(ReplyKind::PermanentNegative));
    }
}
