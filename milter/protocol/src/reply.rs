//! The reply that a filter wants its MTA to give: a code, perhaps an enhanced status, and lines of text.
//!
//! On the wire it is SMTP's own form, `550 5.7.1 No` or several lines, with every `%` doubled, as Sendmail
//! prints it with a format. What comes in is taken apart and checked; what is none of the grammar is refused, so
//! that whatever a filter sends, one legal reply or none comes out.

use std::fmt::Write as _;
use std::str;

/// Lines of a reply: what libmilter allows.
const MOST_LINES: usize = 32;
/// Octets of a line's text. RFC 5321 §4.5.3.1.5: a reply line has 512 octets at most, with code and CR LF.
const MOST_OCTETS: usize = 500;

/// Class, subject and detail of an enhanced status (RFC 3463 §2).
pub type Status = (u8, u16, u16);

/// A checked reply: its code is 4yz or 5yz, its text printable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyText {
    code: u16,
    status: Option<Status>,
    lines: Vec<Box<str>>,
}

/// What no reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Not three digits that begin with 4 or 5.
    #[error("a reply without a code of 4yz or 5yz")]
    Code,
    /// The lines do not all have the same code, or their marks for "more" are wrong.
    #[error("a reply whose lines do not belong together")]
    Lines,
    /// Its enhanced status says something else than its code.
    #[error("a reply whose enhanced status contradicts its code")]
    Status,
    /// A control character, or octets that are no UTF-8.
    #[error("a reply with octets that are no text")]
    Text,
    /// More lines, or longer ones, than SMTP allows.
    #[error("a reply of more than {MOST_LINES} lines or {MOST_OCTETS} octets in a line")]
    Long,
}

impl ReplyText {
    /// Makes one. Lines of `text` are parted by `\n`.
    ///
    /// # Errors
    /// When it would be no legal reply.
    pub fn new(code: u16, status: Option<Status>, text: &str) -> Result<Self, ReplyError> {
        // RFC 5321 §4.2: the second digit is 0 to 5. Filters use others as well; only the first one is acted upon.
        if !(400..600).contains(&code) {
            return Err(ReplyError::Code);
        }
        // RFC 2034 §4: the class of the status is the first digit of the code.
        if status.is_some_and(|(class, ..)| u16::from(class) != code / 100) {
            return Err(ReplyError::Status);
        }
        let lines: Vec<Box<str>> = text.split('\n').map(Box::from).collect();
        if lines.len() > MOST_LINES || lines.iter().any(|line| line.len() > MOST_OCTETS) {
            return Err(ReplyError::Long);
        }
        if lines.iter().any(|line| line.chars().any(char::is_control)) {
            return Err(ReplyError::Text);
        }
        Ok(Self { code, status, lines })
    }

    /// Its three digits.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Class, subject and detail of its enhanced status.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status
    }

    /// Its text, at least one line, which may be empty.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &str> {
        self.lines.iter().map(|line| &**line)
    }

    /// True for 4yz: the client shall come again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code < 500
    }

    /// Reads what a filter sent, without its NUL.
    ///
    /// # Errors
    /// When it is no legal reply.
    pub fn parse(octets: &[u8]) -> Result<Self, ReplyError> {
        let text = str::from_utf8(octets).map_err(|_| ReplyError::Text)?;
        let text = text.strip_suffix("\r\n").unwrap_or(text);
        let mut head = None;
        let mut lines = Vec::new();
        let mut rest = Some(text);
        while let Some(here) = rest {
            if lines.len() == MOST_LINES {
                return Err(ReplyError::Long);
            }
            let (line, more) =
                here.split_once("\r\n").map_or((here, None), |(line, more)| (line, Some(more)));
            let (code, status, text) = parse_line(line, more.is_some())?;
            let (first_code, first_status) = *head.get_or_insert((code, status));
            if first_code != code {
                return Err(ReplyError::Lines);
            }
            // A later line may leave the status out, not have another one.
            if status.is_some() && status != first_status {
                return Err(ReplyError::Lines);
            }
            // A lone LF among them: lines are parted by CR LF and nothing else.
            if text.chars().any(char::is_control) {
                return Err(ReplyError::Text);
            }
            lines.push(single_percents(text));
            rest = more;
        }
        let (code, status) = head.ok_or(ReplyError::Code)?;
        Self::new(code, status, &lines.join("\n"))
    }

    /// As it travels, without its NUL.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        let last = self.lines.len().saturating_sub(1);
        for (number, line) in self.lines.iter().enumerate() {
            let _ = write!(text, "{}{}", self.code, if number == last { ' ' } else { '-' });
            if let Some((class, subject, detail)) = self.status {
                let _ = write!(text, "{class}.{subject}.{detail} ");
            }
            text.push_str(&line.replace('%', "%%"));
            if number != last {
                text.push_str("\r\n");
            }
        }
        text
    }
}

/// Code, enhanced status and text of one line; `more` says whether another follows.
fn parse_line(line: &str, more: bool) -> Result<(u16, Option<Status>, &str), ReplyError> {
    let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::Code)?;
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(ReplyError::Code);
    }
    let code = digits.parse().map_err(|_| ReplyError::Code)?;
    let rest = match (rest.split_at_checked(1), more) {
        // A code alone: whoever gives the reply finds words for it.
        (None, false) => "",
        (Some((" ", rest)), false) | (Some(("-", rest)), true) => rest,
        _ => return Err(ReplyError::Lines),
    };
    let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
    Ok(match parse_status(word) {
        Some(status) => (code, Some(status), text),
        None => (code, None, rest),
    })
}

/// RFC 3463 §2: class, subject of up to three digits, detail of up to three.
fn parse_status(word: &str) -> Option<Status> {
    let number = |digits: &str| {
        let sound = (1..=3).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
        if sound { digits.parse::<u16>().ok() } else { None }
    };
    let mut parts = word.split('.');
    let status = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let class = u8::try_from(status.0).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    parts.next().is_none().then_some((class, status.1, status.2))
}

/// `%%` is `%`; a single one, which a filter should not have sent, stays.
fn single_percents(text: &str) -> String {
    text.replace("%%", "%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn m2_a_reply_is_legal_or_none() {
        for (sent, expected) in [
            ("550 5.7.1 No", ReplyText::new(550, Some((5, 7, 1)), "No")),
            ("550 No", ReplyText::new(550, None, "No")),
            ("550", ReplyText::new(550, None, "")),
            ("550 ", ReplyText::new(550, None, "")),
            ("550 5.7.1", ReplyText::new(550, Some((5, 7, 1)), "")),
            ("451 4.7.1 100%% full", ReplyText::new(451, Some((4, 7, 1)), "100% full")),
            ("451 %s %n %", ReplyText::new(451, None, "%s %n %")),
            ("550-5.7.1 one\r\n550 5.7.1 two", ReplyText::new(550, Some((5, 7, 1)), "one\ntwo")),
            ("550-5.7.1 one\r\n550 two\r\n", ReplyText::new(550, Some((5, 7, 1)), "one\ntwo")),
            ("550 1.2.3.4 is listed", ReplyText::new(550, None, "1.2.3.4 is listed")),
            ("", Err(ReplyError::Code)),
            ("55", Err(ReplyError::Code)),
            ("250 ok", Err(ReplyError::Code)),
            ("5xx no", Err(ReplyError::Code)),
            ("+50 no", Err(ReplyError::Code)),
            ("600 no", Err(ReplyError::Code)),
            ("5\u{663}0 no", Err(ReplyError::Code)),
            ("550_no", Err(ReplyError::Lines)),
            ("550-only the first line", Err(ReplyError::Lines)),
            ("550 no\r\n250 ok", Err(ReplyError::Lines)),
            ("550-no\r\n250 ok", Err(ReplyError::Lines)),
            ("550-no\r\n450 ok", Err(ReplyError::Lines)),
            ("550-5.7.1 no\r\n550 5.7.2 ok", Err(ReplyError::Lines)),
            ("550 4.7.1 no", Err(ReplyError::Status)),
            ("550 no\n250 ok", Err(ReplyError::Text)),
            ("550 no\r", Err(ReplyError::Text)),
            ("550 bell\u{7}", Err(ReplyError::Text)),
        ] {
            assert_eq!(ReplyText::parse(sent.as_bytes()), expected, "{sent:?}");
        }
        assert_eq!(ReplyText::parse(b"550 \xff"), Err(ReplyError::Text));
        let long = ["550 ", &"x".repeat(501)].concat();
        assert_eq!(ReplyText::parse(long.as_bytes()), Err(ReplyError::Long));
        assert_eq!(ReplyText::parse("550-x\r\n".repeat(40).as_bytes()), Err(ReplyError::Long));
    }

    proptest! {
        #[test]
        fn replies_survive_the_wire(code in 400u16..600, status: Option<(u16, u16)>, text in "[^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,80}(\n[^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,80}){0,3}") {
            let status = status.map(|(subject, detail)| ((code / 100) as u8, subject % 1000, detail % 1000));
            // Without a status of its own, a text may not begin with what looks like one.
            let text = if status.is_some() { text } else { format!("no {}", text.replace('\n', "\nno ")) };
            let reply = ReplyText::new(code, status, &text).unwrap();
            prop_assert_eq!(ReplyText::parse(reply.encode().as_bytes()), Ok(reply));
        }

        #[test]
        fn m2_whatever_a_filter_sends_comes_out_printable(octets: Vec<u8>) {
            if let Ok(reply) = ReplyText::parse(&octets) {
                prop_assert!(reply.lines().all(|line| !line.chars().any(char::is_control)));
            }
        }
    }
}
