//! Tables and addresses by chance, against Postfix's way and against a trie.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;
use prefix_trie::PrefixMap;
use proptest::prelude::*;

use super::super::index::Index;
use super::super::lists::Lists;
use super::super::stretches;
use super::{ask, build, table_of};
use crate::rules::testing::{balanced, one_by_one};

/// A table of few networks close together, so that they overlap.
fn text() -> impl Strategy<Value = String> {
    let v4 = (0u32..64, 24u32..=32).prop_map(|(host, length)| {
        let bits = (0x0a00_0000 | (host << 3)) & (u32::MAX << (32 - length));
        format!("{}/{length}", Ipv4Addr::from_bits(bits))
    });
    let v6 = (0u128..64, 50u32..=128).prop_map(|(host, length)| {
        let bits = ((host << 122) | (host << 64) | host) & (u128::MAX << (128 - length));
        format!("{}/{length}", Ipv6Addr::from_bits(bits))
    });
    let network = prop_oneof![v4, v6, Just("0.0.0.0/0".to_owned()), Just("::/0".to_owned())];
    let line = (0..8, any::<bool>(), network, 0..4).prop_map(|(kind, negated, network, value)| {
        let negated = if negated { "!" } else { "" };
        match kind {
            0 => format!("if {negated}{network}\n"),
            1 => "endif\n".to_owned(),
            _ => format!("{negated}{network} v{value}\n"),
        }
    });
    proptest::collection::vec(line, 0..30).prop_map(balanced)
}

/// Every network is looked at.
fn model(text: &str, key: IpAddr) -> Option<(String, u32)> {
    let matches = |pattern: &str| {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        let (address, length) = pattern.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        match (address.parse().unwrap(), key) {
            (IpAddr::V4(network), IpAddr::V4(key)) => {
                let differ = u64::from(network.to_bits() ^ key.to_bits()) >> (32 - length) != 0;
                differ == negated
            }
            (IpAddr::V6(network), IpAddr::V6(key)) => {
                let differ = (network.to_bits() ^ key.to_bits()).checked_shr(128 - length).unwrap_or(0) != 0;
                differ == negated
            }
            _ => false,
        }
    };
    one_by_one(text, matches)
}

proptest! {
    #[test]
    fn lookups_answer_as_the_rules_do_one_by_one(text in text(), keys in proptest::collection::vec(any::<u32>(), 40)) {
        let table = table_of(&text);
        table.verify().unwrap();
        for key in keys {
            let host = u128::from(key % 64);
            for key in [
                IpAddr::from(key.to_be_bytes()),
                IpAddr::from((0x0a00_0000 | (key % 512)).to_be_bytes()),
                IpAddr::from(((host << 122) | (host << 64) | host).to_be_bytes()),
                IpAddr::from(((host << 122) | (host << 64) | u128::from(key >> 16)).to_be_bytes()),
            ] {
                prop_assert_eq!(ask(&table, &key.to_string()), model(&text, key), "{}\n{}", key, text);
            }
        }
    }

    /// With the longest first, the first that matches is the longest: what a trie gives.
    #[test]
    fn the_longest_first_is_what_a_prefix_trie_gives(
        networks in proptest::collection::hash_map((any::<u16>(), 8u8..=32), any::<u8>(), 1..60),
        keys in proptest::collection::vec(any::<u32>(), 40),
    ) {
        // Close together, so that they are in one another.
        let network = |bits: u16, length| Ipv4Net::new(Ipv4Addr::from_bits(u32::from(bits) << 12), length).unwrap().trunc();
        let mut networks: Vec<_> = networks.into_keys().map(|(bits, length)| network(bits % 64, length)).collect();
        networks.sort_by_key(|network| (u8::MAX - network.prefix_len(), *network));
        networks.dedup();
        let text: String = networks.iter().map(|network| format!("{network} {network}\n")).collect();
        let table = table_of(&text);
        let trie: PrefixMap<Ipv4Net, ()> = networks.iter().map(|network| (*network, ())).collect();
        for key in keys {
            let key = Ipv4Addr::from_bits(key % (1 << 19));
            let expected = trie.get_lpm(&Ipv4Net::from(key)).map(|(network, ())| network.to_string());
            prop_assert_eq!(ask(&table, &key.to_string()).map(|(value, _)| value), expected, "{}\n{}", key, text);
        }
    }

    #[test]
    fn no_text_panics(text in "(?:[0-9a-f:./!\\[\\] ]{0,20}|if|endif|[ -~]{0,8}|\n){0,20}") {
        let _ = build(&text);
    }

    #[test]
    fn g2_no_sections_panic(
        // Slots that lead somewhere, mostly.
        top in proptest::collection::vec(prop_oneof![8 => 0..40_u32, 1 => any::<u32>()], 0..40),
        firsts in proptest::collection::vec(any::<u8>(), 0..200),
        leaves in proptest::collection::vec(prop_oneof![3 => Just(0xff), 2 => Just(0), 2 => any::<u8>()], 0..2400),
        lists in proptest::collection::vec(prop_oneof![4 => Just(0), 1 => any::<u8>()], 0..200),
        keys in proptest::collection::vec(any::<u64>(), 20),
    ) {
        let top: Vec<u8> = top.into_iter().flat_map(u32::to_le_bytes).collect();
        let lists = Lists::of(&lists);
        let index = Index::new::<u32>(&top, &firsts, &leaves);
        let verified = stretches::verify_v4(index, 10);
        for key in &keys {
            prop_assert!(stretches::find_v4(index, *key as u32).is_ok() || verified.is_err());
        }
        prop_assert!(stretches::iter_v4(index).count() <= leaves.len());
        let index = Index::new::<u64>(&top, &firsts, &leaves);
        let verified = stretches::verify_v6(index, lists, 10);
        for key in &keys {
            let found = stretches::find_v6(index, lists, u128::from(*key) << 64 | u128::from(*key));
            prop_assert!(found.is_ok() || verified.is_err());
        }
        prop_assert!(stretches::iter_v6(index, lists).count() <= leaves.len() + lists.len());
    }
}
