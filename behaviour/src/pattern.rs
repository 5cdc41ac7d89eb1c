//! What a behaviour's texts are compared with: the queue tools' patterns, in which `*` stands for anything, `?` for one
//! character, and case does not matter.

use std::fmt;

use switchyard_router::queue::select;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::status::EnhancedStatus;

/// A text that may stand for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(select::Pattern);

impl Pattern {
    /// Reads one; every text is a pattern.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(select::Pattern::new(text))
    }

    /// An address, with or without its angle brackets.
    #[must_use]
    pub fn of_address(text: &str) -> Self {
        Self::new(bare(text))
    }

    /// Whether it stands for texts of any length.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.as_str().contains('*')
    }

    /// Whether the whole of `text` is what it stands for.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => formatter.write_str("<>"),
            text => formatter.write_str(text),
        }
    }
}

/// An address without its angle brackets; empty is the null reverse-path.
#[must_use]
pub fn bare(address: &str) -> &str {
    address.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(address)
}

// ---------------------------------------------------------------------------------------------------------

/// A reply that is wanted: `250`, `5xx`, `550 5.1.1`, `554 5.7.1 *Relay access denied*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyPattern {
    code: String,
    status: Option<EnhancedStatus>,
    text: Option<Pattern>,
}

/// A reply that was heard, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its three digits.
    pub code: u16,
    /// Its enhanced status.
    pub status: Option<EnhancedStatus>,
    /// Its text; none where a run can't know it.
    pub text: Option<String>,
}

/// How a reply compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It is as wanted.
    Same,
    /// It is not.
    Other,
    /// It is as far as it is known, and a text is wanted that is not known here.
    TextUnknown,
}

impl ReplyPattern {
    /// Reads one.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let digit = |at: usize, most: u8| {
            code.as_bytes().get(at).is_some_and(|byte| *byte == b'x' || (b'0'..=most).contains(byte))
        };
        let first = matches!(code.as_bytes().first(), Some(b'2' | b'4' | b'5'));
        if code.len() != 3 || !first || !digit(1, b'5') || !digit(2, b'9') {
            return Err(format!(
                "`{code}` is no reply code: write 250, 5xx, \"550 5.1.1\" or \"550 5.1.1 *text*\""
            ));
        }
        let (status, rest) = match EnhancedStatus::split_from(rest) {
            Some((status, rest)) => (Some(status), rest),
            None => (None, rest),
        };
        if let Some(status) = status.filter(|status| !code.starts_with(&status.class.to_string())) {
            return Err(format!("{code} and {status} don't go together: both begin with the same digit"));
        }
        let text = (!rest.is_empty()).then(|| Pattern::new(rest));
        Ok(Self { code: code.to_owned(), status, text })
    }

    /// Whether mail that is answered so was taken.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code.starts_with('2')
    }

    /// Compares.
    #[must_use]
    pub fn compare(&self, heard: &Heard) -> Compared {
        let digits = heard.code.to_string();
        let same = |(wanted, is): (char, char)| wanted == 'x' || wanted == is;
        if !self.code.chars().zip(digits.chars()).all(same)
            || self.status.is_some_and(|status| heard.status != Some(status))
        {
            return Compared::Other;
        }
        match (&self.text, &heard.text) {
            (None, _) => Compared::Same,
            (Some(_), None) => Compared::TextUnknown,
            (Some(wanted), Some(is)) if wanted.matches(is) => Compared::Same,
            (Some(_), Some(_)) => Compared::Other,
        }
    }
}

impl fmt::Display for ReplyPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.code)?;
        if let Some(status) = self.status {
            write!(formatter, " {status}")?;
        }
        if let Some(text) = &self.text {
            write!(formatter, " {text}")?;
        }
        Ok(())
    }
}

impl Heard {
    /// A reply as one line says it: `550 5.1.1 User unknown`.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (code, rest) = line.split_once(' ').unwrap_or((line, ""));
        let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
        let (status, text) = match EnhancedStatus::split_from(rest) {
            Some((status, text)) => (Some(status), text),
            None => (None, rest),
        };
        Some(Self { code, status, text: Some(text.to_owned()) })
    }

    /// True for 2yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
}

impl From<&Reply> for Heard {
    fn from(reply: &Reply) -> Self {
        let text = Some(reply.text.replace('\n', " "));
        Self { code: reply.code.get(), status: reply.status, text }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(formatter, " {status}")?;
        }
        match self.text.as_deref() {
            Some(text) if !text.is_empty() => write!(formatter, " {text}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_without_brackets_and_the_null_sender_is_shown() {
        assert!(Pattern::of_address("<bob@*>").matches("Bob@Example.org"));
        let null = Pattern::of_address("<>");
        assert!(null.matches("") && !null.matches("x"));
        assert_eq!(null.to_string(), "<>");
        assert!(Pattern::new("b*b").is_open() && !Pattern::new("b?b").is_open());
    }

    #[test]
    fn replies_compare_as_far_as_they_are_written() {
        let heard = Heard::read("550 5.1.1 User unknown").unwrap();
        for (pattern, compared) in [
            ("550", Compared::Same),
            ("5xx", Compared::Same),
            ("550 5.1.1", Compared::Same),
            ("550 5.1.2", Compared::Other),
            ("551", Compared::Other),
            ("550 5.1.1 user*", Compared::Same),
            ("550 *unknown", Compared::Same),
            ("550 5.1.1 Relay*", Compared::Other),
        ] {
            assert_eq!(ReplyPattern::parse(pattern).unwrap().compare(&heard), compared, "{pattern}");
        }
        let taken = Heard { text: None, ..Heard::read("250 2.0.0").unwrap() };
        assert_eq!(ReplyPattern::parse("250 *queued*").unwrap().compare(&taken), Compared::TextUnknown);
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for text in ["25", "2500", "650", "35x", "ok", "", "260", "2x", "é50"] {
            assert!(ReplyPattern::parse(text).unwrap_err().contains("is no reply code"), "{text}");
        }
        let mixed = ReplyPattern::parse("250 5.1.1").unwrap_err();
        assert!(mixed.contains("don't go together"), "{mixed}");
    }
}
