//! What senders are told: a report by RFC 3464, to the sender's own mailbox by the router's own maps, and none
//! where none may be.

use switchyard_tests::peer::nexthop;
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Protocol};
use switchyard_tests::peer::report;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;

use super::await_empty;

/// A site of two domains: example.net, whose server refuses nobody@, and example.org, where senders have theirs.
struct Two {
    net: Aiosmtpd,
    org: Aiosmtpd,
    mx: Daemon,
    router: Daemon,
    _site: Site,
}

impl Two {
    fn start(transport: &str) -> Self {
        let protocol = if transport == "lmtp" { Protocol::Lmtp } else { Protocol::Smtp };
        let refuse = vec!["nobody@example.net".to_owned()];
        let net = Aiosmtpd::start(protocol, &Behaviour { refuse, ..Behaviour::default() });
        let org = Aiosmtpd::start(Protocol::Smtp, &Behaviour::default());
        let site = Site::new();
        let (to_net, to_org) = (nexthop(net.address()), nexthop(org.address()));
        site.write(
            "maps/transport",
            &format!("example.net {transport}:{to_net}\nexample.org smtp:{to_org}\n"),
        );
        let mut router = site.router("router1", site.free_address());
        router.settings.unset("route", "relayhost");
        router.settings.set("maps", "folder", &quoted(site.path("maps").display()));
        router.settings.set("maps", "transport", "\"transport\"");
        let mut mx = site.mx("mx1", &[router.address()]);
        router.start();
        mx.start();
        Self { net, org, mx, router, _site: site }
    }

    fn dsn(&self) -> f64 {
        self.router.metric("switchyard_dsn_total")
    }
}

const CONTENT: &str = "Subject: a question\r\nFrom: alice@example.org\r\n\r\nWhere are you?\r\n";

#[test]
fn a_failure_comes_back_as_a_report_that_others_can_read() {
    let two = Two::start("smtp");
    let mut talk = Talk::hello(two.mx.address());
    let to =
        ["<nobody@example.net> NOTIFY=FAILURE ORCPT=rfc822;no+2Bbody@example.net", "<somebody@example.net>"];
    let reply = talk.mail("<alice@example.org> RET=FULL ENVID=Q-1", &to, CONTENT);
    assert_eq!(reply.code, 250, "{reply:?}");
    let kept = two.org.wait_for(1).remove(0);
    await_empty(&two.router);

    assert_eq!((&*kept.reverse_path, &*kept.recipients), ("", &["alice@example.org".to_owned()][..]));
    let told = report::read(&kept.content);
    let one = &told["recipients"][0];
    for (found, expected) in [
        (&told["type"], "multipart/report"),
        (&told["report"], "delivery-status"),
        (&told["to"], "alice@example.org"),
        (&told["auto"], "auto-replied"),
        (&told["subject"], "a question"),
        (&told["message"]["reporting-mta"], "dns;router1.example.org"),
        (&told["message"]["original-envelope-id"], "Q-1"),
        (&one["final-recipient"], "rfc822;nobody@example.net"),
        (&one["original-recipient"], "rfc822;no+body@example.net"),
        (&one["action"], "failed"),
        (&one["status"], "5.1.1"),
    ] {
        assert_eq!(found, expected, "{told:#}");
    }
    assert_eq!(told["parts"][1], "message/delivery-status");
    assert_eq!(told["parts"][2], "message/rfc822", "RET=FULL asks for the whole message");
    let diagnostic = one["diagnostic-code"].as_str().unwrap_or_default();
    assert!(diagnostic.starts_with("smtp;") && diagnostic.contains("no such user here"), "{told:#}");
    assert_eq!(told["recipients"].as_array().map(Vec::len), Some(1), "{told:#}");
    assert_eq!(told["defects"].as_array().map(Vec::len), Some(0), "{told:#}");
    assert_eq!(
        (two.net.count(), two.org.count()),
        (1, 1),
        "the other recipient has it; alice has one report"
    );
}

#[test]
fn b1_no_report_is_made_for_the_null_reverse_path_nor_where_the_sender_wants_none() {
    let two = Two::start("smtp");
    let mut talk = Talk::hello(two.mx.address());
    assert_eq!(talk.mail("<>", &["<nobody@example.net>"], CONTENT).code, 250);
    let quiet = talk.mail("<alice@example.org>", &["<nobody@example.net> NOTIFY=NEVER"], CONTENT);
    assert_eq!(quiet.code, 250);
    await_empty(&two.router);
    let bounced = |log: &str| log.lines().filter(|line| line.contains("bounced")).count();
    assert_eq!(bounced(&two.router.log()), 2, "{}", two.router.log_end());
    assert_eq!((two.net.count(), two.org.count()), (0, 0));
}

#[test]
fn success_is_told_where_it_is_asked_for_and_only_there() {
    // LMTP says that it is in the mailbox; an SMTP server without DSN only that it has it.
    for (transport, action) in [("lmtp", "delivered"), ("smtp", "relayed")] {
        let two = Two::start(transport);
        let mut talk = Talk::hello(two.mx.address());
        let to = ["<somebody@example.net> NOTIFY=SUCCESS", "<other@example.net>"];
        assert_eq!(talk.mail("<alice@example.org>", &to, CONTENT).code, 250);
        let kept = two.org.wait_for(1).remove(0);
        await_empty(&two.router);
        let told = report::read(&kept.content);
        assert_eq!(told["recipients"].as_array().map(Vec::len), Some(1), "{told:#}");
        assert_eq!(told["recipients"][0]["action"], action, "{told:#}");
        assert_eq!(told["recipients"][0]["final-recipient"], "rfc822;somebody@example.net", "{told:#}");
        assert!(told["recipients"][0]["status"].as_str().is_some_and(|status| status.starts_with("2.")));
        assert_eq!((two.org.count(), two.dsn()), (1, 1.0));
    }
}
