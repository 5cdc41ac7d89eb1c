//! Five hosts of one site between the world and the internal systems, each of these a Postfix: mail flows in and out;
//! one host of each role is wiped, and is back from its name alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use switchyard_tests::expect;
use switchyard_tests::network::{Host, Network, Segment};
use switchyard_tests::peer::dns::{Dns, Zone};
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::tool::{switchyard, write};
use tempfile::TempDir;

use super::hosts::Raised;

/// Two front hosts and the outbound have a leg in each network, as such hosts do; routers are inside only.
const SITE: &str = r#"[facts]
origin = "example.org"
networks = ["10.0.0.0/24"]
resolvers = ["10.0.0.53:53"]
relayhost = "@outbound"
mailboxes = ["10.0.0.10"]

[[host]]
name = "mx1.example.org"
role = "mx"
addresses = ["10.0.0.11", "192.0.2.11"]

[[host]]
name = "mx2.example.org"
role = "mx"
addresses = ["10.0.0.12", "192.0.2.12"]

[[host]]
name = "router1.example.org"
role = "router"
addresses = ["10.0.0.21"]

[[host]]
name = "router2.example.org"
role = "router"
addresses = ["10.0.0.22"]

[[host]]
name = "outbound1.example.org"
role = "outbound"
addresses = ["10.0.0.31", "192.0.2.31"]
"#;

/// The internal systems are a pool, and a host that is away is asked again soon.
const LAYERS: &[(&str, &str)] = &[
    ("role/router.toml", "[pools.mailboxes]\nmembers = [\"[${mailboxes}]:25\"]\n"),
    ("role/mx.toml", "[routers]\nconnect_timeout = \"1s\"\nretry_dead_after = \"1s\"\n"),
    ("maps/transport", "example.org smtp:@mailboxes\n"),
    ("base.toml", "[log]\nformat = \"text\"\n"),
    // Filters: routers tell what mail of the world proves, and what leaves is marked.
    ("role/router/milter.toml", "[verify]\ntimeout = \"10s\"\n"),
    ("role/outbound/milter.toml", "[maps]\nsender_headers = \"static:{add X-Left-By: us}\"\n"),
];

const SOON: &str = "\n[queue]\nminimal_backoff = \"1s\"\nmaximal_backoff = \"1s\"\ndead_destination_wait = \"1s\"\n\n\
                    [deliver]\nconnect_timeout = \"1s\"\n\n[spool]\nmin_free = \"1MiB\"\n";

const HOSTS: [&str; 5] = [
    "mx1.example.org",
    "mx2.example.org",
    "router1.example.org",
    "router2.example.org",
    "outbound1.example.org",
];

/// Messages until each of two equal hosts has had one: far more than chance needs.
const MANY: usize = 60;

/// The site, and what lies around it.
struct World {
    // In this order: daemons end before the hosts they run on, hosts before the switch.
    outside: Postfix,
    inside: Postfix,
    _names: Dns,
    raised: BTreeMap<&'static str, Raised>,
    outside_host: Host,
    inside_host: Host,
    _names_host: Host,
    network: Network,
    site: PathBuf,
    _folder: TempDir,
    sent: usize,
}

#[test]
fn five_hosts_of_one_site_take_mail_in_and_out_and_a_wiped_one_is_back_from_its_name_alone() {
    let mut world = World::new();
    let all = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
    world.take_in_until(&all(&HOSTS[..4]));
    world.send_out_until(&all(&["router1.example.org", "outbound1.example.org"]));

    let wiped = ["mx1.example.org", "router1.example.org", "outbound1.example.org"];
    let before: Vec<_> = wiped.iter().map(|name| world.raised[name].settings()).collect();
    for name in wiped {
        drop(world.raised.remove(name));
    }
    // The site goes on without them: in by the others, out as soon as there is a way out again.
    let way = world.take_in();
    assert_eq!(way, all(&["mx2.example.org", "router2.example.org"]));
    let waiting = world.send_out();
    expect::holds("mail that waits for the way out", || {
        world.raised["router2.example.org"].log().contains("status=deferred")
    });
    for (name, before) in wiped.iter().zip(before) {
        world.raise(name);
        assert_eq!(world.raised[name].settings(), before, "{name} is what it was");
    }
    let way = world.await_outside(&waiting);
    assert_eq!(way, all(&["router2.example.org", "outbound1.example.org"]));
    world.take_in_until(&all(&HOSTS[..4]));
    world.send_out_until(&all(&["router1.example.org", "outbound1.example.org"]));
    println!("five hosts: {} messages in and out, each once", world.sent);
    assert_eq!(world.inside.delivered() + world.outside.delivered(), world.sent, "each message once");
}

impl World {
    fn new() -> Self {
        let folder = TempDir::with_prefix("switchyard-five-").expect("a folder");
        let site = folder.path().join("site");
        let made = switchyard(["init", site.to_str().expect("a plain path")]);
        assert_eq!(made.code, Some(0), "{}", made.speech);
        write(&site.join("site.toml"), SITE);
        for (name, text) in LAYERS {
            let path = site.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            write(&path, text);
        }
        for role in ["router", "outbound"] {
            let path = site.join(format!("role/{role}.toml"));
            let text = fs::read_to_string(&path).unwrap_or_default();
            write(&path, &format!("{text}{SOON}"));
        }

        let network = Network::new();
        let names_host =
            network.host("ns.example", &[(Segment::Outside, ip(192, 53)), (Segment::Inside, ip(10, 53))]);
        let mut zone = Zone::default()
            .mx("world.example", 10, "mail.world.example")
            .host("mail.world.example", ip(192, 100))
            .host("outbound1.example.org", ip(192, 31))
            .txt("world.example", "v=spf1 ip4:192.0.2.100 -all");
        for (name, last) in [(HOSTS[0], 11), (HOSTS[1], 12)] {
            zone = zone.mx("example.org", 10, name).host(name, ip(192, last));
        }
        let names = Dns::start_on(&names_host, &zone);

        let outside_host = network.host("mail.world.example", &[(Segment::Outside, ip(192, 100))]);
        outside_host.asks(ip(192, 53));
        let outside = postfix(
            &outside_host,
            "mail.world.example",
            &[
                ("virtual_mailbox_domains", "world.example"),
                ("mynetworks", "127.0.0.0/8, 192.0.2.0/24"),
                ("disable_dns_lookups", "no"),
                ("smtp_host_lookup", "dns"),
            ],
        );
        let inside_host = network.host("mail.inside.example", &[(Segment::Inside, ip(10, 10))]);
        let inside = postfix(
            &inside_host,
            "mail.inside.example",
            &[
                ("virtual_mailbox_domains", "example.org"),
                ("mynetworks", "127.0.0.0/8, 10.0.0.0/24"),
                ("relayhost", "[10.0.0.21]:25, [10.0.0.22]:25"),
            ],
        );
        let mut world = Self {
            outside,
            inside,
            _names: names,
            raised: BTreeMap::new(),
            outside_host,
            inside_host,
            _names_host: names_host,
            network,
            site,
            _folder: folder,
            sent: 0,
        };
        HOSTS.iter().for_each(|name| world.raise(name));
        world
    }

    fn raise(&mut self, name: &'static str) {
        self.raised.insert(name, Raised::new(&self.network, &self.site, name));
    }

    /// A message from the world to a user of the site, by whichever way; which hosts it went through.
    fn take_in(&mut self) -> BTreeSet<&'static str> {
        let subject = self.send(&self.outside_host, "somebody@world.example", "alice@example.org");
        self.sent += 1;
        let message = self.arrived(&self.inside, &subject);
        // The filter beside a router was told of the client that the mx met.
        assert!(message.contains("spf=pass") && message.contains("world.example"), "{message}");
        way(&message)
    }

    /// A message from a user of the site to the world, given to the internal server.
    fn send_out(&mut self) -> String {
        self.sent += 1;
        self.send(&self.inside_host, "alice@example.org", "somebody@world.example")
    }

    fn await_outside(&self, subject: &str) -> BTreeSet<&'static str> {
        let message = self.arrived(&self.outside, subject);
        assert!(message.contains("X-Left-By: us"), "{message}");
        way(&message)
    }

    fn take_in_until(&mut self, hosts: &BTreeSet<&'static str>) {
        let mut seen = BTreeSet::new();
        for _ in 0..MANY {
            let way = self.take_in();
            assert_eq!(way.len(), 2, "an mx and a router: {way:?}");
            seen.extend(way);
            if seen.is_superset(hosts) {
                return;
            }
        }
        panic!("{MANY} messages, and only {seen:?} had one");
    }

    fn send_out_until(&mut self, hosts: &BTreeSet<&'static str>) {
        let mut seen = BTreeSet::new();
        for _ in 0..MANY {
            let subject = self.send_out();
            seen.extend(self.await_outside(&subject));
            if seen.is_superset(hosts) {
                return;
            }
        }
        panic!("{MANY} messages, and only {seen:?} had one");
    }

    /// Gives a message to the Postfix of a host, and tells its subject.
    fn send(&self, host: &Host, from: &str, to: &str) -> String {
        let subject = format!("Subject: message {}.", self.sent);
        host.run(
            "swaks",
            [
                "--server",
                "127.0.0.1:25",
                "--helo",
                "user.example",
                "--from",
                from,
                "--to",
                to,
                "--header",
                &subject,
            ],
        );
        subject
    }

    /// Waits for a message in the mailbox of a Postfix.
    fn arrived(&self, postfix: &Postfix, subject: &str) -> String {
        expect::until(&format!("{subject:?} in its mailbox"), || {
            let texts =
                postfix.messages().into_iter().map(|octets| String::from_utf8_lossy(&octets).into_owned());
            texts.into_iter().find(|text| text.contains(subject))
        })
    }
}

/// Which of our hosts a message went through.
fn way(message: &str) -> BTreeSet<&'static str> {
    HOSTS.into_iter().filter(|name| message.contains(&format!("by {name} "))).collect()
}

fn postfix(host: &Host, name: &str, settings: &[(&str, &str)]) -> Postfix {
    let mut settings = settings.to_vec();
    settings.extend([("inet_interfaces", "all"), ("smtp_connect_timeout", "1s")]);
    // Each message asks the DNS anew; a connection kept for the next one would always be to the same host.
    settings.push(("smtp_connection_cache_on_demand", "no"));
    // What a host away leaves waiting is tried again at once.
    let times = ["minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"];
    settings.extend(times.map(|time| (time, "1s")));
    Postfix::start(&Options {
        host_name: name,
        settings: &settings,
        host: Some(host),
        ..Options::new(Onward::Maildir)
    })
}

/// 192.0.2.x is the world, 10.0.0.x the site's own network.
fn ip(network: u8, last: u8) -> IpAddr {
    let middle = if network == 192 { 2 } else { 0 };
    IpAddr::V4(Ipv4Addr::new(network, 0, middle, last))
}
