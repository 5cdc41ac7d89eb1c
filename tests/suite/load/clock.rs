//! The wall clock jumps (H4): ten years forward, a day back. No mail expires of it, and no id comes twice.

use std::collections::HashSet;
use std::path::PathBuf;

use switchyard_tests::expect;
use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;

use crate::crash::{alone, await_empty};

#[test]
fn h4_the_clock_jumps() {
    let Some(library) = faketime() else {
        println!("H4, A JUMPING CLOCK, NOT TESTED: libfaketime is not installed");
        return;
    };
    let _turn = alone();
    let site = Site::new();
    let sink = Sink::start(site.ip());
    let mut router = site.router("router1", sink.address());
    for (name, value) in [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", site.path("clock").display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ] {
        router.environment.push((name.to_owned(), value));
    }
    site.write("clock", "+0\n");
    sink.close();
    router.start();

    let ledger = Ledger::new();
    for jump in ["+0", "+3650d", "-1d"] {
        site.write("clock", &format!("{jump}\n"));
        let load = Load::start(&ledger, router.address(), 4);
        ledger.await_more(30);
        load.stop();
        // Each of them is looked at by the new clock: another attempt, which fails too.
        let attempts = router.metric("switchyard_deliver_attempts_seconds_count");
        expect::holds("more attempts", || {
            router.metric("switchyard_deliver_attempts_seconds_count") > attempts + 1.0
        });
        assert_eq!(router.metric("switchyard_spool_messages"), ledger.acknowledged() as f64, "after {jump}");
        assert_eq!(router.metric("switchyard_dsn_total"), 0.0, "after {jump}");
        assert_eq!(queued(&router), ledger.acknowledged() as usize, "ids after {jump}");
    }

    // A start with the clock behind goes on where the ids were.
    router.kill();
    router.start();
    sink.open();
    let load = Load::start(&ledger, router.address(), 4);
    ledger.await_more(30);
    load.stop();
    await_empty(&router);
    assert_eq!(queued(&router), ledger.acknowledged() as usize, "ids of the second life");
    let audit = ledger.audit(&sink.copies());
    audit.demand(0);
    println!("clock jumps: {audit}");
    assert!(router.terminate().success());
}

/// How many different ids messages were queued under.
fn queued(router: &Daemon) -> usize {
    let log = router.log();
    let lines = log.lines().filter(|line| line.contains(" queued "));
    let ids = lines.filter_map(|line| line.split(" id=").nth(1)?.split_whitespace().next());
    ids.collect::<HashSet<&str>>().len()
}

/// The library that makes a clock.
pub(crate) fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}
