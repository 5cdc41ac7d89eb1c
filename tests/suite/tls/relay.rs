//! Who may relay by certificate: a client by our authority may, one by another or by none may not.

use std::fs;

use switchyard_tests::expect;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::swaks::swaks;
use switchyard_tests::site::{Site, quoted};

use super::certify;

const STRANGER: &str = "somebody@elsewhere.example";

#[test]
fn a_client_with_our_certificate_may_relay_and_one_without_may_not() {
    let site = Site::new();
    let sink = Sink::start(&[], None);
    let ours = Certificates::make(&site.path(""), &["router.example.org", "branch.example.org"]);
    fs::create_dir(site.path("others")).expect("a folder");
    let theirs = Certificates::make(&site.path("others"), &["branch.example.org"]);
    let mut router = site.router("router1", sink.address());
    certify(&mut router, &ours, "router.example.org");
    router.settings.set("tls", "client_ca", &quoted(ours.certificate("authority").display()));
    router.settings.set("relay", "networks", "[]");
    router.settings.set("relay", "mutual_tls", "true");
    router.start();

    let with = |certificates: &Certificates| {
        let [certificate, key] =
            [certificates.certificate("branch.example.org"), certificates.key("branch.example.org")];
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        swaks(router.address(), STRANGER, &["--tls", "--tls-cert", &certificate, "--tls-key", &key])
    };
    for outcome in [swaks(router.address(), STRANGER, &[]), swaks(router.address(), STRANGER, &["--tls"])] {
        assert!(!outcome.well && outcome.transcript.contains("554 5.7.1"), "{}", outcome.transcript);
    }
    let outcome = with(&theirs);
    assert!(!outcome.well, "{}", outcome.transcript);
    assert_eq!(router.metric("switchyard_spool_accepted_total"), 0.0);

    let outcome = with(&ours);
    assert!(outcome.well, "{}", outcome.transcript);
    let _ = sink.wait_for(1, expect::PATIENCE);
    assert_eq!(sink.messages(), 1);
}
