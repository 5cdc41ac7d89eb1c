//! The filters of Debian's packages: they sign, refuse and mark, and the edits come out right.

use std::sync::Arc;

use bytes::Bytes;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::edits::{Edited, Message, unstuffed};
use switchyard_milter_protocol::event::{Client, Connect, Event, Path};
use switchyard_milter_protocol::io::client::{
    By, ClientMetrics, Endpoint, FilterOptions, Outcome, Pool, Session, Verdict,
};
use switchyard_tests::peer::milter::{Filter, GTUBE, VIRUS};

/// Our own field, which filters are not shown.
const ADDED: &[u8] = b"Received: from client.example by mx.example; Tue, 3 Mar 2026 10:00:00 +0000\r\n";

/// A session with a filter whose connection is kept for the next one.
pub(super) fn pool(filter: &Filter) -> Arc<Pool> {
    let metrics = ClientMetrics::register(&prometheus::Registry::new()).expect("a fresh registry");
    let options = FilterOptions::new("peer", vec![Endpoint::Unix(filter.socket())]);
    Arc::new(Pool::new(FilterOptions { kept: 1, ..options }, metrics))
}

pub(super) fn message(wire: &[u8]) -> Message {
    Message::from_wire(&Bytes::from_static(ADDED), &Bytes::copy_from_slice(wire))
}

/// A message of the usual shape with this body.
pub(super) fn mail(body: &str) -> Vec<u8> {
    let header = "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: lunch\r\n\
                  Date: Tue, 3 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n";
    format!("{header}\r\n{body}\r\n").into_bytes()
}

/// From the connection to DATA; all of it goes on.
pub(super) async fn greet(session: &mut Session) {
    session.macros().set("j", "mx.example");
    session.macros().set("i", "4Xyz");
    let client = Client::Inet(([127, 0, 0, 1], 4711).into());
    for event in [
        Event::Connect(Connect { host: "client.example".into(), client }),
        Event::Helo("client.example".into()),
        Event::EnvFrom(Path::new("<ann@example.org>")),
        Event::EnvRcpt(Path::new("<bob@example.net>")),
        Event::Data,
    ] {
        let outcome = session.tell(event.clone()).await;
        assert_eq!(outcome.verdict, Verdict::GoOn, "{event:?}");
    }
}

/// One message in a session of its own.
async fn send(pool: &Arc<Pool>, wire: &[u8]) -> Outcome {
    let mut session = Session::new(pool.clone());
    greet(&mut session).await;
    let outcome = session.message(&message(wire)).await;
    assert_eq!(outcome.by, By::Filter, "{outcome:?}");
    session.abort();
    session.close();
    outcome
}

fn applied(wire: &[u8], outcome: &Outcome) -> Vec<u8> {
    let Edited { added, wire } = message(wire).apply(&outcome.edits).expect("edits that can be made");
    [unstuffed(&added), unstuffed(&wire)].concat()
}

/// Code and text of a reply that the filter worded itself.
fn reply(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Reply(reply) => format!("{} {}", reply.code(), reply.lines().collect::<Vec<_>>().join("|")),
        other => panic!("{other:?}"),
    }
}

fn has_field(outcome: &Outcome, wanted: &str) -> bool {
    outcome.edits.iter().any(|edit| match edit {
        Edit::AddHeader(field) | Edit::InsHeader { field, .. } | Edit::ChgHeader { field, .. } => {
            field.name.eq_ignore_ascii_case(wanted.as_bytes())
        }
        _ => false,
    })
}

#[tokio::test]
async fn opendkim_signs_and_dkimpy_agrees() {
    let filter = Filter::opendkim();
    let pool = pool(&filter);
    let stuffed = "a line\r\n..with a dot\r\n\r\nand  blanks \t\r\n\r\n";
    for body in ["hello", stuffed, &"long line ".repeat(90), &format!("{stuffed}{}", "x\r\n".repeat(70_000))]
    {
        let wire = mail(body);
        let outcome = send(&pool, &wire).await;
        assert_eq!(outcome.verdict, Verdict::GoOn);
        let signed = applied(&wire, &outcome);
        assert!(
            filter.dkimpy_agrees(&signed),
            "{}",
            String::from_utf8_lossy(signed.get(..900).unwrap_or(&signed))
        );
        let tampered = [&signed[..], b"more\r\n"].concat();
        assert!(!filter.dkimpy_agrees(&tampered));
    }
}

#[tokio::test]
async fn rspamd_refuses_its_test_pattern_and_marks_what_is_clean() {
    let filter = Filter::rspamd();
    let pool = pool(&filter);
    for _ in 0..2 {
        let outcome = send(&pool, &mail(GTUBE)).await;
        assert!(reply(&outcome).starts_with("554 "), "{outcome:?}");
        let outcome = send(&pool, &mail("hello")).await;
        assert_eq!(outcome.verdict, Verdict::GoOn, "{outcome:?}");
        assert!(has_field(&outcome, "X-Spamd-Result") && has_field(&outcome, "X-Spamd-Bar"), "{outcome:?}");
        let text = String::from_utf8(applied(&mail("hello"), &outcome)).expect("text");
        assert!(text.contains("\r\nX-Spamd-Result: default: "), "{text}");
    }
}

#[tokio::test]
async fn clamav_refuses_a_virus_and_marks_what_is_clean() {
    let filter = Filter::clamav();
    let pool = pool(&filter);
    let outcome = send(&pool, &mail(&format!("see {VIRUS} here"))).await;
    assert_eq!(reply(&outcome), "550 Infected with Switchyard-Test.UNOFFICIAL");
    let outcome = send(&pool, &mail("hello")).await;
    assert_eq!(outcome.verdict, Verdict::GoOn);
    assert!(has_field(&outcome, "X-Virus-Scanned") && has_field(&outcome, "X-Virus-Status"), "{outcome:?}");
}

#[tokio::test]
async fn opendmarc_refuses_what_has_no_author() {
    let filter = Filter::opendmarc("mx.example", &[]);
    let pool = pool(&filter);
    let outcome = send(&pool, b"Subject: nobody\r\n\r\nhello\r\n").await;
    assert!(matches!(outcome.verdict, Verdict::Reject | Verdict::Reply(_)), "{outcome:?}");
}
