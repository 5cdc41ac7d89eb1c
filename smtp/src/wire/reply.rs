//! Replies: bytes → [`Reply`], and the reply to EHLO → [`Extensions`] (RFC 5321 §4.2, §4.1.1.1).
//!
//! Strict and bounded, for a peer may be broken or hostile: a line ends at CR LF and nowhere else, a code is one
//! that the grammar knows, all lines of a reply carry the same one, and a reply is 100 lines and 64 KiB at most.
//! What is left is text, and made printable before anybody logs it or reports it.

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
            "SIZE" => offered.size = Some(size(words.next())),
            "LIMITS" => offered.recipients = words.find_map(recipients),
            "XFORWARD" => offered.xforward = takes_xforward(words),
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
fn takes_xforward<'a>(offered: impl Iterator<Item = &'a str>) -> bool {
    const SENT: [&str; 6] = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT"];
    let offered: Vec<&str> = offered.collect();
    SENT.iter().all(|sent| offered.iter().any(|attribute| attribute.eq_ignore_ascii_case(sent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::Offer;
    use crate::reply::table;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Vec<Reply>, ReplyError> {
        let (mut parser, mut input, mut found) = (ReplyParser::default(), BytesMut::from(text), Vec::new());
        while let Some(reply) = parser.take(&mut input)? {
            found.push(reply);
        }
        Ok(found)
    }

    #[test]
    fn replies_as_they_come() {
        let replies = read(b"250 2.1.0 Ok\r\n354\r\n550-5.1.1 No\r\n550 5.1.1 body here\r\n220 mx 4.0.0\r\n451 5.0.0 odd\r\n2").unwrap();
        let seen: Vec<String> = replies.iter().map(ToString::to_string).collect();
        assert_eq!(seen, ["250 2.1.0 Ok", "354 ", "550 5.1.1 No body here", "220 mx 4.0.0", "451 5.0.0 odd"]);
        assert_eq!(replies[2].text, "No\nbody here");
        // A status of another class than the code is text.
        assert_eq!(replies[4].status, None);
    }

    #[test]
    fn p1_what_is_no_reply() {
        let long_line = [b"250 ".as_slice(), &[b'a'; MAX_OCTETS]].concat();
        let lines = |count: usize| [b"250-x\r\n".repeat(count), b"250 x\r\n".to_vec()].concat();
        let wide = |count: usize| {
            [[b"250-".as_slice(), &[b'a'; 994], b"\r\n"].concat().repeat(count), b"250 x\r\n".to_vec()]
                .concat()
        };
        let table: [(&[u8], ReplyError); 15] = [
            (b"999 x\r\n", ReplyError::NoCode),
            (b"600 x\r\n", ReplyError::NoCode),
            (b"150 x\r\n", ReplyError::NoCode),
            (b"260 x\r\n", ReplyError::NoCode),
            (b"25 x\r\n", ReplyError::NoCode),
            (b"2500 x\r\n", ReplyError::NoCode),
            (b" 250 x\r\n", ReplyError::NoCode),
            (b"\r\n", ReplyError::NoCode),
            (b"HTTP/1.1 200 OK\r\n", ReplyError::NoCode),
            (b"250-a\r\n251 b\r\n", ReplyError::MixedCodes),
            (b"250 a\n", ReplyError::BareLineFeed),
            (b"250-a\r\n250 b\n250 c\r\n", ReplyError::BareLineFeed),
            (&long_line, ReplyError::TooLong),
            (&lines(1_000_000), ReplyError::TooLong),
            (&wide(66), ReplyError::TooLong),
        ];
        for (text, error) in table {
            assert_eq!(read(text), Err(error), "{:?}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        }
        assert_eq!(read(&lines(MAX_LINES - 1)).unwrap().len(), 1);
        assert_eq!(read(&lines(MAX_LINES)), Err(ReplyError::TooLong));
        assert_eq!(read(&wide(65)).unwrap().len(), 1);
        // Never an end: nothing comes out, and nothing is kept over the limit.
        assert_eq!(read(b"250-a\r\n250-b\r\n"), Ok(vec![]));
    }

    #[test]
    fn b4_text_is_made_harmless() {
        let reply = &read(b"550 5.1.1 a\0b\x1b[2J\rc \xff\xc2\x9b\r\n").unwrap()[0];
        assert_eq!(reply.text, "a?b?[2J?c \u{fffd}?");
    }

    fn offers(lines: &str) -> Extensions {
        extensions(&table::HELLO.with_text(format!("mx.example\n{lines}")))
    }

    #[test]
    fn what_a_peer_offers() {
        let offer = Offer {
            size: 52_428_800,
            recipients: 1000,
            starttls: true,
            require_tls: false,
            xclient: true,
            xforward: true,
            xtxn: true,
        };
        let everything = extensions(&table::HELLO.with_text(offer.ehlo_text("mx.example", "c.example")));
        let all = Extensions {
            pipelining: true,
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            chunking: true,
            binary_mime: true,
            dsn: true,
            starttls: true,
            size: Some(Some(52_428_800)),
            recipients: Some(1000),
            xforward: true,
            xtxn: true,
        };
        assert_eq!(everything, all);
        assert_eq!(
            offers("pipelining\n X-UNKNOWN 1\n"),
            Extensions { pipelining: true, ..Extensions::default() }
        );
        // The first line is a name, whatever it says.
        assert_eq!(extensions(&table::HELLO.with_text("PIPELINING")), Extensions::default());
    }

    #[test]
    fn p1_a_size_that_nobody_can_mean_is_no_limit() {
        for (text, limit) in [
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE 99999999999999999999999", None),
            ("SIZE -1", None),
            ("SIZE 10MB", None),
            ("SIZE 1000", Some(1000)),
        ] {
            assert_eq!(offers(text).size, Some(limit), "{text}");
        }
        for (text, most) in [
            ("LIMITS MAILMAX=2 RCPTMAX=20", Some(20)),
            ("LIMITS RCPTMAX=0", None),
            ("LIMITS RCPTMAX=9999999", None),
        ] {
            assert_eq!(offers(text).recipients, most, "{text}");
        }
        assert!(!offers("XFORWARD NAME ADDR").xforward);
    }

    const KEYWORDS: [&str; 8] = [
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "BINARYMIME",
        "DSN",
        "STARTTLS",
    ];

    proptest! {
        #[test]
        fn p1_replies_do_not_depend_on_how_the_wire_cuts(text in "([2-5][0-5][0-9][ -][a.0-9]{0,9}\r\n|[a25\\- \r\n]{0,3}){0,8}", cuts in proptest::collection::vec(0usize..80, 0..5)) {
            let whole = read(text.as_bytes());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut parser, mut input, mut found, mut from) = (ReplyParser::default(), BytesMut::new(), Vec::new(), 0);
            let mut result = Ok(());
            'cuts: for cut in cuts {
                input.extend_from_slice(&text.as_bytes()[from..cut]);
                from = cut;
                loop {
                    match parser.take(&mut input) {
                        Ok(Some(reply)) => found.push(reply),
                        Ok(None) => break,
                        Err(error) => {
                            result = Err(error);
                            break 'cuts;
                        }
                    }
                }
            }
            prop_assert_eq!(result.map(|()| found), whole);
        }

        #[test]
        fn p1_no_octets_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(replies) = read(&text) {
                for reply in replies {
                    prop_assert!(!reply.text.contains('\r'));
                }
            }
        }

        #[test]
        fn it_reads_what_the_server_writes((first, second, third) in (2u16..6, 0u16..6, 0u16..10), text in "[ -~]{0,20}(\n[ -~]{0,20}){0,3}") {
            let code = ReplyCode::new(100 * first + 10 * second + third).unwrap();
            let reply = Reply { code, status: None, text: text.into() };
            prop_assume!(reply.text.split('\n').all(|line| EnhancedStatus::split_from(line).is_none()));
            let mut wire = Vec::new();
            reply.write_to(&mut wire);
            prop_assert_eq!(read(&wire), Ok(vec![reply]));
        }

        /// Another parser of EHLO agrees on every keyword that both know, sizes that it can count among them.
        #[test]
        fn another_parser_sees_the_same_offers(keywords in proptest::sample::subsequence(KEYWORDS.to_vec(), 0..=KEYWORDS.len()), octets in 1u64..1_000_000_000_000) {
            use smtp_proto::{EXT_8BIT_MIME, EXT_BINARY_MIME, EXT_CHUNKING, EXT_DSN, EXT_ENHANCED_STATUS_CODES, EXT_PIPELINING, EXT_SIZE, EXT_SMTP_UTF8, EXT_START_TLS};
            let text = format!("mx.example\n{}\nSIZE {octets}\nHELP", keywords.join("\n"));
            let reply = table::HELLO.with_text(text);
            let mut wire = Vec::new();
            reply.write_to(&mut wire);
            let theirs = smtp_proto::EhloResponse::parse(&mut wire.iter()).unwrap();
            let ours = extensions(&read(&wire).unwrap()[0]);
            for (offered, capability) in [
                (ours.pipelining, EXT_PIPELINING),
                (ours.eight_bit_mime, EXT_8BIT_MIME),
                (ours.smtputf8, EXT_SMTP_UTF8),
                (ours.enhanced_status_codes, EXT_ENHANCED_STATUS_CODES),
                (ours.chunking, EXT_CHUNKING),
                (ours.binary_mime, EXT_BINARY_MIME),
                (ours.dsn, EXT_DSN),
                (ours.starttls, EXT_START_TLS),
                (ours.size.is_some(), EXT_SIZE),
            ] {
                prop_assert_eq!(offered, theirs.has_capability(capability));
            }
            prop_assert_eq!(ours.size, Some(Some(theirs.size as u64)));
        }
    }
}
