//! Sets swapped under full lookup load: every lookup sees one generation, of every kind of table.
//!
//! Two sets that answer everything differently go in and out of use as fast as that can be. The number of the
//! generation says which of them is asked: what it answers must be that one's, whole, whenever it is asked.
//! `SWITCHYARD_LONG=1` asks ten million times.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use switchyard_maps::{
    Access, Answer, MapHandle, MapName, MapOptions, MapSet, Snapshot, TableSpec, Verified,
};
use switchyard_smtp::address::{Domain, Mailbox};
use switchyard_tests::peer::postmap::Postmap;

use crate::crash::long;

const READERS: usize = 2;
const DOMAINS: usize = 2_000;
/// At the least.
const SWAPS: u64 = 1_000;
/// Lookups in a snapshot.
const QUESTIONS: u64 = 5;

/// A set in which everything says this word.
fn set(tables: &Postmap, word: &str) -> Verified<MapSet> {
    let each = |line: &dyn Fn(usize) -> String| -> String { (0..DOMAINS).map(line).collect() };
    tables.write(
        &format!("{word}.transport"),
        each(&|number| format!("d{number}.example smtp:[{word}.example]\n")),
    );
    tables.write(&format!("{word}.re"), format!("/^(.*)@pattern\\.example$/ smtp:[{word}.example]\n"));
    tables.write(
        &format!("{word}.alias"),
        each(&|number| format!("u{number}@d{number}.example {word}@end.example\n")),
    );
    let answer = if word == "odd" { "OK" } else { "REJECT" };
    tables.write(&format!("{word}.cidr"), format!("10.0.0.0/8 {answer}\n"));
    tables.write(&format!("{word}.relay"), each(&|number| format!("{word}{number}.example\n")));
    let chain = |words: &[&str]| {
        let words = words.iter().map(|kind| format!("{kind}:{word}.{}", extension(kind)));
        words.map(|word| TableSpec::parse(&word).expect("a table")).collect()
    };
    let options = MapOptions {
        folder: tables.folder().to_owned(),
        tables: [
            (MapName::Transport, chain(&["texthash", "regexp"])),
            (MapName::VirtualAlias, vec![TableSpec::parse(&format!("{word}.alias")).expect("a table")]),
            (MapName::ClientAccess, chain(&["cidr"])),
            (MapName::RelayDomains, vec![TableSpec::parse(&format!("{word}.relay")).expect("a table")]),
        ]
        .into(),
        ..MapOptions::default()
    };
    MapSet::load(&options).unwrap_or_else(|faults| panic!("{faults}"))
}

fn extension(kind: &str) -> &str {
    match kind {
        "texthash" => "transport",
        "regexp" => "re",
        other => other,
    }
}

fn found<T, U>(answer: Answer<T>, of: impl FnOnce(T) -> U) -> Option<U> {
    match answer {
        Answer::Found(value) => Some(of(value)),
        Answer::NotFound => None,
        Answer::Unavailable(unavailable) => panic!("{unavailable}"),
    }
}

/// Asks every kind of table about this number, and checks that all answers are of the set in use.
fn check(maps: &Snapshot, number: usize) {
    let word = if maps.generation() % 2 == 1 { "odd" } else { "even" };
    let address = |text: &str| Mailbox::parse(text).expect("an address");
    let route = |to: &str| found(maps.route(&address(to)), |route| route.value.to_string());
    let expected = Some(format!("smtp:[{word}.example]"));
    assert_eq!(route(&format!("a@d{number}.example")), expected);
    assert_eq!(route("any@pattern.example"), expected);
    let alias = found(maps.alias(&address(&format!("u{number}@d{number}.example"))), |found| found.value);
    assert_eq!(alias.map(|targets| targets[0].to_string()), Some(format!("{word}@end.example")));
    let access = found(maps.access_client(None, [10, 0, 0, 1].into()), |found| found.value);
    assert_eq!(matches!(access, Some(Access::Permit)), word == "odd", "{access:?}");
    let domain: Domain = format!("{word}{number}.example").parse().expect("a domain");
    assert_eq!(found(maps.is_relay_domain(&domain), |_| ()), Some(()));
}

#[test]
fn g4_swap_under_full_lookup_load_shows_every_lookup_one_generation() {
    let lookups: u64 = if long() { 10_000_000 } else { 100_000 };
    let tables = Postmap::new();
    let handle = MapHandle::new(set(&tables, "odd"));
    assert_eq!(handle.swap(set(&tables, "even")), 2);
    let (asked, done, start) = (AtomicU64::new(0), AtomicBool::new(false), Instant::now());
    let swaps = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (handle, asked, done) = (&handle, &asked, &done);
                scope.spawn(move || {
                    let (mut last, mut rng) = (0, fastrand::Rng::with_seed(reader as u64));
                    while !done.load(Ordering::Relaxed) {
                        let maps = handle.snapshot();
                        assert!(maps.generation() >= last, "{} after {last}", maps.generation());
                        last = maps.generation();
                        check(&maps, rng.usize(..DOMAINS));
                        asked.fetch_add(QUESTIONS, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let mut swaps = 0_u64;
        let enough = |swaps| asked.load(Ordering::Relaxed) >= lookups && swaps >= SWAPS;
        // A reader ends before it is told to when an answer was wrong.
        while !enough(swaps) && !readers.iter().any(|reader| reader.is_finished()) {
            assert!(handle.roll_back().is_some());
            swaps += 1;
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().expect("no mixed answer"));
        swaps
    });
    let seconds = start.elapsed().as_secs_f64();
    let asked = asked.into_inner();
    println!(
        "{asked} lookups at {:.0} a second, {swaps} swaps at {:.0} a second: none saw two sets",
        asked as f64 / seconds,
        swaps as f64 / seconds
    );
}
