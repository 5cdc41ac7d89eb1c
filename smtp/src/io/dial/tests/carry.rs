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
