//! A router that asks filters about the mail it takes: programs of Debian's packages, one over libmilter, and our own.

use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::milter::Filter;
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Protocol};
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::switchyard;

pub(super) const MESSAGE: &str = "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: lunch\r\n\
                       Date: Tue, 3 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n";

/// Has a daemon ask filters at these places, in this order.
pub(super) fn ask(daemon: &mut Daemon, filters: &[(&str, &[String])]) {
    let list = |words: Vec<String>| format!("[{}]", words.join(", "));
    let names = filters.iter().map(|(name, _)| quoted(name)).collect();
    daemon.settings.set("accept", "milters", &list(names));
    for (name, places) in filters {
        let places = places.iter().map(quoted).collect();
        daemon.settings.set(&format!("milters.{name}"), "places", &list(places));
    }
}

/// A router before this server that asks filters.
fn asking(site: &Site, sink: &Aiosmtpd, filters: &[(&str, &[String])]) -> Daemon {
    let mut router = site.router("router", sink.address());
    ask(&mut router, filters);
    router.settings.set("control", "socket", &quoted(site.path("control.sock").display()));
    router
}

pub(super) fn unix(filter: &Filter) -> String {
    format!("unix:{}", filter.socket().display())
}

pub(super) fn sink() -> Aiosmtpd {
    Aiosmtpd::start(Protocol::Smtp, &Behaviour::default())
}

/// From MAIL to the first reply that is no "go on".
fn send(talk: &mut Talk, what: &str) -> (u16, String) {
    let mut reply = talk.say(&format!("MAIL FROM:<{what}@example.org>"));
    for line in ["RCPT TO:<bob@example.org>", "DATA", &format!("{MESSAGE}.")] {
        if reply.code >= 400 {
            break;
        }
        reply = talk.say(line);
    }
    (reply.code, reply.text)
}

#[test]
fn opendkim_signs_what_the_router_takes_and_our_own_filter_agrees() {
    let (site, sink, opendkim) = (Site::new(), sink(), Filter::opendkim());
    let ghost = Filter::libmilter();
    let records = Records::default().txt("test._domainkey.example.org", &opendkim.dkim_record());
    let dns = Knot::start(&records);
    let mut own = site.filter("own", dns.address());
    own.start();
    let places = [unix(&opendkim), own.address().to_string(), unix(&ghost)];
    let filters = [("sign", &places[..1]), ("verify", &places[1..2]), ("ghost", &places[2..])];
    let mut router = asking(&site, &sink, &filters);
    // It says nothing of what the other two put in.
    router.settings.set("milters.ghost", "shadow", "true");
    router.start();
    for number in 1..=2 {
        let reply = Talk::hello(router.address()).mail("<ann@example.org>", &["<bob@example.net>"], MESSAGE);
        assert!(reply.is(250, ""), "{reply:?}\n{}", router.log_end());
        let kept = sink.wait_for(number).pop().expect("a message");
        let text = String::from_utf8_lossy(&kept.content).replace("\r\n\t", " ").replace("\r\n ", " ");
        assert!(opendkim.dkimpy_agrees(&kept.content), "{text}");
        let verdict = text.lines().find(|line| line.starts_with("Authentication-Results: own.example.org"));
        assert!(verdict.is_some_and(|verdict| verdict.contains("dkim=pass")), "{text}");
    }
    let answered =
        "switchyard_milter_events_seconds_count{action=\"continue\",event=\"eom\",filter=\"verify\"}";
    assert_eq!(router.metric(answered), 2.0);
    let differs = "switchyard_milter_shadow_total{filter=\"ghost\",result=\"edits\"}";
    expect::holds("the shadow to be counted", || router.metric(differs) == 2.0);
}

#[test]
fn each_word_of_a_filter_is_what_the_client_hears_and_what_becomes_of_the_mail() {
    let (site, sink, filter) = (Site::new(), sink(), Filter::libmilter());
    let mut router = asking(&site, &sink, &[("test", &[unix(&filter)])]);
    router.settings.set("relay", "xforward_networks", "[]");
    router.start();
    let mut talk = Talk::hello(router.address());
    for (what, code, text) in [
        ("at-envfrom-reject", 550, "5.7.1 Refused by a mail filter"),
        ("reject", 550, "5.7.1 Refused by a mail filter"),
        ("tempfail", 451, "4.7.1 Message cannot be taken now"),
        ("reply", 554, "5.7.1 one\n5.7.1 two is 100%\n5.7.1 three"),
        ("at-data-discard", 250, ""),
        ("discard", 250, ""),
        ("accept", 250, ""),
    ] {
        let reply = send(&mut talk, what);
        assert!(reply.0 == code && reply.1.starts_with(text), "{what}: {reply:?}");
        talk.say("RSET");
    }
    // Only the last of them goes anywhere.
    assert_eq!(sink.wait_for(1).len(), 1);
    let reply = talk.say("MAIL FROM:<recipients@example.org>");
    assert_eq!(reply.code, 250, "{reply:?}");
    for (recipient, code) in [("no@example.org", 550), ("later@example.org", 451), ("ann@example.org", 250)] {
        assert_eq!(talk.say(&format!("RCPT TO:<{recipient}>")).code, code, "{recipient}");
    }
    talk.say("RSET");

    for (stage, verdict, count) in [
        ("sender", "refused", 1.0),
        ("recipient", "refused", 1.0),
        ("recipient", "deferred", 1.0),
        ("content", "refused", 2.0),
        ("content", "deferred", 1.0),
    ] {
        let counter =
            format!("switchyard_policy_verdicts_total{{stage=\"{stage}\",verdict=\"filter_{verdict}\"}}");
        assert_eq!(router.metric(&counter), count, "{counter}");
    }
    let told = router.log();
    let refused =
        told.lines().find(|line| line.contains("refused session=") && line.contains("stage=sender"));
    assert!(refused.is_some_and(|line| line.contains("reply=550 5.7.1 ")), "{told}");

    // What it changes is changed, and what it holds is held.
    assert_eq!(send(&mut talk, "edit").0, 250);
    let control = site.path("control.sock");
    let queue = |words: &[&str]| {
        switchyard(
            ["queue"].iter().chain(words).chain(&["--router", control.to_str().expect("a plain path")]),
        )
    };
    expect::holds("the message on hold", || {
        let told = queue(&["list", "--queue", "hold"]);
        told.code == Some(0) && told.data.contains("on hold by hand: to be looked at\n")
    });
    assert_eq!(sink.count(), 1);
    let told = queue(&["release", "--all"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let kept = sink.wait_for(2).pop().expect("a message");
    assert_eq!(kept.reverse_path, "new@example.org");
    let mut recipients = kept.recipients.clone();
    recipients.sort();
    assert_eq!(recipients, ["more@example.org", "plain@example.org"]);
    let text = String::from_utf8_lossy(&kept.content);
    assert!(text.starts_with("X-Top: at the top\r\nX-Second: folded\r\n\tonce\r\nReceived: "), "{text}");
    assert!(text.contains("\r\nSubject: changed\r\n") && !text.contains("hello"), "{text}");
}

#[test]
fn a_filter_that_dies_in_mid_message_is_replaced_and_without_any_the_setting_holds() {
    let (site, sink) = (Site::new(), sink());
    let (first, second) = (Filter::libmilter(), Filter::libmilter());
    let mut router = asking(&site, &sink, &[("test", &[unix(&first), unix(&second)])]);
    router.start();
    let mut talk = Talk::hello(router.address());
    for line in ["MAIL FROM:<accept@example.org>", "RCPT TO:<bob@example.org>"] {
        assert_eq!(talk.say(line).code, 250);
    }
    let told = first.told();
    assert!(told.iter().any(|line| line.starts_with("envrcpt ")), "{told:?}");
    drop(first);
    assert_eq!(talk.say("DATA").code, 354);
    assert_eq!(talk.say(&format!("{MESSAGE}.")).code, 250);
    assert_eq!(sink.wait_for(1).len(), 1);
    let told = second.told();
    for event in ["envfrom ", "envrcpt ", "eom"] {
        assert_eq!(told.iter().filter(|line| line.starts_with(event)).count(), 1, "{event}: {told:?}");
    }
    assert_eq!(router.metric("switchyard_milter_replays_total{filter=\"test\"}"), 1.0);

    drop(second);
    let reply = send(&mut talk, "accept");
    assert!(reply.0 == 451 && reply.1.starts_with("4.7.1 "), "{reply:?}");
    // A reload brings another word for that.
    router.settings.set("milters.test", "when_down", "\"accept\"");
    router.write_settings();
    router.reload();
    expect::holds("the new setting", || send(&mut Talk::hello(router.address()), "accept").0 == 250);
    assert_eq!(sink.wait_for(2).len(), 2);
}
