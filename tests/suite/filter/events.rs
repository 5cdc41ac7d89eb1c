//! Every event and every kind of answer, by OpenDKIM's miltertest: an MTA of today, and one of version 2.

use std::process::Command;

use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::site::Site;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/filter/events.lua");

#[test]
fn miltertest_drives_every_event_and_hears_every_answer() {
    let records = Records::default()
        .txt("copied.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.hold.example", "v=DMARC1; p=quarantine")
        .txt("_dmarc.refuse.example", "v=DMARC1; p=reject");
    let dns = Knot::start(&records);
    let site = Site::new();
    site.write("maps/sender_bcc", "@copied.example copy@ours.example\n");
    let mut filter = site.filter("mx", dns.address());
    filter.settings.set("verify", "dmarc", "\"obey\"");
    filter.settings.set("maps", "sender_bcc", "\"sender_bcc\"");
    filter.start();
    let address = filter.address();
    for mode in ["new", "old"] {
        let output = Command::new("/usr/bin/miltertest")
            .args(["-D", &format!("socket=inet:{}@{}", address.port(), address.ip())])
            .args(["-D", &format!("mode={mode}"), "-s", SCRIPT])
            .output()
            .expect("miltertest starts: run `cargo xtask peers`");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{mode}: {said:?}\n{}", filter.log_end());
        assert!(said[0].contains("all events told"), "{mode}: {said:?}");
    }
    // Both MTAs' connections, each with one that goes without a word.
    expect::holds("no sessions", || filter.metric("switchyard_milter_sessions") == 0.0);
    let ways = |way| filter.metric(&format!("switchyard_milter_messages_total{{way=\"{way}\"}}"));
    assert_eq!(["verified", "quarantined", "rejected"].map(ways), [2.0, 2.0, 2.0]);
}
