//! Sendmail sends its mail through the filter: a verdict on top, a forged one gone, a copy; and our mail leaves signed.

use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Protocol};
use switchyard_tests::peer::sendmail::Sendmail;
use switchyard_tests::peer::swaks::swaks;
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;

use super::sign::dkimpy;
use super::signing;

const MESSAGE: &str = "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: a subject that is folded\n \tover two lines\n\
                       Date: Fri, 11 Jul 2003 21:00:37 -0700\nMessage-ID: <1@example.org>\n\nHi Bob.\n\nAnn\n";

/// What comes out behind Sendmail: the recipients, and the message with LF.
fn through(filter: &Daemon, message: &str) -> (Vec<String>, String) {
    let server = Aiosmtpd::start(Protocol::Smtp, &Behaviour::default());
    let sendmail = Sendmail::start(filter.address(), server.address());
    let sent = swaks(
        sendmail.address(),
        "bob@example.net",
        &["--from", "ann@example.org", "--helo", "client.example.org", "--data", message],
    );
    assert!(sent.well, "{}\n{}", sent.transcript, sendmail.transcript());
    let kept = server.wait_for(1).remove(0);
    (kept.recipients, String::from_utf8_lossy(&kept.content).replace("\r\n", "\n"))
}

#[test]
fn sendmail_takes_others_mail_with_a_verdict_and_a_copy() {
    let records = Records::default()
        .txt("example.org", "v=spf1 ip4:127.0.0.1 -all")
        .txt("_dmarc.example.org", "v=DMARC1; p=reject");
    let dns = Knot::start(&records);
    let site = Site::new();
    site.write("maps/sender_bcc", "@example.org copy@example.net\n");
    let mut filter = site.filter("mx", dns.address());
    filter.settings.set("maps", "sender_bcc", "\"sender_bcc\"");
    filter.start();
    let forged = format!("Authentication-Results: mx.example.org; dkim=pass\nX-One: 1\n{MESSAGE}");
    let (mut recipients, message) = through(&filter, &forged);
    assert!(message.starts_with("Authentication-Results: mx.example.org;\n"), "{message}");
    assert!(message.contains("spf=pass") && message.contains("dmarc=pass"), "{message}");
    assert!(message.contains("X-One: 1\n") && !message.contains("dkim=pass"), "{message}");
    recipients.sort();
    assert_eq!(recipients, ["bob@example.net", "copy@example.net"]);
}

#[test]
fn sendmail_sends_our_mail_signed() {
    let site = Site::new();
    let (mut filter, _dns, ed25519) = signing(&site, "127.0.0.0/8");
    filter.start();
    let (_, message) = through(&filter, MESSAGE);
    let said = dkimpy(&message, &[("ed._domainkey.example.org", &ed25519)]);
    assert_eq!(said.trim(), "[True]", "{message}\n{}", filter.log_end());
}
