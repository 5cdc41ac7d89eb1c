//! Tables that the settings hold, by what they answer for whole addresses.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeMap;

use switchyard_maps::{Answer, MapHandle, MapName, MapOptions, MapSet, Snapshot, TableSpec};
use switchyard_smtp::address::{Domain, Mailbox};

fn site(maps: &[(MapName, &[&str])]) -> Snapshot {
    let tables = |words: &[&str]| words.iter().map(|word| TableSpec::parse(word).unwrap()).collect();
    let tables: BTreeMap<_, Vec<_>> = maps.iter().map(|(map, words)| (*map, tables(words))).collect();
    let options =
        MapOptions { tables, origin: Some(Domain::parse("here.example").unwrap()), ..MapOptions::default() };
    match MapSet::load(&options) {
        Ok(set) => MapHandle::new(set).snapshot(),
        Err(faults) => panic!("{faults}"),
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn alias(maps: &Snapshot, address: &str) -> String {
    match maps.alias(&mailbox(address)) {
        Answer::Found(found) => found.value.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(" "),
        Answer::NotFound => "not found".to_owned(),
        Answer::Unavailable(unavailable) => unavailable.to_string(),
    }
}

#[test]
fn a_union_joins_the_targets_of_all_its_tables() {
    let union = "unionmap:{
        inline:{ {team@x.example = ann@x.example, bob}, one@x.example=ann@x.example },
        inline:{ {team@x.example = carl@x.example, \"dora d\"@x.example} },
        unionmap:{ inline:{ team@x.example=erin@y.example } }
    }";
    let maps = site(&[(MapName::VirtualAlias, &[union])]);
    assert_eq!(
        alias(&maps, "team@x.example"),
        "ann@x.example bob@here.example carl@x.example \"dora d\"@x.example erin@y.example"
    );
    assert_eq!(alias(&maps, "one@x.example"), "ann@x.example");
    assert_eq!(alias(&maps, "two@x.example"), "not found");
}

#[test]
fn tables_are_asked_in_their_order() {
    let maps = site(&[(
        MapName::VirtualAlias,
        &[
            "inline:{a@x.example=first@x.example}",
            "inline:{a@x.example=second@x.example, b@x.example=b2@x.example}",
        ],
    )]);
    assert_eq!(alias(&maps, "a@x.example"), "first@x.example");
    assert_eq!(alias(&maps, "b@x.example"), "b2@x.example");
}

#[test]
fn one_that_fails_is_never_a_no() {
    let maps = site(&[(MapName::VirtualAlias, &["inline:{a@x.example=b@x.example}", "fail:moving house"])]);
    assert_eq!(alias(&maps, "a@x.example"), "b@x.example");
    let told = alias(&maps, "c@x.example");
    assert!(told.ends_with("fail:{moving house}: moving house"), "{told}");
    let maps = site(&[(MapName::VirtualAlias, &["unionmap:{static:a@x.example, fail:no}"])]);
    assert!(alias(&maps, "c@x.example").ends_with("fail:no: no"), "{}", alias(&maps, "c@x.example"));
}

#[test]
fn chance_takes_each_of_its_values() {
    let maps = site(&[(MapName::Transport, &["randmap:{smtp:[a.example], {smtp:[b.example]} * 3}"])]);
    let route = || match maps.route(&mailbox("a@x.example")) {
        Answer::Found(found) => found.value.to_string(),
        other => panic!("{other:?}"),
    };
    // One chance in 10^50 that this never sees the other.
    let seen: std::collections::BTreeSet<_> = (0..400).map(|_| route()).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["smtp:[a.example]", "smtp:[b.example]"]);
}
