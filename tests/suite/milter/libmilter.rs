//! A program over Sendmail's libmilter, for every event and every answer.

use bytes::Bytes;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::edits::{Edited, unstuffed};
use switchyard_milter_protocol::event::{Event, Path};
use switchyard_milter_protocol::io::client::{By, Outcome, Session, Verdict};
use switchyard_tests::expect;
use switchyard_tests::peer::milter::Filter;

use super::clients::{greet, mail, message, pool};

/// A message whose sender tells the filter what to do; the outcome of its end, or the first that is no "go on".
async fn ask(session: &mut Session, what: &str, wire: &[u8]) -> Outcome {
    let sender = Path { path: format!("<{what}@example.org>").into(), arguments: vec!["SIZE=10".into()] };
    let recipient = Path::new("<bob@example.org>");
    for event in [Event::EnvFrom(sender), Event::EnvRcpt(recipient), Event::Data] {
        let outcome = session.tell(event).await;
        if outcome.verdict != Verdict::GoOn {
            session.abort();
            return outcome;
        }
    }
    let outcome = session.message(&message(wire)).await;
    assert_eq!(outcome.by, By::Filter, "{outcome:?}");
    session.abort();
    outcome
}

async fn began(filter: &Filter) -> Session {
    let mut session = Session::new(pool(filter));
    greet(&mut session).await;
    session.abort();
    session
}

#[tokio::test]
async fn every_event_arrives_as_it_was_told() {
    let filter = Filter::libmilter();
    let mut session = began(&filter).await;
    session.macros().set("msg_id", "<1@example.org>");
    session.tell(Event::Unknown("TURN".into())).await;
    assert!(ask(&mut session, "accept", b"Subject: a\r\n b\r\nTo:c\r\n\r\nbody\r\n").await.edits.is_empty());
    session.close();
    let told = expect::until("the end of the session", || {
        let told = filter.told();
        // One of them is the end of the look whether it listens.
        (told.iter().filter(|line| *line == "close").count() == 2).then_some(told)
    });
    let told: Vec<String> = told.into_iter().filter(|line| line != "close").collect();
    let expected = [
        "connect client.example",
        "helo client.example",
        "envfrom <ann@example.org>",
        "macro 4Xyz",
        "envrcpt <bob@example.net>",
        "data",
        "abort",
        "unknown TURN",
        "envfrom <accept@example.org>",
        "argument SIZE=10",
        "macro 4Xyz",
        "envrcpt <bob@example.org>",
        "data",
        "header Subject| a~ b",
        "header To|c",
        "eoh",
        "body 6",
        "eom <1@example.org>",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn every_verdict_is_understood_and_the_next_message_is_asked_about_again() {
    let filter = Filter::libmilter();
    let mut session = began(&filter).await;
    for (what, expected) in [
        ("reject", "reject"),
        ("tempfail", "tempfail"),
        ("discard", "discard"),
        ("reply", "reply"),
        ("at-envfrom-reject", "reject"),
        ("at-data-discard", "discard"),
        ("at-envfrom-shutdown", "reply"),
        ("skip", "go_on"),
        ("accept", "go_on"),
    ] {
        let outcome = ask(&mut session, what, &mail(&"x\r\n".repeat(100_000))).await;
        assert_eq!(outcome.verdict.as_str(), expected, "{what}");
        if what == "reply" {
            let Verdict::Reply(reply) = outcome.verdict else { panic!("{outcome:?}") };
            assert_eq!((reply.code(), reply.status()), (554, Some((5, 7, 1))));
            assert_eq!(reply.lines().collect::<Vec<_>>(), ["one", "two is 100%", "three"]);
        }
    }
    let told = filter.told();
    let skipped =
        told.iter().position(|line| line.starts_with("envfrom <skip@")).expect("the skipping message");
    let chunks = told.iter().skip(skipped).take_while(|line| !line.starts_with("eom"));
    assert_eq!(chunks.filter(|line| line.starts_with("body")).count(), 1);
}

#[tokio::test]
async fn recipients_are_refused_one_by_one_and_ours_are_told_if_wanted() {
    let filter = Filter::libmilter();
    let mut session = began(&filter).await;
    session.tell(Event::EnvFrom(Path::new("<ann@example.org>"))).await;
    for (path, expected) in [
        ("<no@example.org>", Verdict::Reject),
        ("<later@example.org>", Verdict::Tempfail),
        ("<b@c>", Verdict::GoOn),
    ] {
        assert_eq!(session.tell(Event::EnvRcpt(Path::new(path))).await.verdict, expected);
    }
    assert!(session.wants_rejected_recipients());
    session.macros().set("rcpt_mailer", "error");
    session.tell(Event::EnvRcpt(Path::new("<nobody@example.org>"))).await;
    session.macros().unset("rcpt_mailer");
    assert_eq!(session.message(&message(&mail("hello"))).await.verdict, Verdict::GoOn);
    assert!(filter.told().iter().any(|line| line == "rcpt_mailer error"), "{:?}", filter.told());
}

#[tokio::test]
async fn every_edit_is_understood() {
    let filter = Filter::libmilter();
    let mut session = began(&filter).await;
    let wire = b"X-Gone: stays\r\nSubject: lunch\r\nx-gone: goes\r\nTo: c\r\n\r\nold\r\n";
    let outcome = ask(&mut session, "edit", wire).await;
    assert_eq!(outcome.verdict, Verdict::GoOn);
    let path = |path: &'static str, arguments: &[&'static str]| Path {
        path: path.into(),
        arguments: arguments.iter().map(|word| Bytes::from_static(word.as_bytes())).collect(),
    };
    for expected in [
        Edit::ChgFrom(path("<new@example.org>", &["RET=HDRS", "ENVID=x"])),
        Edit::AddRcpt(path("<plain@example.org>", &[])),
        Edit::AddRcpt(path("<more@example.org>", &["NOTIFY=NEVER"])),
        Edit::DelRcpt("<bob@example.org>".into()),
        Edit::Quarantine("to be looked at".into()),
    ] {
        assert!(outcome.edits.contains(&expected), "{expected:?}");
    }
    let Edited { added, wire } = message(wire).apply(&outcome.edits).expect("edits that can be made");
    assert!(added.ends_with(b"10:00:00 +0000\r\n"), "our own field is the last of what is ours");
    let text = [unstuffed(&added), unstuffed(&wire)].concat();
    let text = String::from_utf8(text).expect("text");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header and a body");
    let expected = "X-Top: at the top\r\nX-Second: folded\r\n\tonce\r\n\
                    Received: from client.example by mx.example; Tue, 3 Mar 2026 10:00:00 +0000\r\n\
                    X-Gone: stays\r\nSubject: changed\r\nTo: c\r\nX-Added: at the end";
    assert_eq!(header, expected);
    assert_eq!((body.len(), body.lines().count()), (70_000 + 700, 700));
    assert!(body.split("\r\n").nth(1).is_some_and(|line| line.starts_with(".bb")));
    assert!(wire.windows(5).any(|window| window == b"\r\n..b"));
}
