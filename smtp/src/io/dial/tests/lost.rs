//! Connections that end too early, and peers that say nothing: what is known of the mail then.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::envelope::TransactionId;

#[tokio::test(start_paused = true)]
async fn p3_the_end_of_a_connection_is_told_with_where_it_came() {
    let smtp = |dialogue: &str| (Protocol::Smtp, Transfer::Data, dialogue.to_owned());
    let whole = |dialogue: &str| (Protocol::Smtp, Transfer::Whole, dialogue.to_owned());
    let envelope = "C: MAIL *\nC: RCPT *\nC: RCPT *\nC: DATA\n";
    let gone = ": the peer closed the connection";
    for ((protocol, transfer, dialogue), verdicts) in [
        (smtp("X"), ["lost mail before the dot"; 2]),
        (smtp("C: MAIL *\nC: RCPT *\nX"), ["lost mail before the dot"; 2]),
        (smtp(&format!("{envelope}S: 250 Ok\nX")), ["lost rcpt before the dot"; 2]),
        (
            smtp(&format!("{envelope}S: 250 Ok\nS: 550 a\nX")),
            ["refused rcpt 550 a", "lost rcpt before the dot"],
        ),
        (smtp(&format!("{envelope}S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nX")), ["lost data before the dot"; 2]),
        (
            smtp(&format!("{envelope}S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n+ 20\nX")),
            ["lost end_of_data after the dot"; 2],
        ),
        (
            smtp(&format!("{envelope}S: 250 Ok\nS: 550 a\nS: 250 Ok\nS: 354 go\n.\nX")),
            ["refused rcpt 550 a", "lost end_of_data after the dot"],
        ),
        (whole("C: MAIL *\nC: RCPT *\nC: RCPT *\nC: BDAT *\n+\nX"), ["lost mail after the dot"; 2]),
        (
            whole("C: MAIL *\nC: RCPT *\nC: RCPT *\nC: BDAT *\n+\nS: 250 Ok\nS: 250 Ok\nS: 250 Ok\nX"),
            ["lost bdat after the dot"; 2],
        ),
        (
            (
                Protocol::Lmtp,
                Transfer::Data,
                format!("{envelope}S: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n.\nS: 250 kept\nX"),
            ),
            ["accepted 250 kept", "lost end_of_data after the dot"],
        ),
    ] {
        let mut mail = Mail::to(2).over(transfer);
        mail.sender.transaction = Some(TransactionId(1));
        let seen = hand_over(&mail, protocol, EVERYTHING, &dialogue, 64 << 10).await;
        let with_reason = |verdict: &str| {
            if verdict.starts_with("lost") { format!("{verdict}{gone}") } else { verdict.to_owned() }
        };
        assert_eq!(told(&seen.outcome), verdicts.map(with_reason), "{dialogue}");
        assert!(!seen.is_reusable);
        let is_ambiguous = verdicts.iter().any(|verdict| verdict.contains("after the dot"));
        assert_eq!(seen.outcome.is_ambiguous(), is_ambiguous, "{dialogue}");
    }
}

/// While octets of the content are still here, the peer can't have all of it.
#[tokio::test(start_paused = true)]
async fn p3_lost_amid_the_content_is_not_ambiguous() {
    let body = b"line\r\n".repeat(1000);
    for (transfer, dialogue, stage) in [
        (
            Transfer::Data,
            "C: MAIL *\nC: RCPT *\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n+ 500\nX",
            "end_of_data",
        ),
        (Transfer::Chunk, "C: MAIL *\nC: RCPT *\nS: 250 Ok\nS: 250 Ok\nC: BDAT *\n+ 500\nX", "bdat"),
        (Transfer::Whole, "C: MAIL *\nC: RCPT *\nC: BDAT *\n+ 500\nX", "mail"),
    ] {
        let mut mail = Mail::to(1).over(transfer).with_content(body.clone());
        mail.sender.transaction = Some(TransactionId(1));
        let seen = hand_over(&mail, Protocol::Smtp, EVERYTHING, dialogue, 100).await;
        let verdict = told(&seen.outcome).remove(0);
        assert!(verdict.starts_with(&format!("lost {stage} before the dot")), "{verdict}");
        assert!(!seen.outcome.is_ambiguous() && !seen.is_reusable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_up_amid_the_content_is_heard() {
    let mail = Mail::to(1).with_content(b"line\r\n".repeat(1000));
    let dialogue =
        "C: MAIL *\nC: RCPT *\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 go\n+ 500\nS: 421 4.3.1 disk full\nX";
    let seen = hand_over(&mail, Protocol::Smtp, "PIPELINING", dialogue, 100).await;
    assert_eq!(told(&seen.outcome), ["refused end_of_data 421 4.3.1 disk full"]);
}

#[tokio::test(start_paused = true)]
async fn p3_each_answer_is_waited_for_as_long_as_the_rfc_says() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let envelope = "C: MAIL *\nC: RCPT *\nC: DATA\n";
    let lost = |stage: &str, when: &str| format!("lost {stage} {when} the dot: timed out");
    for (dialogue, verdict, waited) in [
        (envelope.to_owned(), lost("mail", "before"), minutes(5)),
        (format!("{envelope}S: 250 Ok"), lost("rcpt", "before"), minutes(5)),
        (format!("{envelope}S: 250 Ok\nS: 250 Ok"), lost("data", "before"), minutes(2)),
        (format!("{envelope}S: 250 Ok\nS: 250 Ok\nS: 354 go\n."), lost("end_of_data", "after"), minutes(10)),
    ] {
        let begun = Instant::now();
        let seen = hand_over(&Mail::to(1), Protocol::Smtp, "PIPELINING", &dialogue, 64 << 10).await;
        assert_eq!(told(&seen.outcome), [verdict]);
        // The clock goes by milliseconds.
        assert!(begun.elapsed().abs_diff(waited) < Duration::from_millis(10), "{:?}", begun.elapsed());
    }
    // Nobody takes the content off the wire.
    let dialogue = format!("{envelope}S: 250 Ok\nS: 250 Ok\nS: 354 go\n+ 100");
    let begun = Instant::now();
    let (ours, mut theirs) = duplex(100);
    let script = hello(Protocol::Smtp, "PIPELINING") + &dialogue;
    let client = async {
        let mut connection = Connection::over(Stream::Memory(ours), &options(Protocol::Smtp)).await.unwrap();
        told(&Mail::to(1).with_content(b"line\r\n".repeat(1000)).deliver(&mut connection).await)
    };
    let stuck = async {
        // Held open, and not read any more.
        crate::testing::play_open(&mut theirs, &script).await;
        std::future::pending::<()>().await;
    };
    let verdicts = tokio::select! {
        verdicts = client => verdicts,
        () = stuck => unreachable!("it never ends"),
    };
    assert_eq!(verdicts, [lost("end_of_data", "before")]);
    assert!(begun.elapsed().abs_diff(minutes(3)) < Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn p1_octets_that_drip_do_not_stretch_the_deadline() {
    let (ours, mut theirs) = duplex(64 << 10);
    let script = hello(Protocol::Smtp, "PIPELINING") + "C: MAIL *\nC: RCPT *\nC: DATA";
    let begun = Instant::now();
    let client = async {
        let mut connection = Connection::over(Stream::Memory(ours), &options(Protocol::Smtp)).await.unwrap();
        told(&Mail::to(1).deliver(&mut connection).await)
    };
    let dripping = async {
        crate::testing::play_open(&mut theirs, &script).await;
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut theirs, b"250-and so on\r\n").await;
        }
    };
    let verdicts = tokio::select! {
        verdicts = client => verdicts,
        () = dripping => unreachable!("it never ends"),
    };
    assert_eq!(verdicts, ["lost mail before the dot: timed out"]);
    assert!(begun.elapsed() < Duration::from_secs(301));
}
