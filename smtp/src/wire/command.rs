//! Command lines: bytes → [`Command`] (RFC 5321 §4.1). Strict in what it takes: an argument where none
//! belongs, a parameter that was not offered, a control character behind xtext: all are refused by name.

use std::net::IpAddr;

use crate::address::{AddressError, ForwardPath, ReversePath};
use crate::envelope::{Body, Notify, Orcpt, Recipient, Ret, Sender};
use crate::extension::from_xtext;
use crate::reply::{Reply, table};

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

/// The verbs that a metric or a log line may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the verb it names")]
pub enum Verb {
    Connect,
    Helo,
    Ehlo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    EndOfData,
    Bdat,
    StartTls,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    Xclient,
    Xforward,
    Unknown,
}

impl Verb {
    /// As a label: lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::Ehlo => "ehlo",
            Self::Lhlo => "lhlo",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::EndOfData => "end_of_data",
            Self::Bdat => "bdat",
            Self::StartTls => "starttls",
            Self::Rset => "rset",
            Self::Noop => "noop",
            Self::Vrfy => "vrfy",
            Self::Help => "help",
            Self::Quit => "quit",
            Self::Xclient => "xclient",
            Self::Xforward => "xforward",
            Self::Unknown => "unknown",
        }
    }
}

/// What XCLIENT and XFORWARD tell; `[UNAVAILABLE]` and `[TEMPUNAVAIL]` come out as nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `NAME`: the client's verified host name.
    pub name: Option<Box<str>>,
    /// `ADDR`.
    pub address: Option<IpAddr>,
    /// `PORT`.
    pub port: Option<u16>,
    /// `HELO`.
    pub helo: Option<Box<str>>,
    /// `PROTO`.
    pub protocol: Option<Box<str>>,
    /// `IDENT`: the id of the session or message on the other host.
    pub ident: Option<Box<str>>,
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

fn verb_of(word: &[u8]) -> Verb {
    const VERBS: [(&[u8], Verb); 16] = [
        (b"MAIL", Verb::Mail),
        (b"RCPT", Verb::Rcpt),
        (b"DATA", Verb::Data),
        (b"BDAT", Verb::Bdat),
        (b"EHLO", Verb::Ehlo),
        (b"HELO", Verb::Helo),
        (b"LHLO", Verb::Lhlo),
        (b"QUIT", Verb::Quit),
        (b"RSET", Verb::Rset),
        (b"NOOP", Verb::Noop),
        (b"STARTTLS", Verb::StartTls),
        (b"VRFY", Verb::Vrfy),
        (b"EXPN", Verb::Vrfy),
        (b"HELP", Verb::Help),
        (b"XCLIENT", Verb::Xclient),
        (b"XFORWARD", Verb::Xforward),
    ];
    VERBS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(Verb::Unknown, |(_, verb)| *verb)
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

// ---------------------------------------------------------------------------------------------------------

fn mail(rest: &[u8]) -> Result<Command, Reply> {
    let (path, parameters) = path_and_parameters(rest, "FROM:", &table::BAD_SENDER)?;
    let reverse_path = ReversePath::parse(path).map_err(|error| address_reply(error, &table::BAD_SENDER))?;
    let mut sender = Sender::new(reverse_path);
    let mut seen = Seen::default();
    for (key, value) in parameters {
        seen.once(key)?;
        match (key.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => {
                // RFC 1870 §3: up to 20 digits; more octets than 64 bits can count are too many.
                if value.is_empty() || value.len() > 20 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(table::BAD_ARGUMENTS);
                }
                sender.size = Some(value.parse().unwrap_or(u64::MAX));
            }
            ("BODY", Some(value)) => sender.body = body(value)?,
            ("SMTPUTF8", None) => sender.smtputf8 = true,
            ("RET", Some(value)) => sender.ret = Some(ret(value)?),
            ("ENVID", Some(value)) => {
                let limit = if value.len() > 100 { None } else { from_xtext(value) };
                sender.envid = Some(limit.ok_or(table::BAD_ARGUMENTS)?.into());
            }
            ("XTXN", Some(value)) => {
                sender.transaction = Some(value.parse().map_err(|_| table::BAD_ARGUMENTS)?);
            }
            _ => return Err(table::BAD_PARAMETER),
        }
    }
    if !path.is_ascii() && !sender.smtputf8 {
        return Err(table::NEEDS_SMTPUTF8);
    }
    Ok(Command::Mail(Box::new(sender)))
}

fn rcpt(rest: &[u8]) -> Result<Command, Reply> {
    let (path, parameters) = path_and_parameters(rest, "TO:", &table::BAD_RECIPIENT)?;
    let forward_path =
        ForwardPath::parse(path).map_err(|error| address_reply(error, &table::BAD_RECIPIENT))?;
    let mut recipient = Recipient::new(forward_path);
    let mut seen = Seen::default();
    for (key, value) in parameters {
        seen.once(key)?;
        match (key.to_ascii_uppercase().as_str(), value) {
            ("NOTIFY", Some(value)) => recipient.notify = Some(notify(value)?),
            ("ORCPT", Some(value)) => recipient.orcpt = Some(orcpt(value)?),
            _ => return Err(table::BAD_PARAMETER),
        }
    }
    Ok(Command::Rcpt(Box::new(recipient)))
}

fn address_reply(error: AddressError, syntax: &Reply) -> Reply {
    match error {
        AddressError::LocalPartTooLong | AddressError::DomainTooLong | AddressError::PathTooLong => {
            syntax.clone().with_text(error.to_string())
        }
        AddressError::NotUtf8 => table::ADDRESS_NOT_UTF8,
        _ => syntax.clone(),
    }
}

type Parameter<'a> = (&'a str, Option<&'a str>);

/// `FROM:<path> KEY=value KEY` → the path with its brackets, and the parameters (RFC 5321 §4.1.2).
fn path_and_parameters<'a>(
    rest: &'a [u8],
    tag: &str,
    syntax: &Reply,
) -> Result<(&'a str, impl Iterator<Item = Parameter<'a>> + use<'a>), Reply> {
    let text = std::str::from_utf8(rest).map_err(|_| table::ADDRESS_NOT_UTF8)?;
    let head =
        text.get(..tag.len()).filter(|head| head.eq_ignore_ascii_case(tag)).ok_or_else(|| syntax.clone())?;
    // A space after the colon is no grammar, but common and without danger.
    let text = text[head.len()..].trim_start_matches(' ');
    let end = end_of_path(text).ok_or_else(|| syntax.clone())?;
    let (path, parameters) = text.split_at(end);
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(syntax.clone());
    }
    let parameters =
        parameters.split(' ').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        });
    Ok((path, parameters))
}

/// After the `>` that closes the path; one inside quotes doesn't.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' if at == 0 => {}
            _ if at == 0 => return None,
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A parameter stands once at most (RFC 5321 §4.1.1.11).
#[derive(Default)]
struct Seen<'a>(Vec<&'a str>);

impl<'a> Seen<'a> {
    fn once(&mut self, key: &'a str) -> Result<(), Reply> {
        if self.0.len() > 10 || self.0.iter().any(|seen| seen.eq_ignore_ascii_case(key)) {
            return Err(table::BAD_ARGUMENTS);
        }
        self.0.push(key);
        Ok(())
    }
}

fn body(value: &str) -> Result<Body, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBitMime),
        "BINARYMIME" => Ok(Body::BinaryMime),
        _ => Err(table::BAD_ARGUMENTS),
    }
}

fn ret(value: &str) -> Result<Ret, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok(Ret::Full),
        "HDRS" => Ok(Ret::Hdrs),
        _ => Err(table::BAD_ARGUMENTS),
    }
}

/// RFC 3461 §4.1: NEVER stands alone.
fn notify(value: &str) -> Result<Notify, Reply> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(Notify::NEVER);
    }
    let mut notify = Notify::NEVER;
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(table::BAD_ARGUMENTS),
        }
    }
    Ok(notify)
}

/// RFC 3461 §4.2; up to 500 octets.
fn orcpt(value: &str) -> Result<Orcpt, Reply> {
    let (address_type, address) =
        value.split_once(';').filter(|_| value.len() <= 500).ok_or(table::BAD_ARGUMENTS)?;
    let legal = !address_type.is_empty()
        && address_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // RFC 6533 §3: a utf-8 address may come in other encodings than xtext; it is kept as it stands.
    let decoded = if address_type.eq_ignore_ascii_case("utf-8") {
        Some(address.to_owned()).filter(|text| !text.chars().any(char::is_control))
    } else {
        from_xtext(address)
    };
    match decoded {
        Some(address) if legal && !address.is_empty() => {
            Ok(Orcpt { address_type: address_type.into(), address: address.into() })
        }
        _ => Err(table::BAD_ARGUMENTS),
    }
}

/// XCLIENT and XFORWARD share one grammar; names that we have no use for are read past.
fn attributes(rest: &[u8]) -> Result<Attributes, Reply> {
    let text = std::str::from_utf8(rest).map_err(|_| table::BAD_ARGUMENTS)?;
    let mut found = Attributes::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').ok_or(table::BAD_ARGUMENTS)?;
        let value = from_xtext(value).filter(|value| value.len() <= 255).ok_or(table::BAD_ARGUMENTS)?;
        let known =
            !value.eq_ignore_ascii_case("[UNAVAILABLE]") && !value.eq_ignore_ascii_case("[TEMPUNAVAIL]");
        let word = || Some(value.as_str()).filter(|_| known).map(Box::from);
        match key.to_ascii_uppercase().as_str() {
            "NAME" => found.name = word(),
            "HELO" => found.helo = word(),
            "PROTO" => found.protocol = word(),
            "IDENT" => found.ident = word(),
            "ADDR" if known => found.address = Some(address(&value)?),
            "PORT" if known => found.port = Some(value.parse().map_err(|_| table::BAD_ARGUMENTS)?),
            "ADDR" | "PORT" | "SOURCE" | "LOGIN" | "DESTADDR" | "DESTPORT" => {}
            _ => return Err(table::BAD_ARGUMENTS),
        }
    }
    Ok(found)
}

/// Postfix writes IPv6 addresses here as `IPV6:…`.
fn address(value: &str) -> Result<IpAddr, Reply> {
    let bare = value.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPV6:")).map_or(value, |_| &value[5..]);
    bare.parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| table::BAD_ARGUMENTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(line: &str) -> u16 {
        Command::parse(line.as_bytes()).unwrap_err().reply.code.get()
    }

    #[test]
    fn commands_with_all_their_parameters() {
        let Ok(Command::Mail(sender)) = Command::parse(
            b"mail from:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By XTXN=00112233445566778899aabbccddeeff",
        ) else {
            panic!("refused")
        };
        assert_eq!((sender.size, sender.body, sender.smtputf8), (Some(10), Body::EightBitMime, true));
        assert_eq!((sender.ret, sender.envid.as_deref()), (Some(Ret::Hdrs), Some("x+y")));
        assert_eq!(sender.transaction.unwrap().to_string(), "00112233445566778899aabbccddeeff");
        let Ok(Command::Rcpt(recipient)) =
            Command::parse(b"RCPT TO: <\"a>b\"@c.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z")
        else {
            panic!("refused")
        };
        assert_eq!(recipient.forward_path.to_string(), "<\"a>b\"@c.example>");
        assert_eq!(recipient.notify.unwrap().to_string(), "SUCCESS,DELAY");
        assert_eq!(&*recipient.orcpt.unwrap().address, "x+y@z");
    }

    #[test]
    fn a1_a3_a5_what_is_refused_and_how() {
        for (line, expected) in [
            ("MAIL FROM:a@b.example", 501),
            ("MAIL FROM:<a@b.example>SIZE=1", 501),
            ("MAIL FROM:<a@b.example> SIZE=1 size=2", 501),
            ("MAIL FROM:<a@b.example> SIZE=999999999999999999999", 501),
            ("MAIL FROM:<a@b.example> SIZE=-1", 501),
            ("MAIL FROM:<a@b.example> AUTH=<>", 555),
            ("MAIL FROM:<a@b.example> ENVID=+0D+0A", 501),
            ("MAIL FROM:<é@b.example>", 553),
            ("RCPT TO:<>", 501),
            ("RCPT TO:<a@b@c.example>", 501),
            ("RCPT TO:<other!user@>", 501),
            ("RCPT TO:<a@b.example> NOTIFY=NEVER,SUCCESS", 501),
            ("RCPT TO:<a@b.example> ORCPT=rfc822;a+00", 501),
            ("RCPT FROM:<a@b.example>", 501),
            ("BDAT", 501),
            ("BDAT -1", 501),
            ("BDAT 0x10", 501),
            ("BDAT 1 last ", 501),
            ("BDAT 1 LASTX", 501),
            ("BDAT 18446744073709551616", 501),
            ("DATA now", 501),
            ("QUIT now", 501),
            ("STARTTLS now", 501),
            ("EHLO", 501),
            ("EHLO a b", 501),
            ("EHLO a\u{1b}[0m", 501),
            ("XCLIENT ADDR=x", 501),
            ("XCLIENT HELO=+0D+0A", 501),
            ("FOO", 500),
            ("", 500),
        ] {
            assert_eq!(code(line), expected, "{line}");
        }
        assert_eq!(Command::parse(b"MAIL FROM:<\xff@b.example>").unwrap_err().reply.code.get(), 553);
    }

    #[test]
    fn a4_shell_characters_are_only_data() {
        for line in [
            "MAIL FROM:<\";id;\"@x.example>",
            "MAIL FROM:<`id`@x.example>",
            "MAIL FROM:<\"x'/**/UNION\"@a.example>",
        ] {
            assert!(Command::parse(line.as_bytes()).is_ok(), "{line}");
        }
        assert_eq!(code("MAIL FROM:<;id;@x>"), 501);
    }

    #[test]
    fn attributes_of_the_client_behind() {
        let Ok(Command::Xforward(found)) =
            Command::parse(b"XFORWARD NAME=[UNAVAILABLE] ADDR=IPv6:::ffff:192.0.2.1 PORT=25 HELO=a.example PROTO=ESMTP SOURCE=REMOTE")
        else {
            panic!("refused")
        };
        assert_eq!(found.address, Some("192.0.2.1".parse().unwrap()));
        assert_eq!((found.name, found.port, found.helo.as_deref()), (None, Some(25), Some("a.example")));
    }

    #[test]
    fn t10_other_protocols_are_known_at_the_first_byte() {
        for text in [&b"GET / HTTP/1.1"[..], b"post /", b"\x16\x03\x01", b"\x80\x01", b"Host: a"] {
            assert!(is_another_protocol(text));
        }
        assert!(!is_another_protocol(b"EHLO a") && !is_another_protocol(b""));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&line);
            for head in ["MAIL FROM:<", "RCPT TO:<", "XFORWARD ", "BDAT "] {
                let _ = Command::parse(&[head.as_bytes(), &line].concat());
            }
        }
    }
}
