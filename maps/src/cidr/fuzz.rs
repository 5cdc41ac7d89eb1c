//! What must hold for tables of many networks; ordinary code, so that tests run it as well as the fuzzer.
//!
//! The octets are half networks, half changes: a table of the networks answers for the first and the last address of
//! what it lists as it lists it, and so does every table made of it by the changes that passes `verify`, with hashes made
//! to fit. No question panics, whatever the octets are.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Cidr, compile_untyped};
use crate::artifact::Container;
use crate::artifact::container::forge;

/// Changes in one run.
const MOST_CHANGES: usize = 16;

/// Judges the octets.
///
/// # Panics
/// Something does not hold.
pub fn networks(octets: &[u8]) {
    let (networks, changes) = octets.split_at(octets.len() / 2);
    let (good, _) = compile_untyped(text(networks).as_bytes()).expect("networks and values");
    assert!(ask(good.clone(), changes), "a table that was just made verifies");
    let mut changed = good;
    for [low, middle, high, octet] in changes.as_chunks::<4>().0.iter().take(MOST_CHANGES) {
        let place = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
        let length = changed.len();
        if let Some(to) = changed.get_mut(place % length) {
            *to ^= octet;
        }
    }
    forge::reseal(&mut changed);
    ask(changed, changes);
}

/// A rule for each six octets: prefix length and value, then what an address starts with.
fn text(octets: &[u8]) -> String {
    let mut text = String::new();
    for [length, value, a, b, c, d] in octets.as_chunks::<6>().0 {
        let bits = u32::from_be_bytes([*a, *b, *c, *d]);
        let _ = match length % 2 {
            0 => {
                let length = u32::from(length / 2 % 33);
                let bits = bits & u32::MAX.checked_shl(u32::BITS - length).unwrap_or(0);
                writeln!(text, "{}/{length} v{}", Ipv4Addr::from_bits(bits), value % 5)
            }
            _ => {
                let length = u32::from(length / 2);
                // Spread over both halves of an address, and no mapped ones.
                let bits = 1 << 127 | u128::from(bits) << 92 | u128::from(bits) << 48 | u128::from(*value);
                let bits = bits & u128::MAX.checked_shl(u128::BITS - length).unwrap_or(0);
                writeln!(text, "{}/{length} v{}", Ipv6Addr::from_bits(bits), value % 5)
            }
        };
    }
    text
}

/// Asks a table all there is to ask; true when it verifies.
fn ask(artifact: Vec<u8>, addresses: &[u8]) -> bool {
    let Ok(table) = Container::open(artifact.into()).and_then(Cidr::open) else { return false };
    let verified = table.verify().is_ok();
    let mut before: Option<IpAddr> = None;
    for (first, last, found) in table.iter() {
        let answers = [first, last].map(|address| table.find(address));
        // A mapped address is asked as the IPv4 address it is.
        let is_asked = first.to_canonical() == first && last.to_canonical() == last;
        if verified && is_asked {
            assert_eq!(answers, [Ok(Some(found)); 2], "{first} to {last}");
        }
        assert!(!verified || (first <= last && before.is_none_or(|before| before < first)), "in order");
        before = Some(last);
    }
    for octets in addresses.as_chunks::<16>().0 {
        let [a, b, c, d, ..] = *octets;
        for address in [IpAddr::from(*octets), IpAddr::from([a, b, c, d])] {
            let value = table.find(address).map(|found| found.map(|found| table.value(found.value)));
            let knows = matches!(value, Ok(None | Some(Ok(_))));
            assert!(!verified || knows, "a verified table knows its answer");
        }
    }
    verified
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tables_of_any_networks_hold(octets in proptest::collection::vec(any::<u8>(), 0..3000)) {
            super::networks(&octets);
        }
    }
}
