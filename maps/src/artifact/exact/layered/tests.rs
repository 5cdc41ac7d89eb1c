//! Tables that change again and again, beside what they should say.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::super::diff::{Counts, Difference};
use super::*;
use crate::artifact::ExactBuilder;
use crate::artifact::container::forge;

/// A text: each key's value, in the order of its lines.
type Text = Vec<(String, String)>;

fn key(number: u8) -> String {
    format!("user{number}@example.org")
}

/// Each key's value and line.
fn entries(text: &Text) -> BTreeMap<&str, (&str, u32)> {
    (1..).zip(text).map(|(line, (key, value))| (key.as_str(), (value.as_str(), line))).collect()
}

fn compiled(text: &Text) -> Vec<u8> {
    let mut builder = ExactBuilder::new();
    for (key, (value, line)) in entries(text) {
        builder.push(key, value, line).unwrap();
    }
    builder.finish().unwrap().to_bytes().unwrap()
}

fn open(octets: Vec<u8>) -> Container {
    Container::open(octets.into()).unwrap()
}

fn table(text: &Text) -> Layered {
    Exact::open(open(compiled(text))).unwrap().into()
}

/// One line for another, or none, or one more at some place.
#[derive(Debug, Clone)]
struct Edit {
    at: usize,
    key: u8,
    value: u8,
    takes: bool,
}

fn edited(text: &Text, edits: &[Edit]) -> Text {
    let mut text = text.clone();
    for edit in edits {
        let at = edit.at % (text.len() + 1);
        if edit.takes {
            text.retain(|(key, _)| *key != self::key(edit.key));
        } else {
            let entry = (key(edit.key), edit.value.to_string());
            text.retain(|(key, _)| *key != entry.0);
            text.insert(at.min(text.len()), entry);
        }
    }
    text
}

/// What leads from one text to the next, by the lines that stand in both in one order.
fn change(old: &Text, new: &Text) -> Since<'static> {
    let (mut moved, mut kept, mut from) = (Moved::default(), Vec::new(), 0);
    for (at, entry) in old.iter().enumerate() {
        let Some(place) = new.iter().skip(from).position(|other| other == entry).map(|place| place + from)
        else {
            continue;
        };
        from = place + 1;
        let line = |at: usize| u32::try_from(at).unwrap() + 1;
        moved.push(Stretch { start: line(at), end: line(at) + 1, new: line(place) }).unwrap();
        kept.push(&*entry.0);
    }
    let other = |key: &&str| !kept.contains(key);
    let (had, has) = (entries(old), entries(new));
    let gone = had.keys().filter(|key| !has.contains_key(**key));
    let mut ops: Vec<Op<'static>> =
        gone.filter(|key| other(key)).map(|key| Op::Delete { key: (*key).to_owned().into() }).collect();
    for (key, (value, line)) in has.into_iter().filter(|(key, _)| other(key)) {
        ops.push(Op::Put { key: key.to_owned().into(), value: value.to_owned().into(), line });
    }
    Since { ops, moved, keys: entries(new).len() as u64 }
}

/// The same table, a file of changes more or another one.
fn changed(table: &Layered, old: &Text, new: &Text) -> (Layered, Vec<u8>) {
    let since = table.since_base(change(old, new)).unwrap();
    let octets = since.encode(table.base()).unwrap();
    let merged = since.merge(table.base(), io::Cursor::new(Vec::new())).unwrap().into_inner();
    assert_eq!(merged, compiled(new), "one file of both is the one that a compiler makes");
    let base = Exact::open(open(table.base().container().bytes().to_vec())).unwrap();
    (Layered::with(base, open(octets.clone())).unwrap(), octets)
}

fn assert_says(table: &Layered, text: &Text) {
    table.verify().unwrap();
    let entries = entries(text);
    assert_eq!(table.len(), entries.len() as u64);
    let said: BTreeMap<_, _> =
        table.iter().map(|entry| entry.map(|(key, value, line)| (key, (value, line))).unwrap()).collect();
    assert_eq!(said, entries);
    assert_eq!(table.iter().count(), entries.len());
    let keys: Vec<String> = (0..=u8::MAX).map(key).collect();
    for told in keys.chunks(5) {
        let mut near = Near::of(told.iter().map(String::as_str));
        table.bring_near(&mut near);
        for key in told {
            let found = table.find_near(key, &near).unwrap();
            assert_eq!(found, table.find(key).unwrap());
            let found = found.map(|found| (table.value(found.value).unwrap(), found.line));
            assert_eq!(found, entries.get(&**key).copied(), "{key}");
        }
    }
}

fn assert_differ(old: (&Layered, &Text), new: (&Layered, &Text)) {
    let (had, has) = (entries(old.1), entries(new.1));
    let mut want = BTreeMap::new();
    for key in had.keys().chain(has.keys()) {
        let values = (had.get(key).map(|(value, _)| *value), has.get(key).map(|(value, _)| *value));
        if values.0 != values.1 {
            want.insert(*key, values);
        }
    }
    let (mut have, mut counts) = (BTreeMap::new(), Counts::default());
    let all = differences(old.0, new.0, |difference| {
        let (key, values) = match difference {
            Difference::Added(new) => (new.key, (None, Some(new.value))),
            Difference::Removed(old) => (old.key, (Some(old.value), None)),
            Difference::Changed(old, new) => (old.key, (Some(old.value), Some(new.value))),
        };
        match values {
            (None, _) => counts.added += 1,
            (_, None) => counts.removed += 1,
            _ => counts.changed += 1,
        }
        assert!(have.insert(key, values).is_none(), "{key} is told twice");
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(all.is_continue());
    assert_eq!(have, want);
    assert_eq!(count(old.0, new.0).unwrap(), counts);
    // Nobody is given more than is asked for.
    let (mut asked, most) = (0, want.len().min(2));
    let some = differences(old.0, new.0, |_| {
        asked += 1;
        if asked < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!((asked, some.unwrap().is_break()), (most, most > 0));
}

fn some_edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (0..300_usize, any::<u8>(), 0..4_u8, prop::bool::weighted(0.3));
    let edit = edit.prop_map(|(at, key, value, takes)| Edit { at, key, value, takes });
    proptest::collection::vec(edit, 0..20)
}

proptest! {
    #[test]
    fn a_table_with_its_changes_says_what_a_compiler_says(
        first in some_edits(), more in proptest::collection::vec(some_edits(), 1..5)
    ) {
        let start: Text = (0..100).map(|number| (key(number), (number % 3).to_string())).collect();
        let mut text = edited(&start, &first);
        let mut layered = table(&text);
        let (first, first_text) = (table(&text), text.clone());
        for edits in more {
            let next = edited(&text, &edits);
            let (changed, _) = changed(&layered, &text, &next);
            assert_says(&changed, &next);
            assert_differ((&layered, &text), (&changed, &next));
            assert_differ((&first, &first_text), (&changed, &next));
            assert_differ((&changed, &next), (&first, &first_text));
            assert_differ((&table(&text), &text), (&changed, &next));
            (layered, text) = (changed, next);
        }
    }
}

/// A table of some keys, and changes of each kind.
fn small() -> (Text, Text) {
    let old: Text = (0..40).map(|number| (key(number), (number % 3).to_string())).collect();
    let mut new = old.clone();
    new.remove(7);
    new.insert(0, (key(200), "new".to_owned()));
    new[20].1 = "other".to_owned();
    (old, new)
}

#[test]
fn changes_of_another_table_are_refused() {
    let (old, new) = small();
    let (_, octets) = changed(&table(&old), &old, &new);
    let other = Exact::open(open(compiled(&new))).unwrap();
    assert!(matches!(Layered::with(other, open(octets.clone())), Err(BadArtifact::Layout(_))));
    assert!(matches!(Exact::open(open(octets)), Err(BadArtifact::Kind { .. })));
    let base = || Exact::open(open(compiled(&old))).unwrap();
    assert!(matches!(Layered::with(base(), open(compiled(&old))), Err(BadArtifact::Kind { .. })));
}

#[test]
fn no_octet_of_the_changes_may_be_another_one() {
    let (old, new) = small();
    let (_, good) = changed(&table(&old), &old, &new);
    let asked = |octets: Vec<u8>| {
        let table =
            Layered::with(Exact::open(open(compiled(&old))).unwrap(), Container::open(octets.into())?)?;
        let verified = table.verify();
        // Whatever it is: an answer or an error.
        for number in 0..=u8::MAX {
            let found =
                table.find(&key(number)).map(|found| found.map(|found| table.value(found.value).map(drop)));
            assert!(verified.is_err() || matches!(found, Ok(None | Some(Ok(())))), "{number}");
        }
        assert!(verified.is_err() || table.iter().count() as u64 == table.len());
        verified
    };
    asked(good.clone()).unwrap();
    for at in 0..good.len() {
        let mut octets = good.clone();
        octets[at] ^= 1 << (at % 8);
        assert!(asked(octets.clone()).is_err(), "octet {at}");
        assert!(asked(good[..at].to_vec()).is_err());
        forge::reseal(&mut octets);
        let _whatever_it_is = asked(octets);
    }
}

#[test]
fn few_changes_of_a_large_table_are_kept_beside_it() {
    let number = |count: u64| u32::try_from(count).unwrap();
    let large: Text = (0..LEAST_LAYERED).map(|number| (format!("user{number}"), "x".to_owned())).collect();
    let changes = |of: &Layered, count: u64| {
        let ops = (0..count).map(|number| Op::Delete { key: format!("user{number}").into() }).collect();
        let mut moved = Moved::default();
        moved.push(Stretch { start: number(count) + 1, end: number(of.len()) + 1, new: 1 }).unwrap();
        of.since_base(Since { ops, moved, keys: of.len() - count }).unwrap().are_few(of.base())
    };
    let most = LEAST_LAYERED / ONE_IN;
    let table_of = |text: &Text| table(text);
    assert!(changes(&table_of(&large), most - 1));
    assert!(!changes(&table_of(&large), most));
    let small: Text = large[1..].to_vec();
    assert!(!changes(&table_of(&small), 1));
    let nothing = table(&Text::new());
    let nothing_changed = Since { ops: Vec::new(), moved: Moved::default(), keys: 0 };
    assert!(!nothing_changed.are_few(nothing.base()));
}
