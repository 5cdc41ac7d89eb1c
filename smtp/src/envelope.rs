//! What is carried: a mail object is an envelope and its content (RFC 5321 §2.3.1).

use std::fmt;

use bytes::Bytes;

use crate::address::{ForwardPath, ReversePath};
use crate::priority::Priority;

/// An envelope and its content.
#[derive(Debug, Clone)]
pub struct MailObject {
    /// From whom, to whom, and how.
    pub envelope: Envelope,
    /// Header and body.
    pub content: Content,
}

/// What MAIL and RCPT said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL and its parameters.
    pub sender: Sender,
    /// RCPT, one each, in the order given.
    pub recipients: Vec<Recipient>,
}

/// MAIL FROM and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who hears of a failure.
    pub reverse_path: ReversePath,
    /// `BODY=` (RFC 6152, RFC 3030).
    pub body: Body,
    /// `SMTPUTF8` was given (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// `SIZE=`, in octets (RFC 1870).
    pub size: Option<u64>,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// `ENVID=`, decoded from xtext (RFC 3461 §4.4).
    pub envid: Option<Box<str>>,
    /// `MT-PRIORITY=`: how urgent it is (RFC 6710 §3).
    pub priority: Option<Priority>,
    /// `XTXN=`: the transaction's id on a hop between our own hosts, which makes that hop exactly-once.
    pub transaction: Option<TransactionId>,
    /// `XHOLD=`: why the next of our own hosts shall keep it on hold. It goes with `XTXN`.
    pub hold: Option<Box<str>>,
}

impl Sender {
    /// A sender without any parameter.
    #[must_use]
    pub fn new(reverse_path: ReversePath) -> Self {
        Self {
            reverse_path,
            body: Body::SevenBit,
            smtputf8: false,
            size: None,
            ret: None,
            envid: None,
            priority: None,
            transaction: None,
            hold: None,
        }
    }
}

/// RCPT TO and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// To whom.
    pub forward_path: ForwardPath,
    /// `NOTIFY=`; `None` where none was given, which means failures and, perhaps, delays (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=`, decoded.
    pub orcpt: Option<Orcpt>,
}

impl Recipient {
    /// A recipient without any parameter.
    #[must_use]
    pub fn new(forward_path: ForwardPath) -> Self {
        Self { forward_path, notify: None, orcpt: None }
    }
}

/// `BODY=`: what octets the content may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Body {
    /// Lines of US-ASCII: the default.
    #[default]
    SevenBit,
    /// Lines of any octets (RFC 6152).
    EightBitMime,
    /// Any octets at all, CR and LF alone among them (RFC 3030 §3).
    BinaryMime,
}

/// `RET=`: how much of the message a failure report brings back (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Hdrs,
}

/// `NOTIFY=`: of what the sender wants to hear (RFC 3461 §4.1). All false is `NEVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notify {
    /// `SUCCESS`.
    pub success: bool,
    /// `FAILURE`.
    pub failure: bool,
    /// `DELAY`.
    pub delay: bool,
}

impl Notify {
    /// `NEVER`.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
}

impl fmt::Display for Notify {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return formatter.write_str("NEVER");
        }
        let wanted = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut comma = "";
        for (_, word) in wanted.into_iter().filter(|(on, _)| *on) {
            write!(formatter, "{comma}{word}")?;
            comma = ",";
        }
        Ok(())
    }
}

/// `ORCPT=addr-type;xtext`: the recipient as the originator named it (RFC 3461 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Orcpt {
    /// `rfc822` mostly.
    pub address_type: Box<str>,
    /// Decoded from xtext.
    pub address: Box<str>,
}

/// One transaction between our own hosts: 128 random bits, made where the mail came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub u128);

impl fmt::Display for TransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::str::FromStr for TransactionId {
    type Err = std::num::ParseIntError;

    /// Exactly 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let exact = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(if exact { text } else { "" }, 16).map(Self)
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Header and body in the wire's own form: dot-stuffed (RFC 5321 §4.5.2), without the final lone dot.
///
/// A relay's both ends speak this form, so it is stored and sent on untouched. Fields that we add stand apart
/// in `added`, and are written first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Header fields added here, whole lines each ending in CR LF; never a line that starts with a dot.
    pub added: Bytes,
    /// What the client sent, dot-stuffed.
    pub wire: Bytes,
}

impl Content {
    /// Content as it came over the wire.
    #[must_use]
    pub fn from_wire(wire: Bytes) -> Self {
        Self { added: Bytes::new(), wire }
    }

    /// Octets on the wire, without the final dot.
    #[must_use]
    pub fn len(&self) -> usize {
        self.added.len() + self.wire.len()
    }

    /// True when there is nothing at all: no header, no body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts whole header lines on top of what is there.
    pub fn prepend(&mut self, fields: &str) {
        debug_assert!(fields.ends_with("\r\n") && !fields.starts_with('.'));
        self.added = [fields.as_bytes(), &self.added].concat().into();
    }
}
