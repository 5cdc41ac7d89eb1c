//! What an mx says when it does not take mail: each "no" has its reason, and nothing is taken without a router.

use std::collections::HashSet;

use switchyard_tests::expect;
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::source::Source;
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::talk::Talk;

use super::await_empty;

fn with_recipients(mx: &mut Daemon) {
    mx.settings.set("maps", "recipients", "\"recipients\"");
}

#[test]
fn unknown_is_550_relaying_is_554_and_both_are_said_at_rcpt() {
    let site = Site::new();
    site.write("maps/recipients", "alice@example.org OK\n");
    let mut mx = site.mx("mx1", &[site.free_address()]);
    with_recipients(&mut mx);
    mx.start();
    let mut talk = Talk::hello(mx.address());
    assert_eq!(talk.say("MAIL FROM:<a@client.example>").code, 250);
    for (recipient, code, status) in [
        ("<alice@example.org>", 250, "2.1.5"),
        ("<nobody@example.org>", 550, "5.1.1"),
        ("<alice@elsewhere.example>", 554, "5.7.1"),
        ("<alice@[127.0.0.1]>", 554, "5.7.1"),
        ("<alice%elsewhere.example@example.org>", 554, "5.7.1"),
        ("<postmaster>", 250, "2.1.5"),
    ] {
        let reply = talk.say(&format!("RCPT TO:{recipient}"));
        assert!(reply.is(code, status), "{recipient}: {reply:?}");
    }
}

#[test]
fn a_recipients_map_that_cannot_be_read_is_451_and_never_550() {
    let site = Site::new();
    let mut mx = site.mx("mx1", &[site.free_address()]);
    // The file was never there.
    with_recipients(&mut mx);
    mx.start();
    let ask = |recipient: &str| {
        let mut talk = Talk::hello(mx.address());
        assert_eq!(talk.say("MAIL FROM:<a@client.example>").code, 250);
        talk.say(&format!("RCPT TO:{recipient}"))
    };
    for recipient in ["<alice@example.org>", "<nobody@example.org>"] {
        let reply = ask(recipient);
        assert!(reply.is(451, "4.3.0"), "{recipient}: {reply:?}");
    }
    // It is written, and holds from then on.
    site.write("maps/recipients", "alice@example.org OK\n");
    expect::holds("the map to be live", || ask("<alice@example.org>").is(250, "2.1.5"));
    assert!(ask("<nobody@example.org>").is(550, "5.1.1"));
}

#[test]
fn without_a_router_a_client_is_told_451_and_keeps_its_mail_until_there_is_one() {
    let site = Site::new();
    let sink = Sink::start(&[], None);
    let mut router = site.router("router1", sink.address());
    let mut mx = site.mx("mx1", &[router.address()]);
    mx.start();
    let mut talk = Talk::hello(mx.address());
    let reply = talk.mail("<a@client.example>", &["<alice@example.org>"], "Subject: now?\r\n\r\n");
    assert!(reply.is(451, "4.4.1"), "{reply:?}");

    let soon = [("minimal_backoff_time", "1s"), ("maximal_backoff_time", "1s"), ("queue_run_delay", "1s")];
    let postfix = Postfix::start(&Options { settings: &soon, ..Options::new(Onward::Relay(mx.address())) });
    Source { messages: 20, ..Source::default() }.send(postfix.address());
    expect::holds("Postfix to be told of each of them, and to keep them all", || {
        put_off(&postfix.log()).len() == 20 && postfix.queued() == 20
    });
    assert!(postfix.log().contains("451 4.4.1"), "{}", postfix.log());
    router.start();
    // In the order of its way, so that what does not come is missed where it is.
    expect::holds("Postfix's queue to be empty", || {
        postfix.flush();
        postfix.queued() == 0
    });
    await_empty(&router);
    let _ = sink.wait_for(20, expect::PATIENCE);
    assert_eq!(sink.messages(), 20, "each of them once");
}

/// The names of the messages that were put off, as Postfix logs it: `postfix/smtp[1]: 4C0: to=<…>, … status=deferred`.
fn put_off(log: &str) -> HashSet<&str> {
    let lines = log.lines().filter(|line| line.contains("status=deferred"));
    lines.filter_map(|line| line.split(": ").nth(1)).collect()
}
