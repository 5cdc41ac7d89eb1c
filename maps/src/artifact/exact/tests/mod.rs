//! Maps built, asked, and broken on purpose.

mod changes;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::artifact::container::forge;

type Model = BTreeMap<String, (String, u32)>;

fn built<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str, u32)>) -> Result<Built, BuildError> {
    let mut builder = ExactBuilder::new();
    for (key, value, line) in entries {
        builder.push(key, value, line).unwrap();
    }
    builder.finish()
}

fn octets_of(model: &Model) -> Vec<u8> {
    let entries = model.iter().map(|(key, (value, line))| (key.as_str(), value.as_str(), *line));
    built(entries).unwrap().to_bytes().unwrap()
}

fn open(octets: &[u8]) -> Result<Exact, BadArtifact> {
    Exact::open(Container::open(octets.to_vec().into())?)
}

/// All that the map says is what the model says.
fn assert_says(map: &Exact, model: &Model) {
    map.verify().unwrap();
    assert_eq!(map.len(), model.len() as u64);
    for (key, (value, line)) in model {
        let found = map.find(key).unwrap().unwrap();
        assert_eq!((map.value(found.value).unwrap(), found.line), (value.as_str(), *line), "{key}");
    }
    let all =
        map.iter().map(|record| record.map(|(key, value, line)| (key.to_owned(), (value.to_owned(), line))));
    assert_eq!(all.collect::<Result<Model, _>>().unwrap(), *model);
}

fn users(count: u32) -> Model {
    (0..count)
        .map(|number| {
            (format!("user{number}@example.org"), (format!("relay:[10.0.0.{}]", number % 7), number + 1))
        })
        .collect()
}

#[test]
fn what_is_put_in_is_found_and_nothing_else() {
    for count in [0, 1, 2, 5, 6, 1000, 20_000] {
        let model = users(count);
        let map = open(&octets_of(&model)).unwrap();
        assert_says(&map, &model);
        assert_eq!(map.values(), count.min(7) as usize);
        for absent in [
            "",
            "user",
            "user20000@example.org",
            "USER0@example.org",
            "user0@example.or",
            "user0@example.orgx",
        ] {
            assert_eq!(map.find(absent).unwrap(), None, "{absent}");
        }
    }
}

#[test]
fn few_keys_of_usual_lengths_and_shorter_find_no_room_in_their_cells() {
    for length in [5, 6, 8, 12, 22, 30] {
        let keys = 20_000;
        let model: Model =
            (0..keys).map(|number| (format!("{number:0length$}"), ("v".into(), number + 1))).collect();
        let octets = octets_of(&model);
        let map = open(&octets).unwrap();
        assert_says(&map, &model);
        let cells = map.container().section(&CELLS).unwrap();
        let here: usize =
            cells.chunks(CELL).map(|cell| cell[..7].iter().filter(|mark| **mark != 0).count()).sum();
        let elsewhere = model.len() - here;
        assert!(elsewhere < model.len() / 12, "{length}: {elsewhere} of {keys} keys");
        let beyond = octets.len() / model.len() - length;
        assert!(beyond <= 48, "{length}: {beyond} octets a key beyond the key");
    }
}

#[test]
fn keys_and_values_of_every_length_up_to_the_limits() {
    let mut model = Model::new();
    for length in [0, 1, 7, 63, 64, 127, 128, 255, 256, 16_383, 16_384, 40_000, MOST_KEY] {
        model.insert("k".repeat(length), ("v".repeat(length), length as u32));
        model.insert("ß".repeat(length / 2), ("€".repeat(length / 3), u32::MAX));
    }
    model.insert("long".into(), ("v".repeat(MOST_VALUE), 0));
    assert_says(&open(&octets_of(&model)).unwrap(), &model);
}

#[test]
fn over_a_limit_is_said_and_the_map_goes_on_without() {
    let mut builder = ExactBuilder::new();
    assert_eq!(builder.push(&"k".repeat(MOST_KEY + 1), "v", 1), Err(TooLarge::Key(MOST_KEY + 1)));
    assert_eq!(builder.push("k", &"v".repeat(MOST_VALUE + 1), 1), Err(TooLarge::Value(MOST_VALUE + 1)));
    builder.push("k", "v", 2).unwrap();
    let map = open(&builder.finish().unwrap().to_bytes().unwrap()).unwrap();
    assert_says(&map, &Model::from([("k".into(), ("v".into(), 2))]));
}

#[test]
fn a_key_twice_with_the_same_value_counts_once_and_is_told() {
    let built = built([("a", "1", 4), ("b", "2", 2), ("a", "1", 1), ("a", "1", 9)]).unwrap();
    let repeated = built.repeated();
    assert_eq!(repeated.total, 2);
    let again = |second_line| Duplicate { key: "a".into(), first_line: 1, second_line, same_value: true };
    assert_eq!(repeated.kept, [again(4), again(9)]);
    let model = Model::from([("a".into(), ("1".into(), 1)), ("b".into(), ("2".into(), 2))]);
    assert_says(&open(&built.to_bytes().unwrap()).unwrap(), &model);
}

#[test]
fn a_key_twice_with_different_values_is_refused_with_both_lines() {
    let error = built([("b", "1", 1), ("a", "1", 5), ("a", "2", 3), ("a", "1", 7)]).unwrap_err();
    let BuildError::Contradictions(found) = error else { panic!("{error}") };
    let against = |second_line| Duplicate { key: "a".into(), first_line: 3, second_line, same_value: false };
    assert_eq!((found.total, found.kept), (2, vec![against(5), against(7)]));
}

#[test]
fn of_very_many_duplicates_the_first_lines_are_kept() {
    let entries: Vec<(String, u32)> =
        (1..=20_000).map(|line| (format!("key{}", line % 10_000), line)).collect();
    let error = built(
        entries.iter().map(|(key, line)| (key.as_str(), if *line > 10_000 { "b" } else { "a" }, *line)),
    );
    let Err(BuildError::Contradictions(found)) = error else { panic!("{error:?}") };
    assert_eq!((found.total, found.kept.len()), (10_000, Duplicates::LIMIT));
    let lines: Vec<u32> = found.kept.iter().map(|duplicate| duplicate.second_line).collect();
    assert_eq!(lines, (10_001..=10_200).collect::<Vec<u32>>());
}

/// Keys that all fall into the first bucket under seed 0, as somebody who knows the function can choose them.
fn crowd(count: usize) -> Vec<String> {
    let hash = Hash::new(0);
    // So few records have fewer buckets than sixty-four.
    let chosen = |key: &String| bucket_of(hash.of(key.as_bytes()), 64) == 0;
    (0_u32..).map(|number| format!("chosen{number}")).filter(chosen).take(count).collect()
}

/// As `docs/map-format.md` says it.
fn seed_by_the_book(before: u64, keys: &[String]) -> u64 {
    let mut keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    keys.sort_by_key(|key| (Hash::new(before).of(key), *key));
    let mut text = [b"swm1 seed".as_slice(), &before.to_le_bytes()].concat();
    keys.iter().for_each(|key| text.extend([&(key.len() as u32).to_le_bytes()[..], key].concat()));
    u64::from_le_bytes(*blake3::hash(&text).as_bytes().first_chunk().unwrap())
}

#[test]
fn keys_that_crowd_a_bucket_get_another_seed_and_the_same_one_each_time() {
    let keys = crowd(hash::MOST_IN_BUCKET + 1);
    let model: Model = keys.iter().zip(1..).map(|(key, line)| (key.clone(), ("v".into(), line))).collect();
    let octets = octets_of(&model);
    let map = open(&octets).unwrap();
    assert_eq!(map.seed(), seed_by_the_book(hash::FIRST_SEED, &keys));
    assert_says(&map, &model);
    let turned = model.iter().rev().map(|(key, (value, line))| (key.as_str(), value.as_str(), *line));
    assert!(built(turned).unwrap().to_bytes().unwrap() == octets);
    // One less fits.
    let fewer: Model = model.into_iter().skip(1).collect();
    let fewer = (open(&octets_of(&fewer)).unwrap(), fewer);
    assert_says(&fewer.0, &fewer.1);
    assert_eq!(fewer.0.seed(), hash::FIRST_SEED);
}

#[test]
fn each_change_of_crowding_keys_is_a_seed_that_nobody_knew() {
    let keys = crowd(hash::MOST_IN_BUCKET + 2);
    let seed = |keys: &[String]| {
        let built = built(keys.iter().map(|key| (key.as_str(), "v", 1))).unwrap();
        open(&built.to_bytes().unwrap()).unwrap().seed()
    };
    let seeds: BTreeSet<u64> = [&keys[..], &keys[1..], &keys[..keys.len() - 1]].map(seed).into();
    assert_eq!(seeds.len(), 3);
    assert!(!seeds.contains(&hash::FIRST_SEED));
}

#[test]
fn keys_that_were_told_are_found_as_others_are_whatever_map_was_told_last() {
    let crowd = crowd(70);
    let crowded = built(crowd.iter().zip(1..).map(|(key, line)| (key.as_str(), "v", line))).unwrap();
    let crowded = open(&crowded.to_bytes().unwrap()).unwrap();
    let model = users(1000);
    let usual = open(&octets_of(&model)).unwrap();
    assert_ne!(crowded.container().head().seed, usual.container().head().seed);

    // More than are taken at once, and one of neither map.
    let keys: Vec<&str> =
        crowd.iter().take(3).chain(model.keys().take(8)).map(String::as_str).chain(["absent"]).collect();
    let maps = [&crowded, &usual];
    for told in [vec![], vec![&crowded], vec![&usual], vec![&crowded, &usual], vec![&usual, &crowded]] {
        let mut near = Near::of(keys.iter().copied().skip(1));
        told.iter().for_each(|map| map.bring_near(&mut near));
        for (map, key) in maps.iter().flat_map(|map| keys.iter().map(move |key| (map, *key))) {
            assert_eq!(map.find_near(key, &near), map.find(key), "{key}");
            // The same text in another place.
            let elsewhere = String::from(key);
            assert_eq!(map.find_near(&elsewhere, &near), map.find(key), "{key}");
        }
    }
    assert!(
        keys.iter().all(|key| *key == "absent" || maps.iter().any(|map| map.find(key).unwrap().is_some()))
    );
}

#[test]
fn another_kind_a_flag_or_a_missing_section_is_refused() {
    let sections: [(Tag, &[u8]); 4] = [(CELLS, &[0; CELL]), (BEHIND, b""), (ENDS, b""), (VALUES, b"")];
    let assemble = |kind, head, sections: &[(Tag, &[u8])]| {
        open(&crate::artifact::container::assemble(kind, head, sections).unwrap())
    };
    let head = crate::artifact::container::Head::default();
    assemble(Kind::Exact, head, &sections).unwrap().verify().unwrap();
    let kind = BadArtifact::Kind { wanted: Kind::Exact, found: Kind::Cidr };
    assert_eq!(assemble(Kind::Cidr, head, &sections).unwrap_err(), kind);
    let flagged = crate::artifact::container::Head { flags: 1, ..head };
    assert!(matches!(assemble(Kind::Exact, flagged, &sections).unwrap_err(), BadArtifact::Layout(_)));
    assert_eq!(assemble(Kind::Exact, head, &sections[..3]).unwrap_err(), BadArtifact::Missing(VALUES));
    for (section, length) in [(0, 0), (0, 255), (0, 300), (1, 7), (2, 4)] {
        let mut sections = sections;
        let octets = vec![0; length];
        sections[section].1 = &octets;
        assert!(matches!(assemble(Kind::Exact, head, &sections).unwrap_err(), BadArtifact::Layout(_)));
    }
}

#[test]
fn g2_a_flipped_bit_behind_fitting_hashes_is_found_or_harmless() {
    let model = users(40);
    let good = octets_of(&model);
    for place in 0..good.len() * 8 {
        let mut damaged = good.clone();
        damaged[place / 8] ^= 1 << (place % 8);
        assert!(open(&damaged).and_then(|map| map.verify()).is_err(), "bit {place}");
        forge::reseal(&mut damaged);
        let Ok(map) = open(&damaged) else { continue };
        for key in model.keys() {
            let _ = map.find(key);
        }
        if map.verify().is_ok() {
            agrees_with_itself(&map);
        }
    }
}

/// A verified map answers every question about what it lists, with what it lists.
fn agrees_with_itself(map: &Exact) {
    for record in map {
        let (key, value, line) = record.unwrap();
        let found = map.find(key).unwrap().unwrap();
        assert_eq!((map.value(found.value).unwrap(), found.line), (value, line));
    }
}

/// Lines as xxd(1) writes them, indented as in the document.
fn dump(octets: &[u8]) -> String {
    let mut text = String::new();
    for (number, line) in octets.chunks(16).enumerate() {
        let pairs: Vec<String> =
            line.chunks(2).map(|pair| pair.iter().map(|octet| format!("{octet:02x}")).collect()).collect();
        let shown: String = line
            .iter()
            .map(|octet| if octet.is_ascii_graphic() || *octet == b' ' { *octet as char } else { '.' })
            .collect();
        text += &format!("    {:08x}: {:39}  {shown}\n", number * 16, pairs.join(" "));
    }
    text
}

#[test]
fn the_documents_example_is_what_a_builder_makes() {
    let octets = built([("b@x", "1", 1), ("a@x", "1", 2)]).unwrap().to_bytes().unwrap();
    let document = include_str!("../../../../../docs/map-format.md");
    assert!(document.contains(&dump(&octets)), "the example is\n{}", dump(&octets));
}

prop_compose! {
    fn model()(entries in proptest::collection::btree_map("[a-c]{0,3}|\\PC{0,12}", ("[xy]{0,2}|\\PC{0,9}", any::<u32>()), 0..90)) -> Model {
        entries
    }
}

proptest! {
    #[test]
    fn a_map_says_what_was_put_in(model in model(), others in proptest::collection::vec("[a-c]{0,3}", 0..20)) {
        let map = open(&octets_of(&model)).unwrap();
        assert_says(&map, &model);
        for other in others {
            prop_assert_eq!(map.find(&other).unwrap().is_some(), model.contains_key(&other));
        }
    }

    #[test]
    fn the_order_of_the_entries_does_not_matter(
        entries in proptest::collection::vec(("[a-c]{0,2}", 0..4_u32), 0..40).prop_shuffle(),
        shift in 0..40_usize,
    ) {
        // A key's value follows from the key, so repeated keys agree.
        let values: Vec<String> = entries.iter().map(|(key, _)| key.repeat(2)).collect();
        let whole: Vec<_> = entries.iter().zip(&values).map(|((key, line), value)| (key.as_str(), value.as_str(), *line)).collect();
        let mut turned = whole.clone();
        turned.rotate_left(shift.min(whole.len()));
        prop_assert_eq!(built(whole).unwrap().to_bytes().unwrap(), built(turned).unwrap().to_bytes().unwrap());
    }

    #[test]
    fn g2_no_forged_content_makes_a_question_panic(
        model in model(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut octets = octets_of(&model);
        for (at, octet) in &changes {
            let at = at.index(octets.len());
            octets[at] = *octet;
        }
        forge::reseal(&mut octets);
        if let Ok(map) = open(&octets) {
            for key in model.keys() {
                let _ = map.find(key);
            }
            let _ = map.iter().count();
            let _ = (0..20).map(|number| map.value(number)).filter(Result::is_ok).count();
            if map.verify().is_ok() {
                agrees_with_itself(&map);
            }
        }
    }
}
