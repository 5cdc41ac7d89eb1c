//! Replies: bytes → [`Reply`], and the reply to EHLO → [`Extensions`] (RFC 5321 §4.2, §4.1.1.1).
//!
//! Strict and bounded, for a peer may be broken or hostile: a line ends at CR LF and nowhere else, a code is one
//! that the grammar knows, all lines of a reply carry the same one, and a reply is 100 lines and 64 KiB at most.
//! What is left is text, and made printable before anybody logs it or reports it.

#[cfg(test)]
mod tests;

use bytes::{Buf, BytesMut};
use memchr::memchr;

use crate::extension::Extensions;
use crate::reply::{Reply, ReplyCode, printable};
use crate::status::EnhancedStatus;

/// Lines of one reply.
pub const MAX_LINES: usize = 100;
/// Octets of one reply, line ends counted.
pub const MAX_OCTETS: usize = 64 << 10;

/// What came is no reply; the peer and we no longer understand one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line that does not begin with a code of the grammar and a space or a hyphen.
    #[error("not a reply: no reply code at the start of a line")]
    NoCode,
    /// `250-` and then `251`: which one is it?
    #[error("not a reply: its lines carry different codes")]
    MixedCodes,
    /// A line that ends in a bare LF.
    #[error("not a reply: a line ends without CR LF")]
    BareLineFeed,
    /// Over [`MAX_LINES`] or [`MAX_OCTETS`].
    #[error("a reply without end")]
    TooLong,
}

/// Takes replies off a growing buffer, each octet looked at once.
#[derive(Debug, Default)]
pub struct ReplyParser {
    /// Octets at the front of the input that hold no line end.
    searched: usize,
    /// The reply so far, while its last line has not come.
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    reply: Reply,
    lines: usize,
    octets: usize,
}

impl ReplyParser {
    /// The next reply, once all of it is there.
    ///
    /// # Errors
    /// When what is there is no reply. The connection is of no use after that.
    pub fn take(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        loop {
            let octets_before = self.begun.as_ref().map_or(0, |begun| begun.octets);
            let Some(at) = memchr(b'\n', &input[self.searched..]) else {
                self.searched = input.len();
                let fits = octets_before + input.len() <= MAX_OCTETS;
                return if fits { Ok(None) } else { Err(ReplyError::TooLong) };
            };
            let end = self.searched + at + 1;
            if octets_before + end > MAX_OCTETS {
                return Err(ReplyError::TooLong);
            }
            let line = input[..end].strip_suffix(b"\r\n").ok_or(ReplyError::BareLineFeed)?;
            let is_last = self.add(line, end)?;
            input.advance(end);
            self.searched = 0;
            if is_last {
                return Ok(self.begun.take().map(|begun| begun.reply));
            }
        }
    }

    /// The code of a reply that has begun to come and has not ended; `None` between replies. `input` is what was
    /// not taken.
    #[must_use]
    pub fn begun(&self, input: &[u8]) -> Option<ReplyCode> {
        match &self.begun {
            Some(begun) => Some(begun.reply.code),
            None => split(input.get(..3)?).ok().map(|(code, ..)| code),
        }
    }

    /// True when no octet of another reply has come.
    #[must_use]
    pub fn is_between(&self, input: &[u8]) -> bool {
        self.begun.is_none() && input.is_empty()
    }

    /// Adds a line; true when it is the reply's last (RFC 5321 §4.2.1).
    fn add(&mut self, line: &[u8], octets: usize) -> Result<bool, ReplyError> {
        let (code, is_last, text) = split(line)?;
        let Some(begun) = &mut self.begun else {
            let (status, text) = status_and_text(code, text);
            let reply = Reply { code, status, text: text.into() };
            self.begun = Some(Begun { reply, lines: 1, octets });
            return Ok(is_last);
        };
        if code != begun.reply.code {
            return Err(ReplyError::MixedCodes);
        }
        begun.lines += 1;
        begun.octets += octets;
        if begun.lines > MAX_LINES {
            return Err(ReplyError::TooLong);
        }
        // RFC 2034 §4: each line carries the status; the first one's counts.
        let (_, line_text) = status_and_text(code, text);
        let whole = begun.reply.text.to_mut();
        whole.push('\n');
        whole.push_str(&line_text);
        Ok(is_last)
    }
}

/// `250-text`, `250 text` or a code alone (RFC 5321 §4.2: a client takes that too).
fn split(line: &[u8]) -> Result<(ReplyCode, bool, &[u8]), ReplyError> {
    let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::NoCode)?;
    let number = digits.iter().try_fold(0_u16, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')).ok_or(ReplyError::NoCode)
    })?;
    let code = ReplyCode::new(number).ok_or(ReplyError::NoCode)?;
    match rest.split_first() {
        None => Ok((code, true, rest)),
        Some((b' ', text)) => Ok((code, true, text)),
        Some((b'-', text)) => Ok((code, false, text)),
        Some(_) => Err(ReplyError::NoCode),
    }
}

/// A status is believed only where its class agrees with the code (RFC 2034 §4).
fn status_and_text(code: ReplyCode, text: &[u8]) -> (Option<EnhancedStatus>, String) {
    // A line of a reply is one line, whatever hides in it.
    let text = printable(&String::from_utf8_lossy(text));
    match EnhancedStatus::split_from(&text) {
        Some((status, rest)) if u16::from(status.class) == code.get() / 100 => {
            (Some(status), rest.to_owned())
        }
        _ => (None, text),
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Reads what a peer offers out of its positive reply to EHLO or LHLO.
#[must_use]
pub fn extensions(reply: &Reply) -> Extensions {
    let mut offered = Extensions::default();
    // The first line names the peer; each other one is a keyword and its parameters.
    for line in reply.text.split('\n').skip(1) {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "PIPELINING" => offered.pipelining = true,
            "8BITMIME" => offered.eight_bit_mime = true,
            "SMTPUTF8" => offered.smtputf8 = true,
            "ENHANCEDSTATUSCODES" => offered.enhanced_status_codes = true,
            "CHUNKING" => offered.chunking = true,
            "BINARYMIME" => offered.binary_mime = true,
            "DSN" => offered.dsn = true,
            "STARTTLS" => offered.starttls = true,
            "XTXN" => offered.xtxn = true,
            "XHOLD" => offered.xhold = true,
            "MT-PRIORITY" => offered.priority = true,
            "SIZE" => offered.size = Some(size(words.next())),
            "LIMITS" => offered.recipients = words.find_map(recipients),
            "XFORWARD" => {
                offered.xforward = takes(words, &["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT"]);
            }
            "XCLIENT" => offered.xclient = takes(words, &["NAME", "ADDR"]),
            _ => {}
        }
    }
    offered
}

/// RFC 1870 §4: zero, like no number at all, is a limit that is not told. A number that no one could mean (more
/// than 64 bits hold) is not one that mail may fail on, either.
fn size(number: Option<&str>) -> Option<u64> {
    let number = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    number.parse().ok().filter(|&octets| octets > 0)
}

/// RFC 9422 §4: `RCPTMAX=` and one to six digits, not zero.
fn recipients(word: &str) -> Option<u32> {
    let (key, number) = word.split_once('=')?;
    let legal = key.eq_ignore_ascii_case("RCPTMAX")
        && number.len() <= 6
        && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|&most| legal && most > 0)
}

/// The attributes are sent all or none.
fn takes<'a>(offered: impl Iterator<Item = &'a str>, sent: &[&str]) -> bool {
    let offered: Vec<&str> = offered.collect();
    sent.iter().all(|sent| offered.iter().any(|attribute| attribute.eq_ignore_ascii_case(sent)))
}
