//! Replies as they come, and what is none.

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
    let replies = read(
        b"250 2.1.0 Ok\r\n354\r\n550-5.1.1 No\r\n550 5.1.1 body here\r\n220 mx 4.0.0\r\n451 5.0.0 odd\r\n2",
    )
    .unwrap();
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
        [[b"250-".as_slice(), &[b'a'; 994], b"\r\n"].concat().repeat(count), b"250 x\r\n".to_vec()].concat()
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
        priority: true,
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
        xclient: true,
        priority: true,
        xtxn: true,
        xhold: true,
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
