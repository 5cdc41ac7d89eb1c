//! The peers themselves: each starts, does its part with another peer, and keeps what it was given. What goes
//! wrong between our daemons and a peer is then ours.

use std::time::Duration;

use switchyard_tests::corpus;
use switchyard_tests::expect;
use switchyard_tests::peer::dns::{Dns, Zone};
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Protocol, Smtplib};
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::source::{Connections, Source};
use switchyard_tests::peer::swaks::swaks;

#[test]
fn the_corpus_is_large_and_odd() {
    let messages = corpus::messages();
    let count = |odd: fn(&corpus::Message) -> bool| messages.iter().filter(|message| odd(message)).count();
    assert!(messages.len() >= 400, "{}", messages.len());
    assert!(count(corpus::Message::is_eight_bit) >= 20);
    assert!(count(corpus::Message::has_stray_bytes) >= 1);
    assert!(count(corpus::Message::has_dots) >= 1);
    assert!(count(|message| message.longest_line() > 998) >= 1);
    assert!(messages.iter().all(|message| message.content.ends_with(b"\r\n")));
}

#[test]
fn source_reaches_sink() {
    let sink = Sink::start(&[], None);
    Source { messages: 200, connections: Connections::Kept, ..Source::default() }.send(sink.address());
    let _ = sink.wait_for(200, expect::PATIENCE);
    assert_eq!(sink.messages(), 200);
}

#[test]
fn postfix_relays_to_a_sink() {
    let sink = Sink::start(&[], None);
    let postfix = Postfix::start(&Options::new(Onward::Relay(sink.address())));
    Source { messages: 100, ..Source::default() }.send(postfix.address());
    let _ = sink.wait_for(100, Duration::from_secs(60));
    expect::holds("an empty queue", || postfix.queued() == 0);
    assert_eq!(postfix.log().matches("status=sent").count(), 100);
}

#[test]
fn postfix_keeps_a_maildir() {
    let postfix = Postfix::start(&Options::new(Onward::Maildir));
    let outcome = swaks(postfix.address(), "alice@example.org", &["--body", "over the hills"]);
    assert!(outcome.well, "{}", outcome.transcript);
    expect::holds("a delivered message", || postfix.delivered() == 1);
    let message = String::from_utf8(postfix.messages().remove(0)).unwrap();
    assert!(message.contains("over the hills"), "{message}");
    assert!(message.contains("Delivered-To: alice@example.org"), "{message}");
}

#[test]
fn smtplib_and_aiosmtpd_keep_every_byte() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let server = Aiosmtpd::start(
            protocol,
            &Behaviour { defer: vec!["bob@example.org".into()], ..Behaviour::default() },
        );
        let first = b"Subject: one\r\n\r\n.a dot\r\n..\r\ncaf\xe9\r\n".as_slice();
        let second = [b"Subject: two\r\n\r\n", "x".repeat(5000).as_bytes(), b"\r\n"].concat();
        let client = Smtplib { protocol, parameters: vec!["BODY=8BITMIME".into()], ..Smtplib::default() };
        let answers = client.send(server.address(), &[first, &second]);
        assert_eq!(answers.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [250, 250], "{answers:?}");
        let kept = server.wait_for(2);
        assert_eq!(kept[0].content, first);
        assert_eq!(kept[1].content, second);
        assert_eq!(kept[0].reverse_path, "python@client.example");
        assert_eq!(kept[0].recipients, ["alice@example.org"]);
        let refused =
            Smtplib { to: vec!["bob@example.org".into()], ..client }.send(server.address(), &[first]);
        assert_eq!(refused, [(451, "4.3.0 try again later".to_owned())]);
    }
}

#[test]
fn dnsmasq_answers_what_was_declared() {
    let zone = Zone::default()
        .mx("example.org", 10, "mx.example.org")
        .null_mx("silent.example")
        .host("mx.example.org", "127.0.0.9".parse().unwrap());
    let dns = Dns::start(&zone);
    assert_ne!(dns.address().port(), 0);
}
