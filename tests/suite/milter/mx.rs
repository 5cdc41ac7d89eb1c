//! An mx that asks filters about mail from the internet, and hands over what they make of it.

use switchyard_tests::expect;
use switchyard_tests::peer::milter::{Filter, GTUBE};
use switchyard_tests::peer::python::Aiosmtpd;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::switchyard;

use super::router::{ask, sink, unix};

pub(super) const HEADER: &str = "From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: lunch\r\n\
                      Date: Tue, 3 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n";

/// An mx that asks this filter, and the router behind it.
fn house(site: &Site, sink: &Aiosmtpd, filter: &Filter) -> (Daemon, Daemon) {
    asking(site, sink, &[("scan", &[unix(filter)])])
}

/// An mx that asks filters at these places, in this order, and the router behind it.
pub(super) fn asking(site: &Site, sink: &Aiosmtpd, filters: &[(&str, &[String])]) -> (Daemon, Daemon) {
    let mut router = site.router("router", sink.address());
    router.settings.set("control", "socket", &quoted(site.path("control.sock").display()));
    router.start();
    let mut mx = site.mx("mx", &[router.address()]);
    ask(&mut mx, filters);
    mx.start();
    (mx, router)
}

#[test]
fn rspamd_refuses_spam_at_the_mx_and_marks_what_is_clean() {
    let (site, sink, rspamd) = (Site::new(), sink(), Filter::rspamd());
    let (mx, router) = house(&site, &sink, &rspamd);
    let mut talk = Talk::hello(mx.address());
    let reply = talk.mail("<ann@example.com>", &["<bob@example.org>"], &format!("{HEADER}{GTUBE}\r\n"));
    assert!(reply.is(554, "5.7.1 "), "{reply:?}\n{}", mx.log_end());
    let reply = talk.mail("<ann@example.com>", &["<bob@example.org>"], &format!("{HEADER}hello\r\n"));
    assert!(reply.is(250, ""), "{reply:?}\n{}", mx.log_end());
    let kept = sink.wait_for(1);
    let text = String::from_utf8_lossy(&kept[0].content);
    assert!(text.contains("\r\nX-Spamd-Result: default: ") && text.ends_with("\r\n\r\nhello\r\n"), "{text}");
    assert_eq!((kept.len(), text.matches("Received: ").count()), (1, 2), "{text}\n{}", router.log_end());
    assert_eq!(
        mx.metric("switchyard_policy_verdicts_total{reason=\"filter\",stage=\"content\",verdict=\"reject\"}"),
        1.0
    );
}

#[test]
fn what_a_filter_of_the_mx_holds_is_held_by_the_router_and_what_it_drops_goes_nowhere() {
    let (site, sink, filter) = (Site::new(), sink(), Filter::libmilter());
    let (mx, _router) = house(&site, &sink, &filter);
    let mut talk = Talk::hello(mx.address());
    let message = format!("{HEADER}hello\r\n");
    assert_eq!(talk.mail("<discard@example.com>", &["<bob@example.org>"], &message).code, 250);
    assert_eq!(
        talk.mail("<edit@example.com>", &["<bob@example.org>"], &message).code,
        250,
        "{}",
        mx.log_end()
    );
    let control = site.path("control.sock");
    expect::holds("the message on hold", || {
        let router = ["--router", control.to_str().expect("a plain path")];
        let told = switchyard(["queue", "list", "--queue", "hold"].iter().chain(&router));
        told.code == Some(0) && told.data.contains("on hold by hand: to be looked at\n")
    });
    assert_eq!(sink.count(), 0);

    // A word at RCPT is the recipient's; the filter hears of one that we refuse ourselves.
    assert_eq!(talk.say("MAIL FROM:<ann@example.com>").code, 250);
    for (recipient, code) in [("no@example.org", 550), ("bob@other.example", 554), ("bob@example.org", 250)] {
        assert_eq!(talk.say(&format!("RCPT TO:<{recipient}>")).code, code, "{recipient}");
    }
    let told = filter.told();
    assert!(told.iter().any(|line| line == "rcpt_mailer error"), "{told:?}");

    // Without the filter mail waits at its sender's.
    drop(filter);
    assert_eq!(talk.say("DATA").code, 451);
}
