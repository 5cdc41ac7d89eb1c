//! Suspension by selector: what waits and what comes later stays, over a kill, until somebody ends it.

use std::net::SocketAddr;

use switchyard_tests::expect;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Told, switchyard};

#[test]
fn a_suspension_meets_new_mail_over_a_kill_and_lets_all_of_it_go_at_its_end() {
    let site = Site::new();
    let (sink, control) = (Sink::start(site.ip()), site.path("control.sock"));
    let mut router = site.router("router", sink.address());
    router.settings.set("control", "socket", &quoted(control.display()));
    router.start();
    let queue = |words: &[&str]| -> Told {
        let router = ["--router", control.to_str().expect("a plain path")];
        let told = switchyard(["queue"].iter().chain(words).chain(&router));
        assert_eq!(told.code, Some(0), "{words:?}: {told:?}");
        told
    };
    let reached = |to: &str| {
        let copies = sink.copies();
        copies.iter().flat_map(|copy| &copy.recipients).filter(|recipient| *recipient == to).count()
    };
    let suspend = ["suspend", "--domain", "*.full.example", "--for", "1h", "--reason", "their disk is full"];
    queue(&suspend);
    send(router.address(), &["<x@one.full.example>"]);
    // Of one message, the other recipient goes on.
    send(router.address(), &["<y@two.full.example>", "<y@to.example>"]);
    expect::holds("who is not meant has his mail", || reached("y@to.example") == 1);
    let deferred = "switchyard_queue_messages{queue=\"deferred\"}";
    expect::holds("two wait", || router.metric(deferred) == 2.0);

    router.kill();
    router.start();
    send(router.address(), &["<z@one.full.example>"]);
    send(router.address(), &["<z@to.example>"]);
    expect::holds("who is not meant has his mail", || reached("z@to.example") == 1);
    expect::holds("three wait", || router.metric(deferred) == 3.0);
    let listed = queue(&["suspend", "--list"]).data;
    assert!(listed.contains("their disk is full"), "{listed}");
    assert_eq!(reached("x@one.full.example"), 0);

    queue(&["resume", "1"]);
    for to in ["x@one.full.example", "y@two.full.example", "z@one.full.example"] {
        expect::holds("all that it kept has gone", || reached(to) > 0);
        assert_eq!(reached(to), 1, "{to}");
    }
    // Its number is not given again, for another one.
    queue(&suspend);
    let listed = queue(&["suspend", "--list", "--json"]).data;
    assert!(listed.contains("\"number\": 2"), "{listed}");
}

fn send(router: SocketAddr, to: &[&str]) {
    let mut talk = Talk::hello(router);
    let reply = talk.mail("<a@client.example>", to, "Subject: x\r\n\r\nbody\r\n");
    assert_eq!(reply.code, 250, "{reply:?}");
}
