//! Next hops as tables spell them.

use super::*;

fn pools() -> BTreeSet<String> {
    BTreeSet::from(["inside".to_owned(), "world".to_owned()])
}

#[test]
fn the_grammar_reads_and_writes() {
    for (text, written) in [
        ("[gw.example.net]", "[gw.example.net]"),
        ("[GW.Example.Net.]:2525", "[gw.example.net]:2525"),
        ("[192.0.2.1]:smtp", "[192.0.2.1]:25"),
        ("[2001:db8::1]:24", "[IPv6:2001:db8::1]:24"),
        ("[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
        ("[::ffff:192.0.2.1]", "[192.0.2.1]"),
        ("example.net", "example.net"),
        ("Bücher.example:submission", "xn--bcher-kva.example:587"),
        ("inet:mail.example.net:24", "mail.example.net:24"),
        ("a.example,  [b.example]:26\tc.example", "a.example, [b.example]:26, c.example"),
        ("unix:/run/lmtp.sock", "unix:/run/lmtp.sock"),
        ("@inside", "@inside"),
        ("hash:@inside", "hash:@inside"),
    ] {
        let nexthop = Nexthop::read(text, &pools()).unwrap();
        assert_eq!(nexthop.to_string(), written, "{text}");
        assert_eq!(Nexthop::read(written, &pools()), Ok(nexthop), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    for (text, at, what) in [
        ("", 0, "a next hop is expected"),
        (" , ", 0, "a next hop is expected"),
        ("192.0.2.1", 0, "an address stands in brackets: [192.0.2.1]"),
        ("192.0.2.1:25", 0, "an address stands in brackets: [192.0.2.1]"),
        ("2001:db8::1", 0, "an address stands in brackets: [2001:db8::1]"),
        ("[a.example", 0, "a bracket that nothing closes"),
        ("[a.example]25", 11, "after `[host]` only `:port` may stand"),
        ("[a_.-example]", 1, "`a_.-example`: malformed domain"),
        ("a.example, b..example", 11, "`b..example`: malformed domain"),
        ("[a.example]:0", 12, "`0` is no port: 1 to 65535, smtp, lmtp or submission is expected"),
        ("a.example:+25", 10, "`+25` is no port: 1 to 65535, smtp, lmtp or submission is expected"),
        ("a.example:65536", 10, "`65536` is no port: 1 to 65535, smtp, lmtp or submission is expected"),
        ("a.example:", 10, "`` is no port: 1 to 65535, smtp, lmtp or submission is expected"),
        ("unix:run/sock", 5, "a socket's path starts with a slash"),
        ("@nowhere", 0, "unknown pool `nowhere`; the settings name inside, world"),
        ("a.example @inside", 10, "a pool stands alone"),
        ("hash:@nowhere", 5, "unknown pool `nowhere`; the settings name inside, world"),
        ("hash:a.example", 5, "`hash:@pool` is expected: a hash is over the members of a pool"),
    ] {
        assert_eq!(Nexthop::read(text, &pools()), Err(Wrong::at(at, what)), "{text}");
    }
    assert_eq!("[a.example".parse::<Hop>().unwrap_err().to_string(), "a bracket that nothing closes");
    assert_eq!("unix:/run\n".parse::<Hop>().unwrap_err().at, 9);
    assert!(Nexthop::read(&"a.example ".repeat(MAX_HOPS), &pools()).is_ok());
    assert!(Nexthop::read(&"a.example ".repeat(MAX_HOPS + 1), &pools()).is_err());
    assert!(Nexthop::read(&format!("unix:/{}", "a".repeat(MAX_SOCKET_PATH)), &pools()).is_err());
}
