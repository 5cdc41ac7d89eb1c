//! Headers are changed by map: for a sender, for a recipient and under a verdict; and what signs comes after it.

use std::fs;

use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::site::{Site, quoted};

use super::arc::arcverify;
use super::postfix::through;
use super::sign::dkimpy;
use super::{key, signing};

const MESSAGE: &str = "X-Internal: one\nFrom: Ann <ann@example.org>\nTo: bob@example.net\nx-internal: two\nSubject: old\nX-Zone: world\n\
                       Date: Fri, 11 Jul 2003 21:00:37 -0700\nMessage-ID: <1@example.org>\n\nHi Bob.\n";

/// Every line of that field, in the order they stand.
fn fields<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let header = message.split("\n\n").next().unwrap_or_default();
    let is = |line: &&str| line.split(':').next().is_some_and(|field| field.eq_ignore_ascii_case(name));
    header.lines().filter(is).collect()
}

#[test]
fn postfix_changes_headers_by_sender_recipient_and_verdict_and_the_seal_is_over_them() {
    let site = Site::new();
    let keys = site.path("keys");
    fs::create_dir(&keys).expect("a folder for keys");
    let record = key(&keys, "arc.pem", "RSA");
    let records = Records::default()
        .txt("example.org", "v=spf1 ip4:203.0.113.1 -all")
        .txt("_dmarc.example.org", "v=DMARC1; p=none")
        .txt("arc._domainkey.example.net", &record);
    let dns = Knot::start(&records);
    site.write("maps/signing_keys", "example.net arc:arc.pem\n");
    site.write("maps/sender", "@example.org remove X-Internal; replace Subject: [partner] new\n");
    let by_recipient =
        "replace X-Zone: $1;; v=1; if dmarc=fail add X-Suspicious: yes; if dmarc=pass add X-Good: yes";
    site.write("maps/recipient", &format!("/@(.*)$/ {by_recipient}\n"));
    let mut filter = site.filter("mx", dns.address());
    filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    filter.settings.set("maps", "sender_headers", "\"sender\"");
    filter.settings.set("maps", "recipient_headers", "\"regexp:recipient\"");
    filter.settings.set("verify", "seal", "\"example.net\"");
    filter.settings.set("sign", "keys", &quoted(keys.display()));
    filter.start();
    let address = filter.address();
    let message = through(&format!("inet:{}:{}", address.ip(), address.port()), MESSAGE);
    assert_eq!(fields(&message, "X-Internal"), [""; 0], "{message}");
    assert_eq!(fields(&message, "Subject"), ["Subject: [partner] new"], "{message}");
    assert_eq!(fields(&message, "X-Zone"), ["X-Zone: example.net; v=1"], "{message}");
    assert_eq!(fields(&message, "X-Suspicious"), ["X-Suspicious: yes"], "{message}");
    assert_eq!(fields(&message, "X-Good"), [""; 0], "{message}");
    let start = message.find("ARC-Seal:").expect("a seal");
    assert_eq!(arcverify(&message[start..], &record).trim(), "pass success", "{message}");
}

#[test]
fn postfix_sends_our_mail_signed_as_it_was_changed() {
    let site = Site::new();
    site.write(
        "maps/sender",
        "ann@example.org remove X-Internal; replace Subject: new; if dmarc=fail add X-Odd: yes\n",
    );
    let (mut filter, _dns, ed25519) = signing(&site, "127.0.0.0/8");
    filter.settings.set("maps", "sender_headers", "\"sender\"");
    filter.start();
    let address = filter.address();
    let message = through(&format!("inet:{}:{}", address.ip(), address.port()), MESSAGE);
    assert_eq!(fields(&message, "Subject"), ["Subject: new"], "{message}");
    assert!(fields(&message, "X-Internal").is_empty() && fields(&message, "X-Odd").is_empty(), "{message}");
    let start = message.find("DKIM-Signature:").expect("a signature");
    let said = dkimpy(&message[start..], &[("ed._domainkey.example.org", &ed25519)]);
    assert_eq!(said.trim(), "[True]", "{message}\n{}", filter.log_end());
}
