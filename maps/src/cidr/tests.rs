//! Tables as a whole, against a reader that goes through the rules one by one.

mod model;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::fault::Wrong;
use crate::rules::Template;
use crate::source::Lines;

/// Any value but `bad` is good.
fn check(value: &str, template: Template) -> Result<String, Wrong> {
    assert_eq!(template, Template::No);
    if value == "bad" { Err(Wrong::at(1, "a bad value")) } else { Ok(value.to_lowercase()) }
}

fn build(text: &str) -> Result<Built, BadLines> {
    compile(Lines::new(text.as_bytes()), &mut check)
}

fn table_of(text: &str) -> Cidr {
    Cidr::open(Container::open(build(text).unwrap().bytes.into()).unwrap()).unwrap()
}

fn ask(table: &Cidr, key: &str) -> Option<(String, u32)> {
    let found = table.find(address(key)?).unwrap()?;
    Some((table.value(found.value).unwrap().to_owned(), found.line))
}

fn answers(text: &str, key: &str) -> Option<(String, u32)> {
    ask(&table_of(text), key)
}

fn told(lines: &BadLines) -> Vec<(u32, u32, &str)> {
    lines.kept.iter().map(|bad| (bad.line, bad.column, bad.what.as_str())).collect()
}

#[test]
fn the_first_rule_that_matches_answers() {
    let text = "# clients\n10.1.0.0/16 one\n10.0.0.0/8  two words \n[::1] three\n! 10.0.0.0/8 other\n";
    for (key, expected) in [
        ("10.1.2.3", Some(("one", 2))),
        ("10.2.2.3", Some(("two words", 3))),
        ("11.2.2.3", Some(("other", 5))),
        ("255.255.255.255", Some(("other", 5))),
        ("0.0.0.0", Some(("other", 5))),
        ("::1", Some(("three", 4))),
        // A rule never matches the other family, not even turned round.
        ("::2", None),
        ("[10.1.2.3]", None),
        ("010.1.2.3", None),
        ("client.example", None),
        ("", None),
    ] {
        assert_eq!(answers(text, key), expected.map(|(value, line)| (value.to_owned(), line)), "{key}");
    }
}

#[test]
fn blocks_let_through_what_their_condition_matches() {
    let text = "if 10.0.0.0/8\n10.1.0.0/16 a\nIF !10.2.0.0/16\n10.0.0.0/8 b\nendif\n!10.3.0.0/16 c\nENDIF\n\
                if !::/1\n::/0 high\nendif\n0.0.0.0/0 rest";
    let line = |key| answers(text, key).map(|(_, line)| line);
    assert_eq!(line("10.1.0.1"), Some(2));
    assert_eq!(line("10.2.0.1"), Some(6));
    assert_eq!(line("10.3.0.1"), Some(4));
    assert_eq!(line("11.0.0.1"), Some(11));
    assert_eq!(line("::1"), None);
    assert_eq!(line("ffff::1"), Some(9));
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let text =
        "10.0.0.1/8 a\n10.0.0.0/8\n10.0.0.0/8 bad\nendif\niffy a\nif 1.2.3.4/40\nendif x\n!\nIF\nif ::/0\n";
    let bad = build(text).unwrap_err();
    let expected = [
        (1, 1, "the address has bits behind its prefix: did you mean 10.0.0.0/8?"),
        (2, 11, "a network and a value are expected, and there is no value"),
        (3, 13, "a bad value"),
        (4, 1, "`endif` without an `if` before it"),
        (5, 1, "an IP address or network is expected, not `iffy`"),
        (6, 12, "a prefix length from 0 to 32 is expected, not `40`"),
        (7, 6, "nothing may follow `endif`"),
        (8, 2, "a network is expected"),
        (9, 3, "a network is expected"),
        (6, 1, "`if` without an `endif` behind it"),
        (9, 1, "`if` without an `endif` behind it"),
        (10, 1, "`if` without an `endif` behind it"),
    ];
    assert_eq!(told(&bad), expected);
}

#[test]
fn a_rule_that_never_matches_is_told_unless_it_changes_nothing() {
    let text = "10.0.0.0/9 a\n10.128.0.0/9 b\n10.0.0.0/8 c\n10.0.0.0/9 d\n10.1.0.0/16 A\n10.0.0.0/9 a\n\
                if ::/16\n1::/16 e\n10.0.0.0/8 f\nendif\n!0.0.0.0/0 g\n10.64.0.0/10 b\n";
    let built = build(text).unwrap();
    let expected = [
        (3, 1, "this rule never matches: those before it have all of its addresses (line 1 has 10.0.0.0)"),
        (4, 1, "line 1 has the same network already, with another value"),
        (8, 1, "this rule never matches: the `if` in line 7 leaves it no address"),
        (9, 1, "this rule never matches: the `if` in line 7 leaves it no address"),
        (11, 1, "this rule never matches: no address is outside of its network"),
        (12, 1, "this rule never matches: those before it have all of its addresses (line 1 has 10.64.0.0)"),
    ];
    assert_eq!(told(&built.dead), expected);
}

#[test]
fn blocks_have_a_bottom() {
    let text = "if ::/0\n".repeat(101) + &"endif\n".repeat(101);
    let bad = build(&text).unwrap_err();
    assert_eq!(bad.kept[0].what, "blocks nest more than 100 deep");
    assert_eq!(bad.kept[0].line, 101);
}

#[test]
fn ranges_have_a_limit() {
    // Each rule is cut into 100 ranges by the holes of its blocks.
    let holes: String = (0..99).map(|hole| format!("if !10.{hole}.7.0/24\n")).collect();
    let text = holes + &"0.0.0.0/0 a\n".repeat(90_000) + &"endif\n".repeat(99);
    let bad = build(&text).unwrap_err();
    assert!(bad.kept[0].what.contains("more than 8388608 ranges"), "{:?}", bad.kept[0]);
}

#[test]
fn a_mapped_address_is_its_ipv4_address() {
    assert_eq!(answers("10.0.0.0/8 a\n::/0 b", "::ffff:10.1.2.3"), Some(("a".to_owned(), 1)));
    assert!(build("::ffff:10.0.0.0/104 a").unwrap_err().kept[0].what.contains("write the network as one"));
}

#[test]
fn the_same_text_gives_the_same_octets_and_lists_its_stretches() {
    let text = "10.0.0.0/8 a\n!10.0.0.0/7 b\n2001:db8::/32 c";
    assert_eq!(build(text).unwrap().bytes, build(text).unwrap().bytes);
    let table = table_of(text);
    let list: Vec<_> =
        table.iter().map(|(first, last, found)| format!("{first} {last} {}", found.line)).collect();
    let expected = [
        "0.0.0.0 9.255.255.255 2",
        "10.0.0.0 10.255.255.255 1",
        "12.0.0.0 255.255.255.255 2",
        "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 3",
    ];
    assert_eq!(list, expected);
    assert_eq!((table.len(), table.values()), (3, 3));
}

#[test]
fn g2_a_flag_a_seed_or_part_of_a_list_is_refused() {
    let good = table_of("2001:db8::1 a\n192.0.2.0/24 b\n");
    let leaves = u32::TAGS.into_iter().chain(u64::TAGS);
    let tags: Vec<Tag> = leaves.chain([LISTS, rules::VALUE_ENDS, rules::VALUE_TEXTS]).collect();
    let of = |head, cut: usize| {
        let section = |tag: &Tag| {
            let octets = good.container().section(tag).unwrap();
            (*tag, if *tag == LISTS { &octets[..octets.len() - cut] } else { octets })
        };
        let sections: Vec<_> = tags.iter().map(section).collect();
        let bytes = container::assemble(Kind::Cidr, head, &sections).unwrap();
        Cidr::open(Container::open(bytes.into()).unwrap())
    };
    let head = good.container().head();
    of(head, 0).unwrap().verify().unwrap();
    for head in [Head { flags: 1, ..head }, Head { seed: 1, ..head }] {
        assert!(matches!(of(head, 0).unwrap_err(), BadArtifact::Layout(_)));
    }
    assert!(matches!(of(head, 1).unwrap_err(), BadArtifact::Layout(_)));
}

#[test]
fn g2_a_damaged_table_is_an_error_or_answers_as_before() {
    let good = build("10.0.0.0/8 a\n!10.0.0.0/7 b\n2001:db8::/32 c").unwrap().bytes;
    let keys = ["10.0.0.1", "11.0.0.1", "12.0.0.1", "2001:db8::1", "::"];
    let all = |bytes: Vec<u8>| {
        let table = Cidr::open(Container::open(bytes.into())?)?;
        let verified = table.verify();
        let found =
            keys.map(|key| table.find(key.parse().unwrap()).map(|found| found.map(|found| found.line)));
        verified.map(|()| found)
    };
    assert_eq!(all(good.clone()).unwrap(), [Ok(Some(1)), Ok(None), Ok(Some(2)), Ok(Some(3)), Ok(None)]);
    for place in 0..good.len() {
        let mut damaged = good.clone();
        damaged[place] ^= 0x11;
        assert!(all(damaged.clone()).is_err(), "octet {place}");
        container::forge::reseal(&mut damaged);
        // What is forged with care is another table, but never one that fails after it was verified.
        if let Ok(found) = all(damaged) {
            assert_eq!(found.map(|found| found.is_ok()), [true; 5], "octet {place}");
        }
    }
}

/// Tables of so many stretches that their indexes differ, and addresses at every edge.
#[test]
fn an_index_of_every_size_finds_the_first_and_the_last_address_of_each_network() {
    for count in [1_u32, 7, 8, 9, 127, 128, 129, 2_500] {
        let spread = u32::MAX / count;
        let v4: String = (0..count)
            .map(|number| format!("{}/30 v{number}\n", Ipv4Addr::from_bits(number * spread / 4 * 4)))
            .collect();
        let host = |number: u32, low: u128| {
            Ipv6Addr::from_bits((u128::from(number * spread) << 96) | (u128::from(number % 3) << 64) | low)
        };
        // Three of a first half, so that lists and whole halves stand side by side.
        let v6: String = (0..count)
            .map(|number| match number % 4 {
                0 => format!("{}/128 v{number}\n", host(number, u128::from(number))),
                1 => format!("{}/64 v{number}\n", host(number, 0)),
                2 => format!("{}/127 v{number}\n", host(number, u128::from(u64::MAX - 1))),
                _ => format!("{}/48 v{number}\n", Ipv6Addr::from_bits(host(number, 0).to_bits() >> 80 << 80)),
            })
            .collect();
        let text = v4 + &v6 + "255.255.255.255 last\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff last\n";
        let table = table_of(&text);
        table.verify().unwrap();
        for (first, last, found) in table.iter() {
            assert_eq!(table.find(first).unwrap(), Some(found), "{first}");
            assert_eq!(table.find(last).unwrap(), Some(found), "{last}");
        }
        for (number, line) in text.lines().enumerate() {
            let network = line.split_once(' ').unwrap().0;
            let found = table.find(network.split('/').next().unwrap().parse().unwrap()).unwrap();
            assert_eq!(found.map(|found| found.line), Some(number as u32 + 1), "{line}");
        }
        assert_eq!(table.iter().count(), text.lines().count());
    }
}

/// Many hosts of one first half, with addresses in between that no rule has.
#[test]
fn a_list_is_searched_as_leaves_are() {
    let text: String = (0..500).map(|host| format!("2001:db8::{:x} v{host}\n", host * 3 + 1)).collect();
    let table = table_of(&text);
    table.verify().unwrap();
    for host in 0..1500_u32 {
        let expected = (host % 3 == 1).then(|| (format!("v{}", host / 3), host / 3 + 1));
        assert_eq!(ask(&table, &format!("2001:db8::{host:x}")), expected);
    }
    assert_eq!(ask(&table, "2001:db8:0:1::1"), None);
    assert_eq!(ask(&table, "2001:db7::1"), None);
}

/// Networks side by side in one corner: one slot of the index leads to a crowd of leaves.
#[test]
fn a_crowd_of_leaves_in_one_slot_is_searched() {
    let networks = 20_000_u32;
    let v4 = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
    let v6 = |number: u32| Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(number) << 64));
    let text: String = (0..networks)
        .map(|number| format!("{} a{}\n{}/64 b{}\n", v4(number), number % 2, v6(number), number % 3))
        .chain(["192.0.2.0/24 far\nffff::/16 far\n".to_owned()])
        .collect();
    let table = table_of(&text);
    table.verify().unwrap();
    let line = |address: IpAddr| table.find(address).unwrap().map(|found| found.line);
    for number in 0..networks {
        assert_eq!(line(v4(number).into()), Some(2 * number + 1));
        assert_eq!(line(v6(number).into()), Some(2 * number + 2));
    }
    for absent in ["9.255.255.255", "10.0.78.32", "2001:db7:ffff::", "2001:db8:0:4e20::", "192.0.1.255"] {
        assert_eq!(line(absent.parse().unwrap()), None, "{absent}");
    }
    assert_eq!(line("192.0.2.255".parse().unwrap()), Some(2 * networks + 1));
}
