//! Filters that are asked on the way out, by next hop, and whose mail they are told it is there.

use switchyard_tests::expect;
use switchyard_tests::peer::milter::Filter;
use switchyard_tests::peer::python::Aiosmtpd;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::switchyard;

use super::router::{MESSAGE, ask, sink, unix};

/// A router that sends mail for `gw.example` to one server and all other mail to another one.
fn parting(site: &Site, gateway: &Aiosmtpd, other: &Aiosmtpd, filters: &[(&str, &[String])]) -> Daemon {
    let mut router = site.router("router", other.address());
    ask(&mut router, filters);
    router.settings.set("accept", "milters", "[]");
    router.settings.set("control", "socket", &quoted(site.path("control.sock").display()));
    router.settings.set("maps", "folder", &quoted(site.path("maps").display()));
    router.settings.set("maps", "transport", &quoted("transport"));
    site.write("maps/transport", &format!("gw.example smtp:{}\n", hop(gateway)));
    router
}

fn hop(server: &Aiosmtpd) -> String {
    format!("[{}]:{}", server.address().ip(), server.address().port())
}

/// What the operator's tool says of the router's queue.
fn queue(site: &Site, words: &[&str]) -> String {
    let control = site.path("control.sock");
    let router = ["--router", control.to_str().expect("a plain path")];
    switchyard(["queue"].iter().chain(words).chain(&router)).data
}

fn signed(content: &[u8]) -> bool {
    String::from_utf8_lossy(content).contains("DKIM-Signature: ")
}

#[test]
fn each_next_hop_has_its_own_copy_of_what_its_filters_make_of_the_mail() {
    let (site, gateway, other) = (Site::new(), sink(), sink());
    let (opendkim, words) = (Filter::opendkim(), Filter::libmilter());
    let filters = [("sign", &[unix(&opendkim)][..]), ("words", &[unix(&words)])];
    let mut router = parting(&site, &gateway, &other, &filters);
    router.settings.set("deliver", "milters", "[\"words\", \"sign\"]");
    router.settings.set("milters.sign", "nexthops", &format!("[{}]", quoted(hop(&gateway))));
    router.start();
    let mut talk = Talk::hello(router.address());
    let to = ["<bob@gw.example>", "<carol@example.net>"];
    let reply = talk.mail("<ann@example.org>", &to, MESSAGE);
    assert!(reply.is(250, ""), "{reply:?}\n{}", router.log_end());
    let (here, there) = (gateway.wait_for(1).remove(0), other.wait_for(1).remove(0));
    assert!(opendkim.dkimpy_agrees(&here.content), "{}", String::from_utf8_lossy(&here.content));
    assert!(!signed(&there.content), "{}", String::from_utf8_lossy(&there.content));
    assert_eq!(
        (here.recipients, there.recipients),
        (vec!["bob@gw.example".into()], vec!["carol@example.net".into()])
    );
    let told = words.told();
    assert_eq!(told.iter().filter(|line| *line == "eom").count(), 2, "{told:?}");

    // A stranger's mail is a stranger's on the way out, too: nothing is signed for him.
    assert_eq!(talk.say("XFORWARD ADDR=192.0.2.7 HELO=client.example").code, 250);
    assert_eq!(talk.mail("<ann@example.org>", &to[..1], MESSAGE).code, 250);
    assert!(!signed(&gateway.wait_for(2).remove(1).content));
    let told = words.told();
    assert!(told.contains(&"connect [192.0.2.7]".to_owned()), "{told:?}");
    assert!(told.contains(&"helo client.example".to_owned()), "{told:?}");

    // What is refused there is reported: the client has gone with its 250.
    assert_eq!(talk.mail("<reject@example.org>", &to[..1], MESSAGE).code, 250);
    let report = other.wait_for(2).remove(1);
    let text = String::from_utf8_lossy(&report.content);
    assert!(text.contains("a filter says: 550 5.7.1 Refused by a mail filter"), "{text}");

    // A recipient more cannot be had there; none of that filter's edits are made.
    assert_eq!(talk.mail("<edit@example.org>", &["<bob@example.org>"], MESSAGE).code, 250);
    expect::holds("the message to be put off", || {
        queue(&site, &["list", "--queue", "deferred"]).contains("A filter adds <plain@example.org>")
    });
    router.settings.set("deliver", "milters", "[\"sign\"]");
    router.write_settings();
    router.reload();
    let kept = other.wait_for(3).remove(2);
    assert!(kept.reverse_path == "edit@example.org" && kept.recipients == ["bob@example.org"], "{kept:?}");
    assert_eq!(gateway.count(), 2);
    let explained = {
        let control = site.path("control.sock");
        let daemon = ["explain", "--daemon", control.to_str().expect("a plain path")];
        switchyard(daemon.iter().chain(&["--to", "bob@gw.example", "--client", "127.0.0.1"])).data
    };
    assert!(explained.contains("before it leaves") && explained.contains("sign"), "{explained}");
}

#[test]
fn what_is_held_on_the_way_out_waits_for_a_hand() {
    let (site, sink) = (Site::new(), sink());
    let gone = [format!("unix:{}", site.path("nobody").display())];
    let mut router = parting(&site, &sink, &sink, &[("gone", &gone)]);
    router.settings.set("deliver", "milters", "[\"gone\"]");
    router.settings.set("milters.gone", "when_down", "\"quarantine\"");
    router.start();
    assert_eq!(
        Talk::hello(router.address()).mail("<ann@example.org>", &["<bob@gw.example>"], MESSAGE).code,
        250
    );
    expect::holds("the message on hold", || {
        queue(&site, &["list", "--queue", "hold"]).contains("on hold by hand: filter gone is down")
    });
    assert_eq!(sink.count(), 0);
    // Nobody holds it again, though the filter is as gone as before.
    queue(&site, &["release", "--all"]);
    assert_eq!(sink.wait_for(1).remove(0).recipients, ["bob@gw.example"]);
}

#[test]
fn m8_a_filter_behind_a_router_of_ours_judges_the_client_that_the_mail_came_from() {
    let (site, sink, filter) = (Site::new(), sink(), Filter::libmilter());
    let mut outbound = site.router("outbound", sink.address());
    ask(&mut outbound, &[("words", &[unix(&filter)])]);
    outbound.start();
    let mut router = site.router("router", outbound.address());
    router.settings.set("deliver", "xforward_networks", "[\"127.0.0.0/8\"]");
    router.start();
    let mut talk = Talk::hello(router.address());
    assert_eq!(talk.say("XFORWARD ADDR=192.0.2.7 HELO=client.example").code, 250);
    assert_eq!(talk.mail("<ann@example.org>", &["<bob@example.net>"], MESSAGE).code, 250);
    assert_eq!(sink.wait_for(1).len(), 1);
    let told = filter.told();
    for line in ["connect [192.0.2.7]", "helo client.example", "envfrom <ann@example.org>"] {
        assert!(told.iter().any(|told| told == line), "{line}: {told:?}");
    }
}

#[test]
fn a_listener_has_filters_of_its_own() {
    let (site, sink, filter) = (Site::new(), sink(), Filter::libmilter());
    let mut router = site.router("router", sink.address());
    ask(&mut router, &[("words", &[unix(&filter)])]);
    router.settings.set("relay", "xforward_networks", "[]");
    let code =
        |router: &Daemon| Talk::hello(router.address()).say("MAIL FROM:<at-envfrom-reject@example.org>").code;
    router.settings.set("[listen.smtp]", "milters", "[]");
    router.start();
    assert_eq!(code(&router), 250);
    router.settings.set("accept", "milters", "[]");
    router.settings.set("[listen.smtp]", "milters", "[\"words\"]");
    router.write_settings();
    router.reload();
    expect::holds("the listener's filter to be asked", || code(&router) == 550);
}
