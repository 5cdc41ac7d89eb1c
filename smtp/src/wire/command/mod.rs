//! Command lines: bytes → [`Command`] (RFC 5321 §4.1). Strict in what it takes: an argument where none
//! belongs, a parameter that was not offered, a control character behind xtext: all are refused by name.

mod attributes;
mod envelope;
mod parameters;
mod verb;

use crate::envelope::{Recipient, Sender};
use crate::reply::{Reply, table};

pub use attributes::Attributes;
pub use verb::Verb;

use attributes::attributes;
use envelope::{mail, rcpt};
use verb::verb_of;

/// A command as the client meant it.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// HELO, EHLO or LHLO.
    Hello(Greeting, Box<str>),
    /// MAIL FROM.
    Mail(Box<Sender>),
    /// RCPT TO.
    Rcpt(Box<Recipient>),
    /// DATA.
    Data,
    /// BDAT.
    Bdat {
        /// Octets of this chunk.
        size: u64,
        /// It is the last one.
        last: bool,
    },
    /// STARTTLS.
    StartTls,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY and EXPN.
    Vrfy,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// XCLIENT: whom this session is to be treated as.
    Xclient(Box<Attributes>),
    /// XFORWARD: where the mail that follows came from.
    Xforward(Box<Attributes>),
}

/// Which hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Greeting {
    /// HELO.
    Helo,
    /// EHLO.
    Ehlo,
    /// LHLO (RFC 2033 §4.1).
    Lhlo,
}

/// A line that is no command of ours: the verb, as far as it can be told, and the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the line began with.
    pub verb: Verb,
    /// What to say.
    pub reply: Reply,
}

impl Command {
    /// Reads one line, without its CR LF.
    ///
    /// # Errors
    /// With the reply to give when the line is not a command of ours or its arguments are not legal.
    pub fn parse(line: &[u8]) -> Result<Self, Refused> {
        let (word, rest) = match line.iter().position(|&byte| byte == b' ') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let verb = verb_of(word);
        parse_arguments(verb, word, rest).map_err(|reply| Refused { verb, reply })
    }

    /// The verb, for metrics.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Hello(Greeting::Helo, _) => Verb::Helo,
            Self::Hello(Greeting::Ehlo, _) => Verb::Ehlo,
            Self::Hello(Greeting::Lhlo, _) => Verb::Lhlo,
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { .. } => Verb::Bdat,
            Self::StartTls => Verb::StartTls,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Vrfy => Verb::Vrfy,
            Self::Help => Verb::Help,
            Self::Quit => Verb::Quit,
            Self::Xclient(_) => Verb::Xclient,
            Self::Xforward(_) => Verb::Xforward,
        }
    }
}

/// Another protocol's first line: a browser, a TLS hello, bytes that no SMTP client sends (ALPACA,
/// CVE-2021-3618).
#[must_use]
pub fn is_another_protocol(first_bytes: &[u8]) -> bool {
    const FORBIDDEN: [&[u8]; 6] = [b"GET ", b"POST ", b"CONNECT ", b"HEAD ", b"PUT ", b"HOST:"];
    first_bytes.first().is_some_and(|&byte| byte >= 0x80 || byte == 0x16)
        || FORBIDDEN
            .iter()
            .any(|word| first_bytes.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
}

fn parse_arguments(verb: Verb, word: &[u8], rest: &[u8]) -> Result<Command, Reply> {
    let alone = |command| if rest.trim_ascii().is_empty() { Ok(command) } else { Err(table::BAD_ARGUMENTS) };
    match verb {
        Verb::Helo => hello(Greeting::Helo, rest),
        Verb::Ehlo => hello(Greeting::Ehlo, rest),
        Verb::Lhlo => hello(Greeting::Lhlo, rest),
        Verb::Mail => mail(rest),
        Verb::Rcpt => rcpt(rest),
        Verb::Bdat => bdat(rest),
        Verb::Data => alone(Command::Data),
        Verb::StartTls => alone(Command::StartTls),
        Verb::Rset => alone(Command::Rset),
        Verb::Quit => alone(Command::Quit),
        // RFC 5321 §4.1.1.9: an argument of NOOP is ignored.
        Verb::Noop => Ok(Command::Noop),
        Verb::Vrfy => Ok(Command::Vrfy),
        Verb::Help => Ok(Command::Help),
        Verb::Xclient => attributes(rest).map(|found| Command::Xclient(Box::new(found))),
        Verb::Xforward => attributes(rest).map(|found| Command::Xforward(Box::new(found))),
        Verb::Connect | Verb::EndOfData | Verb::Unknown => {
            let _ = word;
            Err(table::UNKNOWN_COMMAND)
        }
    }
}

/// A client's name for itself goes into the trace field and the log: letters, digits, `-`, `_`, `.` and, for
/// address literals, `[`, `:` and `]`. Names that no DNS holds are common, so no more is asked of it.
fn hello(greeting: Greeting, rest: &[u8]) -> Result<Command, Reply> {
    let name = std::str::from_utf8(rest.trim_ascii()).map_err(|_| table::BAD_ARGUMENTS)?;
    let legal = |character: char| {
        character.is_ascii_alphanumeric()
            || "-_.:[]".contains(character)
            || (!character.is_ascii() && character.is_alphanumeric())
    };
    if name.is_empty() || name.len() > 255 || !name.chars().all(legal) {
        return Err(table::BAD_ARGUMENTS.with_text("Syntax: EHLO hostname"));
    }
    Ok(Command::Hello(greeting, name.into()))
}

/// `BDAT chunk-size [LAST]` (RFC 3030 §2); digits only.
fn bdat(rest: &[u8]) -> Result<Command, Reply> {
    let text = std::str::from_utf8(rest).map_err(|_| table::BAD_ARGUMENTS)?;
    let (number, last) = match text.split_once(' ') {
        None => (text, false),
        Some((number, word)) if word.eq_ignore_ascii_case("LAST") => (number, true),
        Some(_) => return Err(table::BAD_ARGUMENTS),
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(size) if digits => Ok(Command::Bdat { size, last }),
        _ => Err(table::BAD_ARGUMENTS),
    }
}

#[cfg(test)]
mod tests;
