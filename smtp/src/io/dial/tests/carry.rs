//! Messages that go through, wholly or for some: lock step, pipelined, chunked, whole, LMTP.

use super::*;
use crate::envelope::{Body, TransactionId};

fn accepted(name: &'static str, mail: Mail, offers: &'static str, dialogue: &'static str) -> Case {
    Case {
        name,
        mail,
        protocol: Protocol::Smtp,
        offers,
        dialogue,
        told: &["accepted 250 2.0.0 took it"],
        is_reusable: true,
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_through() {
    let one = || Mail::to(1);
    let mut whole = one().over(Transfer::Whole);
    whole.sender.transaction = Some(TransactionId(7));
    whole.forwarded =
        Some(Attributes { address: Some("192.0.2.1".parse().unwrap()), ..Attributes::default() });
    let mut chunked_forward = one().over(Transfer::Chunk);
    chunked_forward.forwarded = Some(Attributes { helo: Some("x".into()), ..Attributes::default() });
    let mut binary = one().with_content(&b"a\nb\r\n..c\r"[..]);
    binary.sender.body = Body::BinaryMime;
    check(vec![
        accepted(
            "lock step",
            one(),
            "",
            "C: MAIL FROM:<a@c.example>
             =
             S: 250 Ok
             C: RCPT TO:<r0@mx.example>
             =
             S: 250 Ok
             C: DATA
             =
             S: 354 go
             .
             =
             S: 250 2.0.0 took it",
        ),
        accepted(
            "pipelined",
            one(),
            "PIPELINING SIZE",
            "C: MAIL FROM:<a@c.example> SIZE=22
             C: RCPT TO:<r0@mx.example>
             C: DATA
             =
             S: 250 Ok
             S: 250 Ok
             S: 354 go
             .
             S: 250 2.0.0 took it",
        ),
        accepted(
            "chunked, in lock step",
            one().over(Transfer::Chunk),
            "CHUNKING",
            "C: MAIL FROM:<a@c.example>
             =
             S: 250 Ok
             C: RCPT TO:<r0@mx.example>
             =
             S: 250 Ok
             C: BDAT 21 LAST
             +
             S: 250 2.0.0 took it",
        ),
        accepted(
            "chunked, pipelined, with XFORWARD",
            chunked_forward,
            EVERYTHING,
            "C: XFORWARD NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] * HELO=x IDENT=[UNAVAILABLE]
             C: MAIL FROM:<a@c.example> SIZE=22
             C: RCPT TO:<r0@mx.example>
             =
             S: 250 Ok
             S: 250 Ok
             S: 250 Ok
             C: BDAT 21 LAST
             +
             S: 250 2.0.0 took it",
        ),
        accepted(
            "whole: all of it in one write",
            whole,
            EVERYTHING,
            "C: XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.1 *
             C: MAIL FROM:<a@c.example> SIZE=22 XTXN=00000000000000000000000000000007
             C: RCPT TO:<r0@mx.example>
             C: BDAT 21 LAST
             +
             =
             S: 250 Ok
             S: 250 Ok
             S: 250 Ok
             S: 250 2.0.0 took it",
        ),
        accepted(
            "whole, but the peer is none of ours: XTXN stays here, too",
            Mail {
                sender: Sender { transaction: Some(TransactionId(7)), ..one().sender },
                ..one().over(Transfer::Whole)
            },
            "PIPELINING CHUNKING",
            "C: MAIL FROM:<a@c.example>
             C: RCPT TO:<r0@mx.example>
             =
             S: 250 Ok
             S: 250 Ok
             C: DATA
             =
             S: 354 go
             .
             S: 250 2.0.0 took it",
        ),
        Case {
            name: "whole, none of ours, and one recipient is refused: nobody gets any of it",
            mail: Mail::to(2).over(Transfer::Whole),
            protocol: Protocol::Smtp,
            offers: "PIPELINING",
            dialogue: "C: MAIL FROM:<a@c.example>
             C: RCPT TO:<r0@mx.example>
             C: RCPT TO:<r1@mx.example>
             =
             S: 250 Ok
             S: 250 Ok
             S: 550 5.1.1 unknown
             =",
            told: &["local NotAll", "refused rcpt 550 5.1.1 unknown"],
            is_reusable: true,
        },
        accepted(
            "binary",
            binary,
            "CHUNKING BINARYMIME",
            "C: MAIL FROM:<a@c.example> BODY=BINARYMIME
             S: 250 Ok
             C: RCPT TO:<r0@mx.example>
             S: 250 Ok
             C: BDAT 8 LAST
             +
             S: 250 2.0.0 took it",
        ),
        accepted(
            "XFORWARD that is refused does not stop the mail",
            Mail { forwarded: Some(Attributes::default()), ..one() },
            EVERYTHING,
            "C: XFORWARD *
             C: MAIL *
             C: RCPT *
             C: DATA
             S: 550 no
             S: 250 Ok
             S: 251 will forward
             S: 354 go
             .
             S: 250 2.0.0 took it",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_content_comes_out_as_it_is() {
    let dotted = "C: MAIL *\nS: 250 Ok\nC: RCPT *\nS: 250 Ok\nC: DATA\nS: 354 go\n.\nS: 250 Ok";
    let counted = "C: MAIL *\nS: 250 Ok\nC: RCPT *\nS: 250 Ok\nC: BDAT *\n+\nS: 250 Ok";
    for (wire, as_dotted, as_counted) in [
        (
            &b"A: b\r\n\r\n..x\r\n"[..],
            &b"X: y\r\nA: b\r\n\r\n..x\r\n"[..],
            &b"X: y\r\nA: b\r\n\r\n.x\r\n"[..],
        ),
        (b"A: b\r\n\r\nno end", b"X: y\r\nA: b\r\n\r\nno end\r\n", b"X: y\r\nA: b\r\n\r\nno end"),
        (b"", b"X: y\r\n", b"X: y\r\n"),
    ] {
        for (transfer, dialogue, expected) in
            [(Transfer::Data, dotted, as_dotted), (Transfer::Chunk, counted, as_counted)]
        {
            let mut mail = Mail::to(1).over(transfer).with_content(wire);
            mail.content.prepend("X: y\r\n");
            let seen = hand_over(&mail, Protocol::Smtp, "CHUNKING", dialogue, 64 << 10).await;
            assert_eq!(seen.played.contents, [expected], "{transfer:?}");
        }
    }
    let seen = hand_over(&Mail::to(1).with_content(""), Protocol::Smtp, "", dotted, 64 << 10).await;
    assert_eq!(seen.played.contents, [&b""[..]], "nothing at all is a lone dot");
}

#[tokio::test(start_paused = true)]
async fn content_larger_than_what_the_wire_holds_goes_out_in_turns() {
    let body: Bytes = b"line\r\n".repeat(20_000).into();
    let dialogue = "C: MAIL *\nC: RCPT *\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 250 Ok";
    let seen =
        hand_over(&Mail::to(1).with_content(body.clone()), Protocol::Smtp, "PIPELINING", dialogue, 100).await;
    assert_eq!(told(&seen.outcome), ["accepted 250 Ok"]);
    assert_eq!(seen.played.contents, [body]);
}

#[tokio::test(start_paused = true)]
async fn p4_each_recipient_has_its_own_answer() {
    let pipelined = "C: MAIL *\nC: RCPT *\nC: RCPT *\nC: RCPT *\nC: DATA\n";
    let case = |name, protocol, offers, dialogue, told| Case {
        name,
        mail: Mail::to(3),
        protocol,
        offers,
        dialogue,
        told,
        is_reusable: true,
    };
    let smtp = |name, dialogue, told| case(name, Protocol::Smtp, "PIPELINING", dialogue, told);
    let mixed: String = format!(
        "{pipelined}S: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 who\nS: 450 4.2.1 later\nS: 354 go\n.\nS: 250 Ok"
    );
    let refused_late = format!(
        "{pipelined}S: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 who\nS: 250 Ok\nS: 354 go\n.\nS: 552 5.3.4 big"
    );
    let no_data =
        format!("{pipelined}S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 who\nS: 451 4.3.0 not now");
    let no_mail = format!("{pipelined}S: 550 5.7.1 not you\nS: 503 bad\nS: 503 bad\nS: 503 bad\nS: 503 bad");
    let leak = |text: String| -> &'static str { text.leak() };
    check(vec![
        smtp("some", leak(mixed), &["accepted 250 Ok", "refused rcpt 550 5.1.1 who", "refused rcpt 450 4.2.1 later"]),
        smtp(
            "none after all",
            leak(refused_late),
            &["refused end_of_data 552 5.3.4 big", "refused rcpt 550 5.1.1 who", "refused end_of_data 552 5.3.4 big"],
        ),
        smtp(
            "no to DATA",
            leak(no_data),
            &["refused data 451 4.3.0 not now", "refused data 451 4.3.0 not now", "refused rcpt 550 5.1.1 who"],
        ),
        smtp("no to MAIL is why, whatever is said to RCPT", leak(no_mail), &["refused mail 550 5.7.1 not you"; 3]),
        case(
            "LMTP answers for each",
            Protocol::Lmtp,
            "PIPELINING",
            "C: MAIL *
             C: RCPT *
             C: RCPT *
             C: RCPT *
             C: DATA
             S: 250 Ok
             S: 250 Ok
             S: 550 5.1.1 who
             S: 250 Ok
             S: 354 go
             .
             S: 250 2.0.0 kept
             S: 452 4.2.2 full",
            &["accepted 250 2.0.0 kept", "refused rcpt 550 5.1.1 who", "refused end_of_data 452 4.2.2 full"],
        ),
        case(
            "in lock step nobody is asked more than needed",
            Protocol::Smtp,
            "",
            "C: MAIL *\nS: 451 4.3.0 later\n=",
            &["refused mail 451 4.3.0 later"; 3],
        ),
        case(
            "nor is content sent for nobody",
            Protocol::Smtp,
            "",
            "C: MAIL *\nS: 250 Ok\nC: RCPT *\nS: 550 a\nC: RCPT *\nS: 550 b\nC: RCPT *\nS: 550 c\n=",
            &["refused rcpt 550 a", "refused rcpt 550 b", "refused rcpt 550 c"],
        ),
        case(
            "more than the peer takes at once",
            Protocol::Smtp,
            "LIMITS_RCPTMAX=2",
            "C: MAIL *\nS: 250 Ok\nC: RCPT *\nS: 250 Ok\nC: RCPT *\nS: 250 Ok\nC: DATA\nS: 354 go\n.\nS: 250 Ok",
            &["accepted 250 Ok", "accepted 250 Ok", "local TooManyRecipients"],
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_carries_on_and_drops_what_was_left_open() {
    let mut script = hello(Protocol::Smtp, "PIPELINING CHUNKING");
    script += "C: MAIL *
               C: RCPT *
               C: DATA
               S: 250 Ok
               S: 550 who
               S: 554 no valid recipients
               # The transaction is still open: RSET goes out with the next.
               C: RSET
               C: MAIL *
               C: RCPT *
               C: DATA
               S: 250 Ok
               S: 250 Ok
               S: 250 Ok
               S: 354 go
               .
               S: 250 Ok
               C: MAIL *
               C: RCPT *
               C: DATA
               S: 250 Ok
               S: 250 Ok
               S: 354 go
               .
               S: 550 no
               # After the end of data there is nothing to drop.
               C: MAIL *
               C: RCPT *
               C: DATA
               S: 250 Ok
               S: 250 Ok
               S: 354 go
               .
               S: 250 Ok
               C: QUIT
               S: 221 bye";
    let (ours, theirs) = duplex(64 << 10);
    let client = async {
        let mut connection = Connection::over(Stream::Memory(ours), &options(Protocol::Smtp)).await.unwrap();
        let mut all = Vec::new();
        for _ in 0..4 {
            assert!(connection.is_idle());
            all.extend(told(&Mail::to(1).deliver(&mut connection).await));
        }
        assert_eq!(connection.transactions(), 4);
        connection.quit().await;
        all
    };
    let (all, _) = tokio::join!(client, play(theirs, &script));
    assert_eq!(
        all,
        ["refused rcpt 550 who", "accepted 250 Ok", "refused end_of_data 550 no", "accepted 250 Ok"]
    );
}

#[tokio::test(start_paused = true)]
async fn a9_a10_what_a_peer_cannot_carry_is_refused_here() {
    let mail = |from: &str, smtputf8, body, wire: &'static str| {
        let mut mail = Mail::to(1).with_content(wire);
        mail.sender = Sender { smtputf8, body, ..Sender::new(ReversePath::parse(from).unwrap()) };
        mail
    };
    let plain = "S: x\r\n\r\nbody\r\n";
    let odd_header = "S: \u{e9}\r\n\r\nbody\r\n";
    let odd_body = "S: x\r\n\r\nb\u{f6}dy\r\n";
    use Body::{BinaryMime, EightBitMime, SevenBit};
    for (mail, offers, verdict) in [
        (mail("<\u{e9}@c.example>", true, SevenBit, plain), "8BITMIME", "local NeedsSmtpUtf8"),
        (mail("<a@c.example>", true, EightBitMime, odd_header), "8BITMIME", "local NeedsSmtpUtf8"),
        (
            mail("<a@c.example>", true, EightBitMime, odd_body),
            "8BITMIME",
            "MAIL FROM:<a@c.example> BODY=8BITMIME",
        ),
        (mail("<a@c.example>", true, SevenBit, plain), "", "MAIL FROM:<a@c.example>"),
        (mail("<a@c.example>", true, SevenBit, plain), "SMTPUTF8", "MAIL FROM:<a@c.example> SMTPUTF8"),
        (
            mail("<\u{e9}@c.example>", true, SevenBit, plain),
            "SMTPUTF8",
            "MAIL FROM:<\u{e9}@c.example> SMTPUTF8",
        ),
        (mail("<a@c.example>", false, EightBitMime, odd_body), "", "local NeedsEightBitMime"),
        (mail("<a@c.example>", false, SevenBit, odd_body), "", "local NeedsEightBitMime"),
        (
            mail("<a@c.example>", false, SevenBit, odd_body),
            "8BITMIME",
            "MAIL FROM:<a@c.example> BODY=8BITMIME",
        ),
        (mail("<a@c.example>", false, EightBitMime, plain), "", "MAIL FROM:<a@c.example>"),
        (mail("<a@c.example>", false, BinaryMime, plain), "8BITMIME CHUNKING", "local NeedsBinaryMime"),
        (mail("<a@c.example>", false, BinaryMime, plain), "BINARYMIME", "local NeedsBinaryMime"),
        (mail("<a@c.example>", false, SevenBit, plain), "SIZE_13", "local TooBig"),
        (mail("<a@c.example>", false, SevenBit, plain), "SIZE_14", "MAIL FROM:<a@c.example> SIZE=14"),
        (mail("<a@c.example>", false, SevenBit, plain), "SIZE_0", "MAIL FROM:<a@c.example> SIZE=14"),
        // A stuffed dot is not part of the message.
        (mail("<a@c.example>", false, SevenBit, "..\r\n"), "SIZE_3", "MAIL FROM:<a@c.example> SIZE=4"),
    ] {
        let dialogue = if verdict.starts_with("local") { "=" } else { "C: MAIL *\nS: 550 no" };
        let seen = hand_over(&mail, Protocol::Smtp, offers, dialogue, 64 << 10).await;
        let said = seen.played.lines.get(1).cloned();
        assert_eq!(said.unwrap_or_else(|| told(&seen.outcome).remove(0)), verdict, "{offers}");
        assert!(seen.is_reusable && seen.outcome.recipients[0].is_permanent());
    }
}
