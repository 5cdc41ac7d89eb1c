//! TLS on every hop of a message's way, with others' TLS at both ends.

use switchyard_tests::expect;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Protocol, Smtplib};
use switchyard_tests::peer::source::Source;
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::trace;

use super::certify;

const MESSAGES: u32 = 50;

fn site() -> (Site, Certificates) {
    let site = Site::new();
    let certificates = Certificates::make(&site.path(""), &["host.example.org"]);
    (site, certificates)
}

/// An mx and a router that both insist on TLS to whom they hand mail to.
fn insisting(site: &Site, certificates: &Certificates, next_hop: std::net::SocketAddr) -> [Daemon; 2] {
    let mut router = site.router("router1", next_hop);
    let mut mx = site.mx("mx1", &[router.address()]);
    router.settings.set("deliver", "tls", "\"encrypt\"");
    mx.settings.set("routers", "tls", "\"encrypt\"");
    for daemon in [&mut router, &mut mx] {
        certify(daemon, certificates, "host.example.org");
        daemon.start();
    }
    [mx, router]
}

#[test]
fn a_message_goes_over_tls_on_all_three_hops_and_says_so() {
    let (site, certificates) = site();
    let files = (certificates.certificate("host.example.org"), certificates.key("host.example.org"));
    let server = Aiosmtpd::start(Protocol::Smtp, &Behaviour { tls: Some(files), ..Behaviour::default() });
    let [mx, _router] = insisting(&site, &certificates, server.address());
    let content = b"Subject: sealed\r\n\r\n.a dot\r\ncaf\xe9\r\n".as_slice();
    let large = [b"Subject: large\r\n\r\n".as_slice(), &b"0123456789abcdef\r\n".repeat(60_000)].concat();
    let client = Smtplib { starttls: true, parameters: vec!["BODY=8BITMIME".into()], ..Smtplib::default() };
    let answers = client.send(mx.address(), &[content, &large]);
    assert!(answers.iter().all(|(code, _)| *code == 250), "{answers:?}");
    let mut kept = server.wait_for(2);
    kept.sort_by_key(|kept| kept.content.len());
    for (kept, sent) in kept.iter().zip([content, &large]) {
        assert!(kept.tls, "the last hop");
        assert!(trace::below(&kept.content, 2) == sent, "altered");
        let own = String::from_utf8_lossy(&kept.content[..kept.content.len() - sent.len()]).into_owned();
        assert_eq!(own.matches("(using TLSv1.3").count(), 2, "the first two hops: {own}");
        assert_eq!(own.matches(" with ESMTPS id ").count(), 2, "{own}");
    }
}

#[test]
fn postfix_speaks_tls_to_us_and_we_to_postfix() {
    let (site, certificates) = site();
    let chain = [certificates.key("host.example.org"), certificates.certificate("host.example.org")];
    let chain = chain.map(|path| std::fs::read_to_string(path).expect("a PEM file")).concat();
    site.write("chain.pem", &chain);
    let chain = site.path("chain.pem").display().to_string();
    let server = [
        ("smtpd_tls_security_level", "encrypt"),
        ("smtpd_tls_chain_files", &*chain),
        ("smtpd_tls_received_header", "yes"),
    ];
    let mailbox = Postfix::start(&Options { settings: &server, ..Options::new(Onward::Maildir) });
    let [mx, router] = insisting(&site, &certificates, mailbox.address());
    let client = [("smtp_tls_security_level", "encrypt"), ("smtp_tls_loglevel", "1")];
    let sender = Postfix::start(&Options { settings: &client, ..Options::new(Onward::Relay(mx.address())) });
    Source { messages: MESSAGES, ..Source::default() }.send(sender.address());
    expect::holds("every message in the Maildir", || mailbox.delivered() >= MESSAGES as usize);
    expect::holds("nothing left in between", || {
        sender.queued() + mailbox.queued() == 0 && router.metric("switchyard_spool_messages") == 0.0
    });
    assert_eq!(mailbox.delivered(), MESSAGES as usize, "each of them once");
    assert!(sender.log().contains("TLS connection established to"), "{}", sender.log());
    for message in mailbox.messages() {
        let text = String::from_utf8_lossy(&message).into_owned();
        let (header, _) = text.split_once("\n\n").expect("a header and a body");
        assert_eq!(header.matches("using TLSv1.3").count(), 3, "each hop says so: {header}");
    }
}
