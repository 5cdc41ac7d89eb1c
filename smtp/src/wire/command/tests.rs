use super::*;
use crate::envelope::{Body, Ret};
use crate::priority::Priority;
use proptest::prelude::*;

fn code(line: &str) -> u16 {
    Command::parse(line.as_bytes()).unwrap_err().reply.code.get()
}

#[test]
fn commands_with_all_their_parameters() {
    let Ok(Command::Mail(sender)) = Command::parse(
        b"mail from:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By MT-PRIORITY=-4 XTXN=00112233445566778899aabbccddeeff",
    ) else {
        panic!("refused")
    };
    assert_eq!((sender.size, sender.body, sender.smtputf8), (Some(10), Body::EightBitMime, true));
    assert_eq!((sender.ret, sender.envid.as_deref()), (Some(Ret::Hdrs), Some("x+y")));
    assert_eq!(sender.priority, Priority::new(-4));
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
        ("MAIL FROM:<a@b.example> MT-PRIORITY=10", 501),
        ("MAIL FROM:<a@b.example> MT-PRIORITY", 555),
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
