//! What next hops come to, by a twin of the DNS.

use super::*;
use crate::deliver::resolver::Twin;

fn twin() -> Twin {
    let mut twin = Twin::default();
    for (domain, records) in [
        ("null.example", vec![(0, ".")]),
        ("half-null.example", vec![(0, "."), (10, "mx1.example")]),
        ("ordered.example", vec![(20, "mx2.example"), (10, "mx1.example"), (30, "mx3.example")]),
        ("equals.example", vec![(10, "mx1.example"), (10, "mx2.example"), (10, "mx3.example")]),
        ("literal.example", vec![(10, "127.0.0.1")]),
        ("inside.example", vec![(10, "loop.example"), (20, "private.example")]),
        ("self-best.example", vec![(10, "us.example"), (20, "mx2.example")]),
        (
            "self-second.example",
            vec![(10, "mx1.example"), (20, "us.example"), (20, "mx2.example"), (30, "mx3.example")],
        ),
        ("self-address.example", vec![(10, "mx1.example"), (20, "alias-of-us.example"), (30, "mx3.example")]),
        ("dead-names.example", vec![(10, "gone.example")]),
        ("lame-host.example", vec![(10, "lame.example")]),
        ("lame-beside.example", vec![(10, "lame.example"), (20, "mx1.example")]),
        ("wide.example", vec![(10, "wide-host.example")]),
    ] {
        twin.mx.insert(domain, records);
    }
    for (host, addresses) in [
        ("mx1.example", vec!["2001:db8::1", "198.51.100.1"]),
        ("mx2.example", vec!["198.51.100.2"]),
        ("mx3.example", vec!["198.51.100.3"]),
        ("loop.example", vec!["127.0.0.1", "::1"]),
        ("private.example", vec!["10.0.0.1", "169.254.1.1", "::ffff:127.0.0.1"]),
        ("us.example", vec!["192.0.2.25"]),
        ("alias-of-us.example", vec!["198.51.100.9", "192.0.2.25"]),
        ("implicit.example", vec!["198.51.100.7"]),
        ("wide-host.example", vec!["198.51.100.8"; 90]),
    ] {
        twin.addresses.insert(host, addresses);
    }
    twin.mx.insert("empty.example", Vec::new());
    twin.fails.extend(["servfail.example", "lame.example"]);
    twin
}

fn hosts() -> Hosts {
    let mut options = HostsOptions::default();
    options.own_names.insert(Domain::parse("us.example").unwrap());
    options.filter.own_addresses.insert("192.0.2.25".parse().unwrap());
    Hosts::new(options, twin().resolver())
}

async fn find(hops: &[Hop]) -> Result<Vec<String>, String> {
    let found = hosts().find(hops, Transport::Smtp, &mut fastrand::Rng::with_seed(7)).await;
    found
        .map(|list| {
            list.into_iter()
                .map(|candidate| match candidate.place {
                    Place::Tcp(address) => address.to_string(),
                    Place::Unix(path) => path.display().to_string(),
                })
                .collect()
        })
        .map_err(|nowhere| nowhere.status.to_string())
}

async fn find_domain(domain: &str) -> Result<Vec<String>, String> {
    find(&[Hop::Mx { domain: Domain::parse(domain).unwrap(), port: None }]).await
}

#[tokio::test]
async fn d1_d2_d5_what_the_dns_says_comes_to() {
    for (domain, expected) in [
        ("null.example", Err("5.1.10")),
        ("half-null.example", Ok(vec!["[2001:db8::1]:25", "198.51.100.1:25"])),
        (
            "ordered.example",
            Ok(vec!["[2001:db8::1]:25", "198.51.100.1:25", "198.51.100.2:25", "198.51.100.3:25"]),
        ),
        ("literal.example", Err("5.4.4")),
        ("inside.example", Err("5.4.4")),
        ("self-best.example", Err("5.4.6")),
        ("self-second.example", Ok(vec!["[2001:db8::1]:25", "198.51.100.1:25"])),
        ("self-address.example", Ok(vec!["[2001:db8::1]:25", "198.51.100.1:25"])),
        ("dead-names.example", Err("5.4.4")),
        ("lame-host.example", Err("4.4.3")),
        ("lame-beside.example", Ok(vec!["[2001:db8::1]:25", "198.51.100.1:25"])),
        ("implicit.example", Ok(vec!["198.51.100.7:25"])),
        ("empty.example", Err("5.4.4")),
        ("servfail.example", Err("4.4.3")),
        ("nobody.example", Err("5.1.2")),
    ] {
        let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(find_domain(domain).await, expected.map_err(str::to_owned), "{domain}");
    }
}

#[tokio::test]
async fn d3_a_name_is_resolved_once_an_attempt_and_what_it_says_next_is_filtered_next() {
    let twin = Twin {
        mx: [("rebinds.example", vec![(10, "mx.rebinds.example")])].into(),
        addresses: [("mx.rebinds.example", vec!["127.0.0.1"])].into(),
        ..Twin::default()
    };
    twin.first.lock().unwrap().insert("mx.rebinds.example", "198.51.100.9");
    let hosts = Hosts::new(HostsOptions::default(), twin.resolver());
    let hop = [Hop::Mx { domain: Domain::parse("rebinds.example").unwrap(), port: None }];
    let mut chance = fastrand::Rng::with_seed(7);
    // The attempt is given an address, which no later answer can change.
    let attempt = hosts.find(&hop, Transport::Smtp, &mut chance).await.unwrap();
    assert_eq!(attempt.len(), 1);
    assert_eq!(attempt[0].place, Place::Tcp("198.51.100.9:25".parse().unwrap()));
    assert!(attempt[0].filtered, "and the peer's own address is checked against the filter");
    assert!(!hosts.permits("127.0.0.1".parse().unwrap()));
    let next = hosts.find(&hop, Transport::Smtp, &mut chance).await.unwrap_err();
    assert_eq!(next.status.to_string(), "5.4.4");
}

#[tokio::test]
async fn d4_no_more_than_five_addresses() {
    assert_eq!(find_domain("wide.example").await.unwrap().len(), 5);
    let hop = |domain| Hop::Mx { domain: Domain::parse(domain).unwrap(), port: None };
    assert_eq!(find(&[hop("wide.example"), hop("ordered.example")]).await.unwrap().len(), 5);
}

#[tokio::test]
async fn equals_come_in_any_order() {
    let hop = [Hop::Mx { domain: Domain::parse("equals.example").unwrap(), port: None }];
    let mut first = BTreeSet::new();
    let mut chance = fastrand::Rng::with_seed(1);
    for _ in 0..100 {
        let found = hosts().find(&hop, Transport::Smtp, &mut chance).await.unwrap();
        assert_eq!(found.len(), 4);
        first.insert(found[0].name.to_string());
    }
    assert_eq!(first.len(), 3);
}

#[tokio::test]
async fn what_the_operator_wrote_is_not_filtered() {
    let host = |text: &str, port| Hop::Host { host: Host::parse(text).unwrap(), port };
    assert_eq!(find(&[host("loop.example", Some(2525))]).await.unwrap(), ["127.0.0.1:2525", "[::1]:2525"]);
    assert_eq!(find(&[host("[127.0.0.1]", None)]).await.unwrap(), ["127.0.0.1:25"]);
    let socket = Hop::Unix(Path::new("/run/lmtp").into());
    assert_eq!(find(&[host("[10.0.0.1]", None), socket]).await.unwrap(), ["10.0.0.1:25", "/run/lmtp"]);
    // His slip is not the sender's.
    assert_eq!(find(&[host("nobody.example", None)]).await, Err("4.4.4".to_owned()));
    // Where one hop may come to something later, all of it may.
    let mx = |domain| Hop::Mx { domain: Domain::parse(domain).unwrap(), port: None };
    assert_eq!(find(&[mx("nobody.example"), mx("servfail.example")]).await, Err("4.4.3".to_owned()));
    assert_eq!(find(&[mx("servfail.example"), mx("nobody.example")]).await, Err("4.4.3".to_owned()));
}
