//! The DNS as a real name server tells it, by the ids of `docs/attacks.md`: delivery to mail exchangers, and
//! what becomes of mail whose domain has none.

use std::net::IpAddr;

use switchyard_tests::expect;
use switchyard_tests::peer::dns::{Dns, Zone};
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Kept, Protocol};
use switchyard_tests::peer::report;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;

const LOOPBACK: &str = "127.0.0.1";

/// A router that asks the DNS for everything, and the only mail exchanger there is.
struct World {
    router: Daemon,
    exchanger: Aiosmtpd,
    _dns: Dns,
    _site: Site,
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl World {
    fn start(zone: Zone, change: impl FnOnce(&mut Daemon)) -> Self {
        // sender.example is where reports go.
        let zone =
            zone.mx("sender.example", 10, "mx.sender.example").host("mx.sender.example", address(LOOPBACK));
        let dns = Dns::start(&zone);
        let exchanger = Aiosmtpd::start(Protocol::Smtp, &Behaviour::default());
        let site = Site::new();
        let mut router = site.router("router1", site.free_address());
        router.settings.unset("route", "relayhost");
        router.settings.set("dns", "servers", &format!("[{}]", quoted(dns.address())));
        router.settings.set("dns", "timeout", "\"1s\"");
        router.settings.set("deliver", "port", &exchanger.address().port().to_string());
        router.settings.set("deliver", "address_filter_allow", "[\"127.0.0.1/32\"]");
        change(&mut router);
        router.start();
        Self { router, exchanger, _dns: dns, _site: site }
    }

    fn send(&self, to: &str) {
        let mut talk = Talk::hello(self.router.address());
        let reply = talk.mail("<a@sender.example>", &[&format!("<{to}>")], "Subject: hello\r\n\r\nworld\r\n");
        assert_eq!(reply.code, 250, "{reply:?}");
    }

    /// Sends one, and tells with which status it came back.
    fn returned(&self, to: &str) -> String {
        let before = self.exchanger.count();
        self.send(to);
        let kept = self.exchanger.wait_for(before + 1);
        let Kept { reverse_path, content, .. } = &kept[before];
        assert_eq!(reverse_path, "", "{}", String::from_utf8_lossy(content));
        let told = report::read(content);
        let one = &told["recipients"][0];
        assert_eq!(one["final-recipient"], format!("rfc822;{to}"), "{told:#}");
        assert_eq!(one["action"], "failed", "{told:#}");
        one["status"].as_str().unwrap_or_default().to_owned()
    }
}

#[test]
fn mail_goes_to_the_best_mail_exchanger_that_answers_or_to_the_domain_itself() {
    let zone = Zone::default()
        // Nothing listens on the port of the first, which is another loopback address.
        .mx("example.com", 5, "down.example.com")
        .host("down.example.com", address("127.0.0.77"))
        .mx("example.com", 10, "mx.example.com")
        .host("mx.example.com", address(LOOPBACK))
        .host("bare.example", address(LOOPBACK));
    let allow = |router: &mut Daemon| {
        router.settings.set("deliver", "address_filter_allow", "[\"127.0.0.0/8\"]");
    };
    let world = World::start(zone, allow);
    for (to, number) in [("somebody@example.com", 1), ("somebody@bare.example", 2)] {
        world.send(to);
        let kept = world.exchanger.wait_for(number);
        assert_eq!(kept[number - 1].recipients, [to]);
    }
}

#[test]
fn d1_a_null_mx_gives_mail_back_at_once() {
    let world = World::start(Zone::default().null_mx("silent.example"), |_| ());
    assert_eq!(world.returned("somebody@silent.example"), "5.1.10");
}

#[test]
fn d2_an_mx_in_a_network_of_our_own_is_never_dialled() {
    let zone = Zone::default().mx("inside.example", 10, "host.inside.example");
    // Somebody else's name for our loopback: an address of it that the settings do not allow.
    let world = World::start(zone.host("host.inside.example", address("127.0.0.9")), |_| ());
    assert_eq!(world.returned("somebody@inside.example"), "5.4.4");
}

#[test]
fn d5_what_does_not_exist_comes_back_and_what_cannot_be_known_waits() {
    let world = World::start(Zone::default().unreachable("dark.example"), |_| ());
    assert_eq!(world.returned("somebody@nowhere.example"), "5.1.2");

    let before = world.exchanger.count();
    world.send("somebody@dark.example");
    expect::holds("two attempts that are put off", || {
        let log = world.router.log();
        let put_off = |line: &&str| line.contains("somebody@dark.example") && line.contains("deferred");
        log.lines().filter(put_off).count() >= 2
    });
    assert!(world.router.log().contains("4.4.3"), "{}", world.router.log_end());
    assert_eq!(world.router.metric("switchyard_spool_messages"), 1.0, "it is kept");
    assert_eq!(world.exchanger.count(), before, "and nobody is told anything yet");
}

#[test]
fn l2_an_mx_that_is_this_very_host_is_a_loop() {
    let zone = Zone::default()
        .mx("loop.example", 10, "router1.example.org")
        .host("router1.example.org", address("127.0.0.1"))
        // Worse than ourselves: mail must not go back there.
        .mx("worse.example", 10, "router1.example.org")
        .mx("worse.example", 20, "mx.sender.example");
    let world = World::start(zone, |_| ());
    for to in ["somebody@loop.example", "somebody@worse.example"] {
        assert_eq!(world.returned(to), "5.4.6", "{to}");
    }
}
