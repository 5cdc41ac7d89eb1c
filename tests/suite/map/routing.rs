//! Whole addresses through whole sites, against a Postfix with the same tables: where they go, which domains are
//! ours, and what they stand for.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;
use switchyard_maps::{Answer, MapName, Resolved, Route, Side, Snapshot};
use switchyard_smtp::address::{Host, Mailbox};
use switchyard_tests::expect;
use switchyard_tests::peer::postfix::Postfix;
use switchyard_tests::peer::postmap::{Postmap, Program};
use switchyard_tests::peer::rewrite::{Class, Rewrite};
use switchyard_tests::tables::site::{ORIGIN, Site};
use switchyard_tests::tables::{chance, seed};
use switchyard_tests::talk::Talk;

use self::world::{Parents, World};

/// Sites, and addresses asked of each.
const SITES: usize = 2;
const ADDRESSES: usize = 800;

/// As Postfix writes it: transport and next hop.
fn route(maps: &Snapshot, mailbox: &Mailbox) -> (String, String) {
    let default = Route::parse("smtp:", &BTreeSet::new()).expect("a route");
    let route = match maps.route(mailbox) {
        Answer::Found(found) => found.value,
        Answer::NotFound => Route::Keep,
        Answer::Unavailable(unavailable) => panic!("{mailbox}: {unavailable}"),
    };
    match route.resolve(&default, &mailbox.host) {
        Resolved::Deliver(to) => (to.transport.to_string(), to.nexthop.to_string()),
        Resolved::Refuse(notice) => ("error".to_owned(), format!("{} {}", notice.status, notice.text)),
        Resolved::Defer(notice) => ("retry".to_owned(), format!("{} {}", notice.status, notice.text)),
        Resolved::Discard(reason) => ("discard".to_owned(), reason.to_string()),
        Resolved::Hold(reason) => ("hold".to_owned(), reason.to_string()),
    }
}

fn yes<T>(answer: Answer<T>) -> bool {
    match answer {
        Answer::Found(_) => true,
        Answer::NotFound => false,
        Answer::Unavailable(unavailable) => panic!("{unavailable}"),
    }
}

/// What a Postfix and we made of the same addresses.
#[derive(Debug, Default)]
struct Compared {
    asked: u32,
    routed: u32,
    wrong: String,
}

impl Compared {
    /// Asks both where these go.
    fn ask(&mut self, world: &World, addresses: &[String], of: &str) {
        let mut rewrite = Rewrite::connect(&world.postfix);
        for address in addresses {
            let mailbox = Mailbox::parse(address).expect(address);
            let Host::Domain(domain) = &mailbox.host else { continue };
            // Here a user in quotes has an extension too: see the differences.
            if address.starts_with('"') && address.contains('+') {
                continue;
            }
            let way = rewrite.resolve(address);
            self.asked += 1;
            let class = match () {
                () if domain.as_str() == ORIGIN => Class::Local,
                () if yes(world.maps.is_alias_domain(domain)) => Class::VirtualAlias,
                () if yes(world.maps.is_relay_domain(domain)) => Class::Relay,
                () => Class::Default,
            };
            if class != way.class {
                let _ = writeln!(self.wrong, "{of} {address}: Postfix {:?}, we {class:?}", way.class);
            }
            // Those are Postfix's own affair: here aliases come first, and nothing is local.
            if matches!(class, Class::Local | Class::VirtualAlias) {
                continue;
            }
            self.routed += 1;
            // relay is smtp by another name.
            let transport = if way.transport == "relay" { "smtp".to_owned() } else { way.transport };
            let ours = route(&world.maps, &mailbox);
            // A domain has no case.
            let nexthop = if way.nexthop.eq_ignore_ascii_case(domain.as_str()) {
                domain.to_string()
            } else {
                way.nexthop
            };
            if ours != (transport.clone(), nexthop.clone()) {
                let _ = writeln!(self.wrong, "{of} {address}: Postfix {transport}:{nexthop}, we {ours:?}");
            }
        }
    }

    fn are_alike(&self) {
        println!("{} addresses, {} of them routed; seed {}", self.asked, self.routed, seed());
        assert!(self.wrong.is_empty(), "seed {}:\n{}", seed(), self.wrong);
        assert!(self.routed >= 500, "{}", self.routed);
    }
}

#[test]
fn addresses_are_routed_as_trivial_rewrite_routes_them() {
    let uses = [MapName::Transport, MapName::RelayDomains, MapName::VirtualAlias];
    let mut compared = Compared::default();
    for number in 0..SITES {
        let site = Site::new(&mut chance("routing", number), ADDRESSES);
        let parents = if number % 2 == 0 { Parents::NeedADot } else { Parents::Match };
        let world = World::new(&site, parents, &uses, &[]);
        compared.ask(&world, &site.addresses, &format!("{number} {parents:?}"));
    }
    compared.are_alike();
}

/// Lists of a table of patterns and one of keys. Postfix asks all of a list for each key in turn, and patterns
/// for whole addresses only.
const LISTS: [&[&str]; 3] = [
    &["regexp:patterns", "hash:transport"],
    &["hash:transport", "regexp:patterns"],
    &["pcre:more", "hash:transport", "regexp:patterns"],
];

#[test]
fn patterns_and_keys_in_one_list_are_asked_as_trivial_rewrite_asks_them() {
    let mut compared = Compared::default();
    for (number, list) in LISTS.iter().enumerate() {
        let rng = &mut chance("mixed", number);
        let site = Site::new(rng, ADDRESSES);
        let tables = Postmap::new();
        for name in ["patterns", "more"] {
            tables.write(name, pattern_routes(rng));
        }
        let transport = tables.write("transport", &site.transport);
        assert_eq!(tables.compile(Program::Postmap, "hash", &transport), "");
        let world = World::of_list(tables, list);
        compared.ask(&world, &site.addresses, &format!("{list:?}"));
    }
    compared.are_alike();
}

/// Patterns that match some of the site's addresses; of the last three, the first matches `*`, which is asked
/// last, and the others would match pieces of addresses.
fn pattern_routes(rng: &mut Rng) -> String {
    const RULES: &[&str] = &[
        "/^joe@/ smtp:[joe.example]",
        "/^j[a-z]*\\+ext@/ smtp:[pool.example]:2525",
        "/@a\\.example\\.org$/ lmtp:[a.example]",
        "/@.*\\.example\\.net$/ smtp:[net.example]",
        "/@.*\\.a\\.example\\.org$/ error:5.1.2 nobody there",
        "!/@/ smtp:[all.example]",
        "/^example\\.org$/ smtp:[never.example]",
        "/^\\./ smtp:[never.example]",
    ];
    RULES.iter().filter(|_| rng.u8(..3) > 0).fold("# patterns\n".to_owned(), |text, rule| text + rule + "\n")
}

/// What cleanup makes of addresses, beside what we make of them; the share that led elsewhere.
fn compare(kind: &str, uses: &[MapName], ours: impl Fn(&Snapshot, &Mailbox) -> BTreeSet<String>) -> f64 {
    let drop_all = ["default_transport", "relay_transport", "local_transport"].map(|name| (name, "discard"));
    let (mut asked, mut elsewhere, mut wrong) = (0_u32, 0_u32, String::new());
    for number in 0..SITES {
        let site = Site::new(&mut chance(kind, number), ADDRESSES);
        let world = World::new(&site, Parents::NeedADot, uses, &drop_all);
        // Postfix takes what differs in case only for one recipient.
        let addresses: BTreeMap<String, &str> =
            site.addresses.iter().map(|address| (address.to_lowercase(), address.as_str())).collect();
        let addresses: BTreeSet<&str> = addresses.into_values().collect();
        let theirs = send(&world.postfix, &addresses);
        for address in addresses {
            let mailbox = Mailbox::parse(address).expect(address);
            let ours = ours(&world.maps, &mailbox);
            asked += 1;
            elsewhere += u32::from(ours.len() != 1 || !ours.contains(&mailbox.to_string()));
            let theirs = theirs.get(&address.to_lowercase());
            if theirs != Some(&ours) {
                let _ = writeln!(wrong, "{number} {address}: Postfix {theirs:?}, we {ours:?}");
            }
        }
    }
    println!("{kind}: {asked} addresses, {elsewhere} of them led elsewhere; seed {}", seed());
    assert!(wrong.is_empty(), "seed {}:\n{wrong}", seed());
    assert!(asked >= 500, "{asked}");
    f64::from(elsewhere) / f64::from(asked)
}

#[test]
fn aliases_expand_as_cleanup_expands_them() {
    let share = compare("aliases", &[MapName::VirtualAlias], |maps, mailbox| {
        let ends = maps.expand(mailbox).unwrap_or_else(|error| panic!("{mailbox}: {error}"));
        ends.iter().map(Mailbox::to_string).collect()
    });
    assert!(share > 0.1, "{share}");
}

#[test]
fn addresses_are_written_as_cleanup_writes_them() {
    let share = compare("canonical", &[MapName::Canonical], |maps, mailbox| {
        let written = match maps.canonical(mailbox, Side::Recipient) {
            Answer::Found(found) => found.value,
            Answer::NotFound => mailbox.clone(),
            Answer::Unavailable(unavailable) => panic!("{mailbox}: {unavailable}"),
        };
        BTreeSet::from([written.to_string()])
    });
    assert!(share > 0.1, "{share}");
}

/// Sends one message to all of them and reads in the log who got it on behalf of whom.
fn send(postfix: &Postfix, addresses: &BTreeSet<&str>) -> BTreeMap<String, BTreeSet<String>> {
    let to: Vec<String> = addresses.iter().map(|address| format!("<{address}>")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let reply = Talk::hello(postfix.address()).mail("<a@sender.example>", &to, "Subject: all\r\n\r\n\r\n");
    assert_eq!(reply.code, 250, "{reply:?}");
    expect::holds("the message to be gone from the queue", || postfix.log().contains(": removed"));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in postfix.log().lines() {
        let Some((_, line)) = line.split_once(": to=<") else { continue };
        let (to, line) = line.split_once(">, ").expect(line);
        let from = match line.strip_prefix("orig_to=<") {
            Some(line) => line.split_once(">, ").expect(line).0,
            None => to,
        };
        // A domain has no case.
        let to = Mailbox::parse(to).expect(line).to_string();
        // What differs in case only is not told apart in the log.
        found.entry(from.to_lowercase()).or_default().insert(to);
    }
    found
}

#[test]
fn difference_a_user_in_quotes_has_an_extension_in_the_transport_map_too() {
    let site = Site {
        transport: "\"joe user\"@x.example lmtp:[quoted.example]\nx.example smtp:[all.example]\n".to_owned(),
        relay_domains: String::new(),
        virtual_alias: String::new(),
        canonical: String::new(),
        addresses: Vec::new(),
    };
    let world = World::new(&site, Parents::NeedADot, &[MapName::Transport], &[]);
    let mut rewrite = Rewrite::connect(&world.postfix);
    for (address, theirs, ours) in
        [("\"joe user\"@x.example", "lmtp", "lmtp"), ("\"joe user+ext\"@x.example", "smtp", "lmtp")]
    {
        assert_eq!(rewrite.resolve(address).transport, theirs, "{address}");
        assert_eq!(route(&world.maps, &Mailbox::parse(address).expect(address)).0, ours, "{address}");
    }
}

#[test]
fn difference_a_pattern_puts_a_part_of_the_address_into_a_route() {
    let tables = Postmap::new();
    tables.write("patterns", "/^(.*)@x\\.example$/ smtp:[$1.example]\n/@x\\.example$/ smtp:[all.example]\n");
    let world = World::of_list(tables, &["regexp:patterns"]);
    let way = Rewrite::connect(&world.postfix).resolve("joe@x.example");
    assert_eq!((way.transport.as_str(), way.nexthop.as_str()), ("smtp", "[all.example]"));
    let ours = route(&world.maps, &Mailbox::parse("joe@x.example").expect("an address"));
    assert_eq!(ours, ("smtp".to_owned(), "[joe.example]".to_owned()));
}
