//! kill -9 of the router under load, again and again.

use std::time::Instant;

use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::Site;

use super::{alone, await_empty, demand_idle_restart, long, report, take_mail};

#[test]
fn a_killed_router_loses_nothing() {
    let _turn = alone();
    let kills = if long() { 50 } else { 10 };
    let start = Instant::now();
    let site = Site::new();
    let sink = Sink::start(site.ip());
    let mut router = site.router("router1", sink.address());
    let ledger = Ledger::new();
    router.start();
    let load = Load::start(&ledger, router.address(), 20);
    let mut under_way = 0;
    for kill in 0..kills {
        // Every third time nothing is delivered, so that all that was acknowledged is in the spool alone.
        take_mail(&sink, kill % 3 != 2);
        // At another point of the work each time.
        ledger.await_more(20 + kill * 37 % 150);
        under_way += sink.under_way();
        router.kill();
        router.start();
    }
    sink.open();
    load.stop();
    await_empty(&router);
    demand_idle_restart(&mut router, &sink);

    let figures =
        format!("{kills} kills in {:.0?}, {under_way} deliveries under way at them", start.elapsed());
    report("kill -9", &ledger, &sink, &figures).demand(under_way);
    assert!(ledger.tally().refused == 0, "{:?}", ledger.tally());
}
