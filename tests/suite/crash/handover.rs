//! One of two routers dies while an mx hands mail over to both.

use std::time::Instant;

use switchyard_tests::expect;
use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::Site;

use super::{alone, await_empty, long, report};

#[test]
fn an_mx_goes_on_with_the_other_router() {
    let _turn = alone();
    let kills: u64 = if long() { 10 } else { 3 };
    let start = Instant::now();
    let site = Site::new();
    let sink = Sink::start(site.ip());
    let mut routers = [site.router("router1", sink.address()), site.router("router2", sink.address())];
    routers.iter_mut().for_each(|router| router.start());
    let mut mx = site.mx("mx1", &routers.each_ref().map(|router| router.address()));
    mx.start();

    let (ledger, sessions) = (Ledger::new(), 16);
    let load = Load::start(&ledger, mx.address(), sessions);
    // In doubt at each kill: what was being delivered, and what the sessions were handing over.
    let mut under_way = 0;
    for kill in 0..kills {
        let [dying, staying] = if kill % 2 == 0 { [0, 1] } else { [1, 0] };
        ledger.await_more(50 + kill * 31 % 80);
        let accepted = routers[staying].metric("switchyard_spool_accepted_total");
        under_way += sink.under_way() + sessions as u64;
        routers[dying].kill();
        // Mail goes on, by the other.
        ledger.await_more(100);
        assert!(routers[staying].metric("switchyard_spool_accepted_total") >= accepted + 100.0);
        // And by both, once there are two again.
        routers[dying].start();
        expect::holds("the router that came back to be used", || {
            routers[dying].metric("switchyard_spool_accepted_total") > 0.0
        });
    }
    load.stop();
    routers.iter().for_each(await_empty);

    let figures = format!("{kills} kills in {:.0?}, {under_way} messages under way at them", start.elapsed());
    report("one of two routers killed", &ledger, &sink, &figures).demand(under_way);
    let tally = ledger.tally();
    assert_eq!(
        (tally.refused, tally.cut, tally.no_listener),
        (0, 0, 0),
        "no client sees a permanent error: {tally:?}"
    );
    assert!(mx.terminate().success());
}
