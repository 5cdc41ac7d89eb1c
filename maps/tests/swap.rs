//! Sets swapped under those who ask.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use switchyard_maps::{Answer, MapHandle, MapName, MapOptions, MapSet, Verified};
use switchyard_smtp::address::{Domain, Mailbox};

/// A set whose maps all name the same number.
fn set(number: u64) -> Verified<MapSet> {
    let transport = format!("* smtp:[host{number}.example]\n");
    let aliases = format!("user@v.example user{number}@a.example\n");
    let domains = format!("domain{number}.example\n");
    let texts = [
        (MapName::Transport, transport.as_str()),
        (MapName::VirtualAlias, aliases.as_str()),
        (MapName::RelayDomains, domains.as_str()),
    ];
    MapSet::from_texts(&MapOptions::default(), &texts).unwrap()
}

fn number_of(maps: &switchyard_maps::Snapshot) -> u64 {
    let user: Mailbox = "user@v.example".parse().unwrap();
    let Answer::Found(found) = maps.alias(&user) else { panic!("no alias") };
    let number = found.value[0].local.as_str()["user".len()..].parse().unwrap();
    let Answer::Found(route) = maps.route(&user) else { panic!("no route") };
    assert_eq!(route.value.to_string(), format!("smtp:[host{number}.example]"));
    let domain = Domain::parse(&format!("domain{number}.example")).unwrap();
    assert!(matches!(maps.is_relay_domain(&domain), Answer::Found(_)), "domain{number}");
    number
}

#[test]
fn g4_a_snapshot_is_one_generation_under_swaps() {
    let handle = MapHandle::new(set(1));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0;
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) || seen == 0 {
                        let maps = handle.snapshot();
                        let number = number_of(&maps);
                        // The set's number is its generation here, so a mixed or an older set shows.
                        assert_eq!(number, maps.generation());
                        assert!(number >= last, "{number} after {last}");
                        last = number;
                        seen += 1;
                    }
                })
            })
            .collect();
        for number in 2..=500 {
            assert_eq!(handle.swap(set(number)), number);
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(number_of(&handle.snapshot()), 500);
}

#[test]
fn a_held_snapshot_does_not_change_and_rolling_back_counts_up() {
    let handle = MapHandle::new(set(7));
    assert_eq!(handle.roll_back(), None);
    let generations = handle.generations();
    let held = handle.snapshot();
    handle.swap(set(8));
    assert_eq!((number_of(&held), held.generation()), (7, 1));
    assert_eq!((number_of(&handle.snapshot()), handle.snapshot().generation()), (8, 2));
    assert_eq!(handle.roll_back(), Some(3));
    assert_eq!(number_of(&handle.snapshot()), 7);
    assert_eq!(handle.roll_back(), Some(4));
    assert_eq!(number_of(&handle.snapshot()), 8);
    assert_eq!(*generations.borrow(), 4);
}
