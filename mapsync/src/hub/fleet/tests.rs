//! What hosts say, here and at other hubs.

use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::hash::Hash;

use super::*;
use crate::hub::testing::status;

#[test]
fn the_newest_word_counts_and_there_is_room_for_so_many_hosts() {
    let (fleet, now) = (Fleet::default(), Instant::now());
    let hear = |host: &str, nonce, at| fleet.hear(Status { nonce, at: Timestamp(at), ..status(host) }, now);
    let nonces = || fleet.all().iter().map(|word| word.status.nonce).collect::<Vec<_>>();
    hear("mx1", 5, 100).unwrap();
    hear("mx1", 4, 99).unwrap();
    assert_eq!(nonces(), [5], "it came late");
    hear("mx1", 1, 200).unwrap();
    assert_eq!(nonces(), [1], "it lost its memory");
    hear("mx1", 9000, 9000).unwrap();
    let hear_late = |after| {
        let word = Status { nonce: 300, at: Timestamp(300), ..status("mx1") };
        fleet.hear(word, now + Duration::from_secs(after)).unwrap();
    };
    hear_late(10);
    assert_eq!(nonces(), [9000], "it came late");
    hear_late(61);
    assert_eq!(nonces(), [300], "its clock was ahead, and was set right");
    for host in 1..HOSTS {
        hear(&format!("host{host}"), 1, 1).unwrap();
    }
    assert!(hear("one-more", 1, 1).is_err());
    assert!(hear("mx1", 301, 301).is_ok());
}

#[test]
fn who_looks_hears_of_those_that_changed_and_how_soon_a_release_was_in_use() {
    let (fleet, start) = (Fleet::default(), Instant::now());
    let of = |generation| HeadRef { generation, hash: Hash::of(&[0]) };
    let say = |host: &str, at: u64, active: Option<u64>| {
        let mut status = Status { nonce: at, at: Timestamp(at), ..status(host) };
        status.progress.active = active.map(of);
        fleet.hear(status, start + Duration::from_millis(at)).unwrap();
    };
    for host in ["mx1", "mx2", "mx3"] {
        say(host, 1, None);
    }
    let (all, seen) = fleet.since(0);
    assert_eq!((all.len(), seen), (3, 3));
    fleet.released(of(7), 1, start + Duration::from_millis(100));
    assert!(fleet.paces().is_empty());
    say("mx2", 150, Some(7));
    say("mx1", 200, Some(7));
    say("mx2", 210, Some(7));
    // One that was not known may have had it for long.
    say("mx4", 220, Some(7));
    let names = |words: &[Word]| words.iter().map(|word| word.status.host.clone()).collect::<Vec<_>>();
    assert_eq!(names(&fleet.since(seen).0), ["mx1", "mx2", "mx4"]);
    let ms = Duration::from_millis;
    let pace = Pace { generation: 7, hosts: 2, first: ms(50), median: ms(50), most: ms(100), last: ms(100) };
    assert_eq!(fleet.paces(), [pace]);
    // The rest is meant later, by another release.
    fleet.released(of(7), 2, start + ms(1000));
    fleet.released(of(7), 2, start + ms(1005));
    say("mx3", 1010, Some(7));
    assert_eq!(fleet.paces()[0].first, ms(10));
    for generation in 8..100 {
        fleet.released(of(generation), generation, start);
    }
    assert!(fleet.paces().is_empty(), "only the last ones are remembered");
}

#[test]
fn what_hubs_pass_on_is_older_or_newer_by_the_hosts_own_numbers() {
    let (fleet, start) = (Fleet::default(), Instant::now());
    let seconds = Duration::from_secs;
    let word = |nonce, at| Status { nonce, at: Timestamp(at), ..status("mx1") };
    let known = |now| {
        let all = fleet.all();
        (all[0].status.nonce, all[0].age(now).as_secs())
    };
    fleet.hear_of(word(10, 100), seconds(4), 7, start).unwrap();
    assert_eq!(known(start + seconds(1)), (10, 5), "it is as old as it was said to be");
    fleet.hear_of(word(10, 100), seconds(0), 8, start).unwrap();
    assert_eq!(known(start), (10, 4), "the same by another way is nothing new");
    fleet.hear_of(word(11, 100), seconds(3), 8, start).unwrap();
    fleet.hear_of(word(9, 99), seconds(0), 7, start).unwrap();
    assert_eq!(known(start), (11, 3));

    // Its clock went back: by its numbers nobody knows which is newer, but the one was heard before the other.
    fleet.hear_of(word(12, 50), seconds(3), 7, start).unwrap();
    assert_eq!(known(start), (11, 3));
    fleet.hear_of(word(12, 50), seconds(2), 7, start).unwrap();
    assert_eq!(known(start), (12, 2));
    fleet.hear_of(word(11, 100), seconds(3), 8, start).unwrap();
    assert_eq!(known(start), (12, 2), "and it stays so");
    fleet.hear(word(1, 60), start).unwrap();
    assert_eq!(known(start), (1, 0), "what it says here is its last word");

    // Whether it speaks here, too, does not hang on by which way its word came first.
    let here = |now| fleet.all()[0].silent_here(now);
    fleet.hear_of(word(2, 70), seconds(0), 7, start + seconds(9)).unwrap();
    assert_eq!(here(start + seconds(9)), Some(seconds(9)));
    fleet.hear(word(2, 70), start + seconds(10)).unwrap();
    assert_eq!(here(start + seconds(10)), Some(seconds(0)));
    fleet.hear_of(status("mx2"), seconds(0), 7, start).unwrap();
    assert_eq!(fleet.all()[1].silent_here(start), None);
}

#[test]
fn a_word_is_passed_on_page_by_page_and_not_back() {
    let (fleet, now) = (Fleet::default(), Instant::now());
    for host in ["mx1", "mx2", "mx3"] {
        fleet.hear(status(host), now).unwrap();
    }
    fleet.hear_of(status("mx4"), Duration::ZERO, 7, now).unwrap();
    let told = |after, without| {
        let Page { words, place, more } = fleet.page(after, without, 2);
        (words.into_iter().map(|word| word.status.host).collect::<Vec<_>>(), place, more)
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(told(0, 7), (names(&["mx1", "mx2"]), 2, true));
    assert_eq!(told(2, 7), (names(&["mx3"]), 4, false));
    assert_eq!(told(2, 8), (names(&["mx3", "mx4"]), 4, false));
    // One that says something again is told again, and nobody else is.
    fleet.hear(Status { nonce: 2, ..status("mx1") }, now).unwrap();
    assert_eq!(told(4, 8), (names(&["mx1"]), 5, false));
    assert_eq!(told(5, 8), (names(&[]), 5, false));
}

#[test]
fn who_speaks_here_has_room_before_those_of_whom_others_speak_and_who_is_silent_is_forgotten() {
    let (fleet, now) = (Fleet::default(), Instant::now());
    for host in 0..HOSTS {
        fleet.hear_of(status(&format!("host{host}")), Duration::ZERO, 7, now).unwrap();
    }
    assert!(fleet.hear_of(status("one-more"), Duration::ZERO, 7, now).is_err());
    fleet.hear(status("mx1"), now).unwrap();
    assert_eq!(fleet.all().len(), HOSTS);

    let later = now + FORGOTTEN + Duration::from_secs(1);
    fleet.hear(Status { nonce: 2, ..status("mx1") }, later).unwrap();
    let left: Vec<_> = fleet.all().into_iter().map(|word| word.status.host).collect();
    assert_eq!(left, ["mx1"]);
    fleet.hear_of(status("host1"), FORGOTTEN + Duration::from_secs(1), 7, later).unwrap();
    assert_eq!(fleet.all().len(), 1, "nor comes it back by another hub");
}
