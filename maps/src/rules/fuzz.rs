//! What must hold for tables of rules of any octets; ordinary code, so that tests run it as well as the fuzzer.
//!
//! The octets are read as the text of a cidr, a regexp and a pcre table, and as the artifacts of all of them, with
//! hashes made to fit. A good text gives the same artifact twice, and one that verifies; an artifact that verifies
//! answers every question.

use crate::artifact::Container;
use crate::artifact::container::forge;
use crate::cidr::{self, Cidr};
use crate::pattern::{self, Dialect, Patterns};

/// Octets of a key.
const LONGEST_KEY: usize = 300;

/// Judges the octets; the first says where the artifact of the text behind it is changed.
///
/// # Panics
/// Something does not hold.
pub fn tables(octets: &[u8]) {
    let mut forged = octets.to_vec();
    forge::reseal(&mut forged);
    ask(forged, octets);
    let Some((change, text)) = octets.split_first_chunk::<3>() else { return };
    let compiled = [
        cidr::compile_untyped(text),
        pattern::compile_untyped(text, Dialect::Posix),
        pattern::compile_untyped(text, Dialect::Pcre),
    ];
    let again = [
        cidr::compile_untyped(text),
        pattern::compile_untyped(text, Dialect::Posix),
        pattern::compile_untyped(text, Dialect::Pcre),
    ];
    assert_eq!(compiled, again, "a text has one artifact, or one set of faults");
    for (mut artifact, _) in compiled.into_iter().flatten() {
        assert!(ask(artifact.clone(), text), "an artifact that was just made verifies");
        let [low, high, flip] = *change;
        let place = usize::from(u16::from_le_bytes([low, high])) % artifact.len();
        if let Some(octet) = artifact.get_mut(place) {
            *octet ^= flip;
        }
        forge::reseal(&mut artifact);
        ask(artifact, text);
    }
}

/// Asks an artifact for keys out of some octets; true when it verifies.
fn ask(artifact: Vec<u8>, keys: &[u8]) -> bool {
    let keys = String::from_utf8_lossy(keys.get(..LONGEST_KEY).unwrap_or(keys));
    let keys = || keys.split([' ', '\n', '/']).chain(["::1", "192.0.2.1", "a", ""]);
    let open = |artifact: Vec<u8>| Container::open(artifact.into());
    if let Ok(table) = open(artifact.clone()).and_then(Cidr::open) {
        let verified = table.verify().is_ok();
        for address in keys().filter_map(cidr::address) {
            let found = table.find(address);
            let value = found.map(|found| found.map(|found| table.value(found.value)));
            assert!(
                !verified || matches!(value, Ok(None | Some(Ok(_)))),
                "a verified table knows its answer"
            );
        }
        assert!(!verified || table.iter().all(|(first, last, _)| first <= last), "stretches are in order");
        return verified;
    }
    if let Ok(table) = open(artifact).and_then(Patterns::open) {
        let verified = table.verify().is_ok();
        for key in keys() {
            // A substitution may still cut a character in two.
            let _ = table.find(key);
        }
        assert!(!verified || table.iter().count() == table.len(), "a verified table lists its rules");
        return verified;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tables_of_any_octets_hold(
            change in any::<[u8; 3]>(),
            text in "(?:!?(?:[0-9]{1,3}\\.0\\.0\\.0/8|::/[0-9]{1,2}|/[a-c()*+.^$]{0,5}/i?)? v?\n?|if |endif\n){0,12}",
        ) {
            super::tables(&[&change[..], text.as_bytes()].concat());
        }

        #[test]
        fn octets_that_are_no_table_hold(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::tables(&octets);
        }
    }

    #[test]
    fn every_octet_of_an_artifact_may_change() {
        for text in ["10.0.0.0/8 a\n!::/1 b\n", "/a(b)/ $1\nif /c/\n/d/ e\nendif\n"] {
            for place in 0..1_000_u16 {
                let [low, high] = place.to_le_bytes();
                super::tables(&[&[low, high, 0x21], text.as_bytes()].concat());
            }
        }
    }
}
