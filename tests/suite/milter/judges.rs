//! An mx that asks the filters of Debian's packages which judge mail: ClamAV by its content, OpenDMARC by what our own
//! filter found before it.

use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::milter::{Filter, VIRUS};
use switchyard_tests::site::Site;
use switchyard_tests::talk::Talk;

use super::mx::{HEADER, asking};
use super::router::{sink, unix};

#[test]
fn clamav_refuses_a_virus_at_the_mx_and_marks_what_is_clean() {
    let (site, sink, clamav) = (Site::new(), sink(), Filter::clamav());
    let (mx, router) = asking(&site, &sink, &[("virus", &[unix(&clamav)])]);
    let mut talk = Talk::hello(mx.address());
    let infected = format!("{HEADER}see {VIRUS} here\r\n");
    let reply = talk.mail("<ann@example.com>", &["<bob@example.org>"], &infected);
    assert!(reply.code == 550 && reply.text.contains("Infected with Switchyard-Test"), "{reply:?}");
    // The same client, over the same connection: the next message is judged by itself.
    let reply = talk.mail("<ann@example.com>", &["<bob@example.org>"], &format!("{HEADER}hello\r\n"));
    assert!(reply.is(250, ""), "{reply:?}\n{}", mx.log_end());
    let kept = sink.wait_for(1);
    let text = String::from_utf8_lossy(&kept[0].content);
    assert!(text.contains("\r\nX-Virus-Status: Clean\r\n") && !text.contains(VIRUS), "{text}");
    assert_eq!(kept.len(), 1, "{}", router.log_end());
}

#[test]
fn opendmarc_refuses_at_the_mx_what_our_filter_found_to_be_nobodys() {
    let (site, sink) = (Site::new(), sink());
    // The client is taken for one that may send for the one domain, by its signature, and not for the other.
    let opendkim = Filter::opendkim();
    let dns = Knot::start(&Records::default().txt("test._domainkey.example.org", &opendkim.dkim_record()));
    let mut own = site.filter("own", dns.address());
    own.start();
    let policies = [("example.org", "p=reject"), ("bank.example", "p=reject")];
    let opendmarc = Filter::opendmarc("own.example.org", &policies);
    let places = [unix(&opendkim), own.address().to_string(), unix(&opendmarc)];
    let filters = [("sign", &places[..1]), ("verify", &places[1..2]), ("dmarc", &places[2..])];
    let (mx, _router) = asking(&site, &sink, &filters);
    let mut talk = Talk::hello(mx.address());
    let mut send = |author: &str| {
        let message = format!("{}hello\r\n", HEADER.replace("ann@example.com", author));
        talk.mail("<ann@example.com>", &["<bob@example.org>"], &message)
    };
    let reply = send("boss@bank.example");
    assert!(reply.is(550, "5.7.1 rejected by DMARC policy"), "{reply:?}\n{}", mx.log_end());
    let reply = send("ann@example.org");
    assert!(reply.is(250, ""), "{reply:?}\n{}", mx.log_end());
    let kept = sink.wait_for(1);
    let text = String::from_utf8_lossy(&kept[0].content).replace("\r\n\t", " ").replace("\r\n ", " ");
    let found = |by: &str, what: &str| {
        let results = format!("Authentication-Results: {by};");
        text.lines().any(|line| line.starts_with(&results) && line.contains(what))
    };
    assert!(found("own.example.org", "dkim=pass") && found("mx.example", "dmarc=pass"), "{text}");
}
