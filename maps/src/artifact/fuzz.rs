//! What must hold for a compiled map of any octets; ordinary code, so that tests run it as well as the fuzzer.
//!
//! A fuzzer never guesses a hash, so four ways lead in: the octets as they are; the octets with hashes made to
//! fit; and a good map, or one of its changes, made from the first half of the octets, changed by the second half. Of each: no
//! question panics, and what passes `verify` answers every question about what it lists with what it lists.

use super::container::forge;
use super::exact::layered::{Moved, Since, Stretch};
use super::exact::{Exact, ExactBuilder, Layered, Op};
use super::{BadArtifact, Container};

/// Changes of a good map in one run.
const MOST_CHANGES: usize = 32;

/// Judges the octets in all three ways.
///
/// # Panics
/// Something does not hold.
pub fn artifact(octets: &[u8]) {
    ask(octets);
    let mut forged = octets.to_vec();
    forge::reseal(&mut forged);
    ask(&forged);
    let (content, changes) = octets.split_at(octets.len() / 2);
    changed(content, changes);
    layered(content, changes);
}

/// Asks a map of these octets all there is to ask.
fn ask(octets: &[u8]) {
    let Ok(map) = open(octets) else { return };
    let verified = map.verify().is_ok();
    let mut records = 0;
    for record in &map {
        let Ok((key, value, line)) = record else {
            assert!(!verified, "a verified map has a record that cannot be read");
            break;
        };
        records += 1;
        let found = map.find(key);
        if verified {
            let found = found.ok().flatten().expect("a verified map finds what it lists");
            assert_eq!((map.value(found.value), found.line), (Ok(value), line), "{key:?}");
        }
    }
    assert!(!verified || records == map.len(), "a verified map has as many records as it says");
    for key in ["", "a", "user@example.org"] {
        let found = map.find(key);
        assert!(!verified || found.is_ok(), "a verified map knows its answer");
    }
    for number in [0, 1, map.values().saturating_sub(1) as u32, u32::MAX] {
        let _ = map.value(number);
    }
}

fn open(octets: &[u8]) -> Result<Exact, BadArtifact> {
    Exact::open(Container::open(octets.to_vec().into())?)
}

/// Makes a good map of the content and changes it: with its old hashes it fails, with new ones it is asked.
fn changed(content: &[u8], changes: &[u8]) {
    let Some(good) = made_of(content) else { return };
    ask(&good);
    let mut octets = flipped(&good, changes);
    if octets != good {
        let refused = open(&octets).and_then(|map| map.verify());
        assert!(refused.is_err(), "a changed map passes with its old hashes");
        forge::reseal(&mut octets);
        ask(&octets);
    }
}

/// Lays changes of each kind over a good map, and changes these likewise.
fn layered(content: &[u8], changes: &[u8]) {
    let Some(good) = made_of(content) else { return };
    let Ok(base) = open(&good).map(Layered::from) else { return };
    let first = content.split(|octet| *octet == 0).next().map_or_else(String::new, |word| key(1, word));
    let mut ops = vec![Op::Put { key: "new".into(), value: "value".into(), line: 1 }];
    let mut keys = base.len() + 1;
    if matches!(base.find(&first), Ok(Some(_))) {
        ops.push(Op::Delete { key: first.as_str().into() });
        keys -= 1;
    }
    let mut moved = Moved::default();
    // A line a word, where two may make one key.
    let lines = content.split(|octet| *octet == 0).count();
    let end = u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1);
    let _ = moved.push(Stretch { start: 1, end, new: 2 });
    let Ok(beside) = (Since { ops, moved, keys }).encode(base.base()) else { return };
    let open = |octets: &[u8]| Layered::with(open(&good)?, Container::open(octets.to_vec().into())?);
    let ask = |octets: &[u8], is_good: bool| {
        let Ok(table) = open(octets) else { return assert!(!is_good, "good changes are opened") };
        let verified = table.verify().is_ok();
        assert!(verified || !is_good, "good changes pass");
        let mut records = 0;
        for entry in table.iter() {
            let Ok((key, value, line)) = entry else {
                return assert!(!verified, "verified changes can be read");
            };
            records += 1;
            let found = table.find(key).ok().flatten().map(|found| (table.value(found.value), found.line));
            assert!(!verified || found == Some((Ok(value), line)), "{key:?}");
        }
        assert!(!verified || records == table.len(), "as many records as the changes lead to");
    };
    ask(&beside, true);
    let again = open(&beside).ok().and_then(|table| once_more(&table, &first, end));
    ask(&again.expect("good changes can be put together with others"), true);
    let mut octets = flipped(&beside, changes);
    if octets != beside {
        let refused = open(&octets).and_then(|table| table.verify());
        assert!(refused.is_err(), "other changes pass with their old hashes");
        forge::reseal(&mut octets);
        ask(&octets, false);
    }
}

/// Changes of a table with changes: what came is gone again, what was gone is back.
fn once_more(table: &Layered, first: &str, end: u32) -> Option<Vec<u8>> {
    let back = Op::Put { key: first.into(), value: "back".into(), line: 1 };
    let mut moved = Moved::default();
    moved.push(Stretch { start: 2, end: end.checked_add(1)?, new: 3 })?;
    let ops = vec![Op::Delete { key: "new".into() }, back];
    table.since_base(Since { ops, moved, keys: table.len() }).ok()?.encode(table.base()).ok()
}

/// A map with a line a word.
fn made_of(content: &[u8]) -> Option<Vec<u8>> {
    let mut builder = ExactBuilder::new();
    for (word, line) in content.split(|octet| *octet == 0).zip(1..) {
        // Of a key that is there already the value would have to be the same.
        let _ = builder.push(&key(line, word), &word.len().to_string(), line);
    }
    builder.finish().ok()?.to_bytes().ok()
}

fn key(line: u32, word: &[u8]) -> String {
    format!("{line}{}", String::from_utf8_lossy(word))
}

fn flipped(good: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut octets = good.to_vec();
    for change in changes.as_chunks::<4>().0.iter().take(MOST_CHANGES) {
        let [low, middle, high, octet] = *change;
        let place = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let length = octets.len();
        if let Some(to) = octets.get_mut(place % length) {
            *to ^= octet;
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_words_may_make_one_key() {
        let content = b"1\xff\0\0\0\0\0\0\0\0\0\0\xe2\x82\0x";
        artifact(&[&content[..], &[0; 16]].concat());
        assert_eq!(open(&made_of(content).unwrap()).unwrap().len(), 11);
    }

    proptest! {
        #[test]
        fn g2_whatever_the_octets_are(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            artifact(&octets);
        }
    }
}
