//! Peers that are out of step, or do not speak SMTP at all: nothing they say counts as success.

use super::*;
use crate::client::Loss;
use crate::envelope::TransactionId;

const ENVELOPE: &str = "C: MAIL *\nC: RCPT *\nC: DATA\n";

#[tokio::test(start_paused = true)]
async fn p1_p2_a_peer_out_of_step_has_taken_nothing() {
    for (what, answers, told_why) in [
        ("354 to RCPT", "S: 250 Ok\nS: 354 go", "lost rcpt before the dot: the peer is out of step"),
        ("354 to MAIL", "S: 354 go", "lost mail before the dot: the peer is out of step"),
        (
            "250 to DATA",
            "S: 250 Ok\nS: 250 Ok\nS: 250 Ok",
            "lost data before the dot: the peer is out of step",
        ),
        (
            "250 behind the 354",
            "S: 250 Ok\nS: 250 Ok\nS: 354 go\nS: 250 took it",
            "lost data before the dot: the peer is out of step",
        ),
        (
            "half a 250 behind the 354",
            "S: 250 Ok\nS: 250 Ok\nS: 354 go\nS: 250-",
            "lost data before the dot: the peer is out of step",
        ),
        (
            "354 to the dot",
            "S: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 354 more",
            "lost end_of_data after the dot: the peer is out of step",
        ),
        (
            "two answers to the dot",
            "S: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 250 Ok\nS: 250 Ok",
            "lost end_of_data after the dot: the peer is out of step",
        ),
        (
            "even a refusal, with one more answer",
            "S: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 550 Ok\nS: 250 Ok",
            "lost end_of_data after the dot: the peer is out of step",
        ),
        (
            "no code",
            "S: hello",
            "lost mail before the dot: not a reply: no reply code at the start of a line",
        ),
        (
            "999",
            "S: 250 Ok\nS: 999 Ok",
            "lost rcpt before the dot: not a reply: no reply code at the start of a line",
        ),
        (
            "mixed codes",
            "S: 250-a\nS: 251 b",
            "lost mail before the dot: not a reply: its lines carry different codes",
        ),
    ] {
        let dialogue = format!("{ENVELOPE}{answers}");
        let seen = hand_over(&Mail::to(1), Protocol::Smtp, "PIPELINING", &dialogue, 64 << 10).await;
        assert_eq!(told(&seen.outcome), [told_why], "{what}");
        assert!(!seen.is_reusable && seen.outcome.recipients[0].is_transient(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn p2_an_answer_before_the_last_octet_is_none() {
    let body = b"line\r\n".repeat(1000);
    let dotted = format!("{ENVELOPE}S: 250 Ok\nS: 250 Ok\nS: 354 go\n+ 300\nS: 250 2.0.0 took it\n+ 1");
    let whole = "C: MAIL *\nC: RCPT *\nC: BDAT *\n+ 300\nS: 250 Ok\nS: 250 Ok\nS: 250 2.0.0 took it\n+ 1";
    for (transfer, dialogue, stage) in
        [(Transfer::Data, dotted.as_str(), "end_of_data"), (Transfer::Whole, whole, "bdat")]
    {
        let mut mail = Mail::to(1).over(transfer).with_content(body.clone());
        mail.sender.transaction = Some(TransactionId(1));
        let seen = hand_over(&mail, Protocol::Smtp, EVERYTHING, dialogue, 100).await;
        assert_eq!(told(&seen.outcome), [format!("lost {stage} before the dot: the peer is out of step")]);
        assert!(!seen.is_reusable);
    }
}

#[tokio::test(start_paused = true)]
async fn content_is_asked_for_though_nobody_is_welcome() {
    for answer in ["554 5.5.1 no valid recipients", "250 2.0.0 took it"] {
        let dialogue = format!(
            "C: MAIL *\nC: RCPT *\nC: RCPT *\nC: DATA\nS: 250 Ok\nS: 550 a\nS: 450 b\nS: 354 go\n.\nS: {answer}"
        );
        let seen = hand_over(&Mail::to(2), Protocol::Smtp, "PIPELINING", &dialogue, 64 << 10).await;
        // RFC 2920 §3.1: a lone dot, and whatever is said to it is for nobody.
        assert_eq!(seen.played.contents, [&b""[..]]);
        assert_eq!(told(&seen.outcome), ["refused rcpt 550 a", "refused rcpt 450 b"]);
        assert!(seen.is_reusable);
    }
}

#[tokio::test(start_paused = true)]
async fn at_421_the_channel_is_closing() {
    for (what, answers, verdicts) in [
        ("to MAIL", "S: 421 4.3.2 bye", ["refused mail 421 4.3.2 bye"; 2]),
        (
            "to the second RCPT",
            "S: 250 Ok\nS: 550 who\nS: 421 bye",
            ["refused rcpt 550 who", "refused rcpt 421 bye"],
        ),
        (
            "behind the 354",
            "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\nS: 421 bye",
            ["refused data 421 bye"; 2],
        ),
        (
            "to the dot",
            "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 421 bye",
            ["refused end_of_data 421 bye"; 2],
        ),
        (
            "after the 250",
            "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 250 Ok\nS: 421 bye",
            ["accepted 250 Ok"; 2],
        ),
        (
            "after the 250, half",
            "S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 250 Ok\nS: 421-bye",
            ["accepted 250 Ok"; 2],
        ),
    ] {
        let dialogue = format!("C: MAIL *\nC: RCPT *\nC: RCPT *\nC: DATA\n{answers}\nX");
        let seen = hand_over(&Mail::to(2), Protocol::Smtp, "PIPELINING", &dialogue, 64 << 10).await;
        assert_eq!(told(&seen.outcome), verdicts, "{what}");
        assert!(!seen.is_reusable, "{what}");
        assert_eq!(seen.outcome.lost, Some(Loss::Closing), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_while_idle_ends_the_connection() {
    for (what, last_words) in [("talks", "S: 421 4.4.2 idle\n="), ("hangs up", "X")] {
        let (ours, theirs) = duplex(64 << 10);
        let script = format!("{}{last_words}", hello(Protocol::Smtp, "PIPELINING"));
        let client = async {
            let mut connection =
                Connection::over(Stream::Memory(ours), &options(Protocol::Smtp)).await.unwrap();
            // The peer's next words are on their way; once they are here, the connection is not idle.
            let mut idle = connection.is_idle();
            while idle {
                tokio::task::yield_now().await;
                idle = connection.is_idle();
            }
            assert!(!connection.is_reusable(), "{what}");
            told(&Mail::to(1).deliver(&mut connection).await)
        };
        let (verdicts, _) = tokio::join!(client, play(theirs, &script));
        assert_eq!(verdicts, ["lost mail before the dot: the peer closed the connection"], "{what}");
    }
}
