//! Postfix sends its mail through the filter: what is ours leaves signed, what is others' comes in with a verdict.

use std::fs;

use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::swaks::swaks;
use switchyard_tests::site::{Site, quoted};

use super::key;
use super::sign::dkimpy;

/// What Postfix keeps of one message that came by the filter.
pub(super) fn through(filter: &str, message: &str) -> String {
    let settings = [("smtpd_milters", filter), ("milter_default_action", "tempfail")];
    let options = Options { settings: &settings, ..Options::new(Onward::Maildir) };
    let postfix = Postfix::start(&options);
    let sent = swaks(
        postfix.address(),
        "bob@example.net",
        &["--from", "ann@example.org", "--helo", "client.example.org", "--data", message],
    );
    assert!(sent.well, "{}\n{}", sent.transcript, postfix.log());
    expect::holds("a message in the Maildir", || postfix.delivered() == 1);
    String::from_utf8_lossy(&postfix.messages().remove(0)).into_owned()
}

const MESSAGE: &str = "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: a subject that is folded\n \tover two lines\n\
                       Date: Fri, 11 Jul 2003 21:00:37 -0700\nMessage-ID: <1@example.org>\n\nHi Bob.\n\nAnn\n";

#[test]
fn postfix_sends_our_mail_signed() {
    let site = Site::new();
    let keys = site.path("keys");
    fs::create_dir(&keys).expect("a folder for keys");
    let rsa = key(&keys, "rsa.pem", "RSA");
    let ed25519 = key(&keys, "ed.pem", "ED25519");
    let records =
        Records::default().txt("rsa._domainkey.example.org", &rsa).txt("ed._domainkey.example.org", &ed25519);
    let dns = Knot::start(&records);
    site.write("maps/signing_keys", "example.org rsa:rsa.pem ed:ed.pem\n");
    let mut filter = site.filter("filter", dns.address());
    filter.settings.set("sign", "networks", "[\"127.0.0.0/8\"]");
    filter.settings.set("sign", "keys", &quoted(keys.display()));
    filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    filter.start();
    let address = filter.address();
    let message = through(&format!("inet:{}:{}", address.ip(), address.port()), MESSAGE);
    let records =
        [("ed._domainkey.example.org", ed25519.as_str()), ("rsa._domainkey.example.org", rsa.as_str())];
    let start = message.find("DKIM-Signature:").expect("a signature");
    assert_eq!(dkimpy(&message[start..], &records).trim(), "[True, True]", "{message}\n{}", filter.log_end());
}

#[test]
fn postfix_takes_others_mail_with_a_verdict() {
    let records = Records::default()
        .txt("example.org", "v=spf1 ip4:127.0.0.1 -all")
        .txt("_dmarc.example.org", "v=DMARC1; p=reject");
    let dns = Knot::start(&records);
    let site = Site::new();
    let mut filter = site.filter("mx", dns.address());
    filter.start();
    let address = filter.address();
    let forged = format!("Authentication-Results: mx.example.org; dkim=pass\nX-One: 1\n{MESSAGE}");
    let message = through(&format!("inet:{}:{}", address.ip(), address.port()), &forged);
    let verdicts: Vec<&str> =
        message.lines().filter(|line| line.starts_with("Authentication-Results:")).collect();
    assert_eq!(verdicts, ["Authentication-Results: mx.example.org;"], "{message}");
    assert!(message.contains("spf=pass") && message.contains("dmarc=pass"), "{message}");
    assert!(!message.contains("dkim=pass"), "{message}");
}
