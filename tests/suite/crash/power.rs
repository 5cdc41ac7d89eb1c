//! Power cuts under load: what was acknowledged is on the disk, not on its way there.

use std::time::Instant;

use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::power::Disk;
use switchyard_tests::site::{Site, quoted};

use super::{alone, await_empty, demand_idle_restart, long, report, take_mail};

#[test]
fn a_power_cut_loses_nothing_on_ext4() {
    cut_power("ext4");
}

#[test]
fn a_power_cut_loses_nothing_on_xfs() {
    cut_power("xfs");
}

fn cut_power(kind: &str) {
    let _turn = alone();
    let cuts = if long() { 20 } else { 5 };
    let start = Instant::now();
    let site = Site::new();
    let disk = match Disk::new(&site.path(""), kind, 320) {
        Ok(disk) => disk,
        Err(reason) => {
            println!(
                "POWER CUTS ON {kind} NOT TESTED: {reason} (root, a loop device and mkfs.{kind} are needed)"
            );
            return;
        }
    };
    let sink = Sink::start(site.ip());
    let mut router = site.router("router1", sink.address());
    router.settings.set("spool", "folder", &quoted(disk.path().join("spool").display()));
    let ledger = Ledger::new();
    router.start();
    let load = Load::start(&ledger, router.address(), 20);
    for cut in 0..cuts {
        // Every second time nothing is delivered, so that all that was acknowledged is on the disk alone.
        take_mail(&sink, cut % 2 == 0);
        ledger.await_more(20 + cut * 37 % 150);
        disk.cut();
        router.kill();
        disk.restore();
        router.start();
    }
    sink.open();
    load.stop();
    await_empty(&router);
    demand_idle_restart(&mut router, &sink);

    let figures = format!("{cuts} cuts in {:.0?}", start.elapsed());
    let audit = report(&format!("power cuts on {kind}"), &ledger, &sink, &figures);
    assert_eq!((audit.lost, audit.torn, audit.strange), (0, 0, 0), "{audit}");
}
