//! What EHLO offers, and what a peer offered (RFC 5321 §4.1.1.1).

use std::fmt::Write;

/// What a server offers to one client. PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, CHUNKING with
/// BINARYMIME and DSN are always offered; these differ by client and by settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// `SIZE`, in octets (RFC 1870).
    pub size: u64,
    /// `LIMITS RCPTMAX=` (RFC 9422): recipients of one transaction.
    pub recipients: u32,
    /// `STARTTLS`: there is a certificate and TLS is not yet on.
    pub starttls: bool,
    /// MAIL is refused until TLS is on.
    pub require_tls: bool,
    /// `XCLIENT`: this client may say whom it stands for.
    pub xclient: bool,
    /// `XFORWARD`: this client may say, for the log and the trace field, where mail came from.
    pub xforward: bool,
    /// `MT-PRIORITY` (RFC 6710): how urgent a message is.
    pub priority: bool,
    /// `XTXN`: a MAIL parameter that names the transaction, so that a repeated one is taken once; and `XHOLD`, which may
    /// come with it: the reason why a message shall be put on hold.
    pub xtxn: bool,
}

impl Offer {
    /// The text of the reply to EHLO (RFC 5321 §4.1.1.1): our name, then a line for each extension.
    #[must_use]
    pub fn ehlo_text(&self, host_name: &str, greeted: &str) -> String {
        let mut text = format!(
            "{host_name} greets {greeted}\nPIPELINING\nSIZE {}\n8BITMIME\nENHANCEDSTATUSCODES\nSMTPUTF8\nCHUNKING\nBINARYMIME\nDSN\nLIMITS RCPTMAX={}",
            self.size, self.recipients
        );
        if self.starttls {
            text.push_str("\nSTARTTLS");
        }
        if self.xclient {
            text.push_str("\nXCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT");
        }
        if self.xforward {
            text.push_str("\nXFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
        }
        if self.priority {
            text.push_str("\nMT-PRIORITY");
        }
        if self.xtxn {
            text.push_str("\nXTXN\nXHOLD");
        }
        text
    }
}

/// What a peer offered in its reply to EHLO or LHLO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "EHLO is a list of independent keywords")]
pub struct Extensions {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3030 §2.
    pub chunking: bool,
    /// RFC 3030 §3.
    pub binary_mime: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 1870: `None` without the keyword, `Some(None)` for a limit that is not told.
    pub size: Option<Option<u64>>,
    /// RFC 9422 `RCPTMAX`.
    pub recipients: Option<u32>,
    /// Postfix's XFORWARD.
    pub xforward: bool,
    /// Postfix's XCLIENT, with NAME and ADDR at least.
    pub xclient: bool,
    /// RFC 6710.
    pub priority: bool,
    /// Our own hosts' transaction id.
    pub xtxn: bool,
    /// Our own hosts' mark of mail to be held.
    pub xhold: bool,
}

/// Encodes a value as xtext (RFC 3461 §4): `+`, `=` and what is not printable ASCII become `+HH`.
#[must_use]
pub fn to_xtext(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => text.push(byte as char),
            // Writing to a String can't fail.
            _ => drop(write!(text, "+{byte:02X}")),
        }
    }
    text
}

/// Decodes xtext (RFC 3461 §4). `None` when it is malformed, is not UTF-8, or hides a control character.
#[must_use]
pub fn from_xtext(text: &str) -> Option<String> {
    let mut value = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => {
                let mut digit = || (bytes.next()? as char).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                value.push((high * 16 + low) as u8);
            }
            b'!'..=b'~' if byte != b'=' => value.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(value).ok().filter(|value| !value.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_a7_xtext_hides_nothing() {
        assert_eq!(from_xtext("a+2Bb@x").as_deref(), Some("a+b@x"));
        assert_eq!(to_xtext("a+b=c d"), "a+2Bb+3Dc+20d");
        for text in ["+0D+0A", "+00", "+", "+2", "+zz", "a b", "a=b", "+FF"] {
            assert_eq!(from_xtext(text), None, "{text}");
        }
    }
}
