//! Messages that go through for some recipients only, or that this peer cannot carry.

use super::*;
use crate::envelope::Body;

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
