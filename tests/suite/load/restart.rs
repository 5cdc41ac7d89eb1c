//! A restart under load, with the sockets held by somebody else, as systemd does: no client notices.

use std::time::Instant;

use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::Site;

use crate::crash::{alone, await_empty, long, report};

#[test]
fn a_restart_refuses_no_connection_and_cuts_no_transaction() {
    let _turn = alone();
    let restarts = if long() { 20 } else { 4 };
    let start = Instant::now();
    let site = Site::new();
    let sink = Sink::start(site.ip());
    let mut router = site.router("router1", sink.address());
    router.hold_socket();
    router.start();
    let mut mx = site.mx("mx1", &[router.address()]);
    mx.hold_socket();
    mx.start();

    let ledger = Ledger::new();
    let load = Load::start(&ledger, mx.address(), 16);
    for restart in 0..restarts {
        ledger.await_more(30 + restart * 31 % 80);
        let daemon = if restart % 2 == 0 { &mut mx } else { &mut router };
        let status = daemon.terminate();
        assert!(status.success(), "{status}:\n{}", daemon.log_end());
        daemon.start();
    }
    ledger.await_more(30);
    load.stop();
    await_empty(&router);

    let audit =
        report("restarts", &ledger, &sink, &format!("{restarts} restarts in {:.0?}", start.elapsed()));
    let tally = ledger.tally();
    assert_eq!((tally.no_listener, tally.cut, tally.unanswered, tally.refused), (0, 0, 0, 0), "{tally:?}");
    // Nothing was killed, so nothing may come twice.
    audit.demand(0);
    assert!(mx.terminate().success() && router.terminate().success());
}
