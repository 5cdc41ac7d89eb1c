//! The router: its pools and its schedule change as well.

use switchyard_tests::expect;
use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;

use super::{
    demand, ends_in_order, in_the_middle, listen, recipients_offered, reload, renew, shows, trace_of,
};
use crate::crash::{alone, await_empty};
use crate::tls::certify;

fn pool(router: &mut Daemon, sink: &Sink) {
    let hop = quoted(format_args!("[{}]:{}", sink.address().ip(), sink.address().port()));
    router.settings.set("pools", "inside.members", &format!("[{hop}]"));
    router.settings.set("route", "relayhost", "\"@inside\"");
}

#[test]
fn a_router_changes_under_load_and_cuts_nobody() {
    let _turn = alone();
    let site = Site::new();
    let certificates = Certificates::make(&site.path(""), &["one.example", "two.example", "three.example"]);
    let (before, after) = (Sink::start(site.ip()), Sink::start(site.ip()));
    let mut router = site.router("router1", before.address());
    let (stays, leaves, comes) = (router.address(), site.free_address(), site.free_address());
    pool(&mut router, &before);
    listen(&mut router, &[stays, leaves]);
    certify(&mut router, &certificates, "one.example");
    router.settings.set("limits", "recipients", "150");
    router.start();

    let ledger = Ledger::new();
    let load = Load::start(&ledger, stays, 8);
    ledger.await_more(50);
    let mut old = in_the_middle(stays, "old@client.example");
    let held = in_the_middle(leaves, "held@client.example");

    listen(&mut router, &[stays, comes]);
    certify(&mut router, &certificates, "two.example");
    router.settings.set("limits", "recipients", "200");
    pool(&mut router, &after);
    reload(&router, "taken");

    for socket in [stays, comes] {
        assert!(shows(socket, &certificates, "two.example"), "the new certificate");
        assert_eq!(recipients_offered(socket), "200");
    }
    ends_in_order(leaves, held);
    assert_eq!(old.say(".").code, 250);
    let mut new = Talk::hello(comes);
    assert_eq!(new.mail("<new@client.example>", &["<user@example.org>"], "x\r\n").code, 250);
    // Only the new pool gets what is tried from now on.
    for sender in ["old@client.example", "held@client.example", "new@client.example"] {
        trace_of(&after, sender);
    }

    renew(&certificates, "two.example", "three.example");
    reload(&router, "taken");
    assert!(shows(stays, &certificates, "three.example"), "a renewed certificate");
    ledger.await_more(100);
    load.stop();
    await_empty(&router);
    demand("a router changes", &ledger, &[&before, &after]);
    drop((old, new));
    assert!(router.terminate().success(), "{}", router.log_end());
}

/// Lifetimes count for mail that came before they did.
#[test]
fn waiting_mail_goes_by_the_new_lifetime() {
    let site = Site::new();
    let sink = Sink::start(site.ip());
    sink.close();
    let mut router = site.router("router1", sink.address());
    router.start();
    let mut client = Talk::hello(router.address());
    assert_eq!(client.mail("<late@example.net>", &["<user@example.org>"], "x\r\n").code, 250);
    expect::holds("a first attempt", || router.metric("switchyard_queue_messages") >= 1.0);
    router.settings.set("queue", "queue_lifetime", "\"1s\"");
    reload(&router, "taken");
    expect::holds("an expired message", || router.log().contains("returned to sender"));
    assert!(router.terminate().success(), "{}", router.log_end());
}
