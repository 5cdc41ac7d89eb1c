//! The front: its routers change as well.

use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;

use super::{
    demand, ends_in_order, in_the_middle, listen, recipients_offered, reload, renew, shows, trace_of,
};
use crate::crash::{alone, await_empty};
use crate::tls::certify;

#[test]
fn a_front_changes_under_load_and_cuts_nobody() {
    let _turn = alone();
    let site = Site::new();
    let certificates = Certificates::make(&site.path(""), &["one.example", "two.example", "three.example"]);
    let sink = Sink::start(site.ip());
    let mut routers = ["router1", "router2"].map(|name| site.router(name, sink.address()));
    routers.iter_mut().for_each(|router| router.start());
    let mut mx = site.mx("mx1", &[routers[0].address()]);
    let (stays, leaves, comes) = (mx.address(), site.free_address(), site.free_address());
    listen(&mut mx, &[stays, leaves]);
    certify(&mut mx, &certificates, "one.example");
    mx.settings.set("limits", "recipients", "150");
    mx.start();

    let ledger = Ledger::new();
    let load = Load::start(&ledger, stays, 8);
    ledger.await_more(50);
    let mut old = in_the_middle(stays, "old@client.example");
    let held = in_the_middle(leaves, "held@client.example");
    assert!(shows(stays, &certificates, "one.example") && recipients_offered(stays) == "150");

    listen(&mut mx, &[stays, comes]);
    certify(&mut mx, &certificates, "two.example");
    mx.settings.set("limits", "recipients", "200");
    let router = routers[1].address();
    let pool = format!("[{}]", quoted(format_args!("[{}]:{}", router.ip(), router.port())));
    mx.settings.set("routers", "pool", &pool);
    reload(&mx, "taken");

    for socket in [stays, comes] {
        assert!(shows(socket, &certificates, "two.example"), "the new certificate");
        assert_eq!(recipients_offered(socket), "200");
    }
    ends_in_order(leaves, held);
    // A session that began before goes on, and its message goes to the new router; so does a new session's.
    assert_eq!(old.say(".").code, 250);
    assert_eq!(old.say("NOOP").code, 250);
    let mut new = Talk::hello(comes);
    assert_eq!(new.mail("<new@client.example>", &["<user@example.org>"], "x\r\n").code, 250);
    for sender in ["old@client.example", "held@client.example", "new@client.example"] {
        let trace = trace_of(&sink, sender);
        assert!(trace.contains("by router2.example.org"), "{sender}: {trace}");
    }

    // The same names, another certificate.
    renew(&certificates, "two.example", "three.example");
    reload(&mx, "taken");
    assert!(shows(stays, &certificates, "three.example"), "a renewed certificate");
    ledger.await_more(100);
    load.stop();
    routers.iter().for_each(await_empty);
    demand("an mx changes", &ledger, &[&sink]);
    drop((old, new));
    assert!(mx.terminate().success(), "{}", mx.log_end());
}
