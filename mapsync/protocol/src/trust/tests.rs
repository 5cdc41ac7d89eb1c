use super::*;
use crate::head::tests::head;
use crate::keys::SecretKey;
use crate::release::Release;
use crate::release::tests::release;
use crate::root::Roles;

const START: Timestamp = Timestamp(1500);
const LATE: Timestamp = Timestamp(2000);

/// Keys 1 to 3 are the root's (two must sign), 4 and 5 the admins' (two), 6 the hubs'.
pub(crate) fn root(version: u64) -> Root {
    let role =
        |seeds: &[u8], threshold| Role { keys: seeds.iter().map(|n| key(*n).public()).collect(), threshold };
    Root {
        environment: head(1, None).environment,
        version,
        expires: Timestamp(3000),
        roles: Roles { root: role(&[1, 2, 3], 2), push: role(&[4, 5], 2), release: role(&[6], 1) },
    }
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32]).unwrap()
}

pub(crate) fn by<M: Message>(message: &M, seeds: &[u8]) -> (Vec<u8>, Hash) {
    let mut signed = Signed::new(message).unwrap();
    seeds.iter().for_each(|seed| signed.sign(&key(*seed)));
    (signed.to_json().unwrap(), signed.hash())
}

fn host() -> Trusted {
    Trusted::begin(&by(&root(1), &[1, 2]).0, &root(1).environment).unwrap()
}

/// Heads 1 to 3 with their hashes.
type Heads = Vec<(Vec<u8>, Hash)>;

/// A host that runs generation 2 and has 3 ready, by releases 10 and 11.
fn running() -> (Trusted, Heads, Vec<Vec<u8>>) {
    let mut host = host();
    let mut heads = Heads::new();
    for generation in 1..=3 {
        heads.push(by(&head(generation, heads.last().map(|(_, hash)| *hash)), &[4, 5]));
        let taken = host.accept_head(&heads.last().unwrap().0, START).unwrap();
        assert!(matches!(taken, Taken::New(head) if head.generation == generation));
    }
    let releases: Vec<_> = [(10, 1), (11, 2)]
        .map(|(sequence, generation)| {
            by(&release(sequence, generation, heads[generation as usize - 1].1), &[6]).0
        })
        .into();
    for release in &releases {
        assert!(matches!(host.accept_release(release, START), Ok(Taken::New(_))));
    }
    assert_eq!(host.released().map(|head| head.generation), Some(2));
    assert_eq!(host.newest().map(|head| head.generation), Some(3));
    (host, heads, releases)
}

/// The refusal, after the proof that nothing changed by it.
fn refused<T: std::fmt::Debug>(
    host: &mut Trusted,
    take: impl FnOnce(&mut Trusted) -> Result<T, Refused>,
) -> Refused {
    let before = host.clone();
    let refused = take(host).unwrap_err();
    assert_eq!(*host, before, "{refused}");
    refused
}

#[test]
fn y1_an_older_head_or_release_is_refused_also_after_a_restart() {
    let (host, heads, releases) = running();
    let mut host = Trusted::from_json(&host.to_json().unwrap()).unwrap();
    let older = refused(&mut host, |host| host.accept_head(&heads[1].0, START));
    assert!(matches!(older, Refused::Rollback { what: "generation", have: 2, trusted: 3 }), "{older}");
    let older = refused(&mut host, |host| host.accept_release(&releases[0], START));
    assert!(matches!(older, Refused::Rollback { what: "release", have: 10, trusted: 11 }), "{older}");
    // A hub with a good key and a new number still cannot go back.
    let back = by(&release(12, 1, heads[0].1), &[6]).0;
    let older = refused(&mut host, |host| host.accept_release(&back, START));
    assert!(matches!(older, Refused::Rollback { what: "generation", have: 1, trusted: 2 }), "{older}");
}

#[test]
fn y1_the_way_back_is_a_new_generation_with_the_old_files() {
    let (mut host, heads, _) = running();
    let (back, hash) = by(&Head { files: head(1, None).files, ..head(4, Some(heads[2].1)) }, &[4, 5]);
    assert!(matches!(host.accept_head(&back, START), Ok(Taken::New(_))));
    assert!(matches!(host.accept_release(&by(&release(12, 4, hash), &[6]).0, START), Ok(Taken::New(_))));
}

#[test]
fn y2_what_is_shown_for_ever_expires() {
    let (mut host, heads, releases) = running();
    assert!(matches!(host.accept_head(&heads[2].0, START), Ok(Taken::Known(_))));
    assert!(matches!(host.accept_release(&releases[1], START), Ok(Taken::Known(_))));
    let frozen = refused(&mut host, |host| host.accept_head(&heads[2].0, LATE));
    assert!(matches!(frozen, Refused::Expired { what: "head", .. }), "{frozen}");
    let frozen = refused(&mut host, |host| host.accept_release(&releases[1], LATE));
    assert!(matches!(frozen, Refused::Expired { what: "release", .. }), "{frozen}");
    let frozen = refused(&mut host, |host| host.accept_head(&heads[2].0, Timestamp(3000)));
    assert!(matches!(frozen, Refused::Expired { what: "root", .. }), "{frozen}");
    // What is in use stays in use.
    assert_eq!(host.released().map(|head| head.generation), Some(2));
}

#[test]
fn y3_a_head_of_other_files_is_another_head() {
    let (mut host, heads, _) = running();
    let mut mixed = head(3, Some(heads[1].1));
    mixed.files[0].hash = Hash::of(b"of another generation");
    let other = by(&mixed, &[4, 5]);
    let fork = refused(&mut host, |host| host.accept_head(&other.0, START));
    assert!(matches!(fork, Refused::Fork { what: "generation", number: 3 }), "{fork}");
    let fork = refused(&mut host, |host| host.accept_release(&by(&release(12, 3, other.1), &[6]).0, START));
    assert!(matches!(fork, Refused::Fork { what: "generation", number: 3 }), "{fork}");
    let fork = refused(&mut host, |host| host.accept_head(&by(&head(4, Some(other.1)), &[4, 5]).0, START));
    assert!(matches!(fork, Refused::Fork { what: "generation", number: 4 }), "{fork}");
    let unknown =
        refused(&mut host, |host| host.accept_release(&by(&release(12, 9, other.1), &[6]).0, START));
    assert!(matches!(unknown, Refused::UnknownHead(head) if head.generation == 9), "{unknown}");
}

#[test]
fn y4_only_the_next_root_and_only_by_both_thresholds() {
    let mut next = root(2);
    next.roles.root = Role { keys: [7, 8].map(|n| key(n).public()).into(), threshold: 2 };
    let mut host = host();
    let few: [&[u8]; 6] = [&[], &[1, 7, 8], &[1, 1, 7, 8], &[1, 2], &[1, 2, 7], &[1, 2, 7, 7]];
    for seeds in few {
        let few = refused(&mut host, |host| host.accept_root(&by(&next, seeds).0));
        assert!(matches!(few, Refused::TooFewSignatures { role: "root", .. }), "{seeds:?}: {few}");
    }
    let leap = refused(&mut host, |host| host.accept_root(&by(&root(3), &[1, 2]).0));
    assert!(matches!(leap, Refused::RootStep { have: 3, next: 2 }), "{leap}");
    assert!(matches!(host.accept_root(&by(&next, &[1, 2, 7, 8]).0), Ok(Taken::New(()))));
    let old = refused(&mut host, |host| host.accept_root(&by(&root(3), &[1, 2]).0));
    assert!(matches!(old, Refused::TooFewSignatures { have: 0, .. }), "{old}");
    assert!(Trusted::begin(&by(&root(1), &[1, 4]).0, &root(1).environment).is_err());
}

#[test]
fn y4_a_key_signs_for_its_own_role_only() {
    let (mut host, heads, _) = running();
    let next = head(4, Some(heads[2].1));
    for seeds in [&[4][..], &[4, 4], &[4, 6], &[1, 2, 3]] {
        let few = refused(&mut host, |host| host.accept_head(&by(&next, seeds).0, START));
        assert!(matches!(few, Refused::TooFewSignatures { role: "push", need: 2, .. }), "{seeds:?}: {few}");
    }
    let few =
        refused(&mut host, |host| host.accept_release(&by(&release(12, 3, heads[2].1), &[4, 5]).0, START));
    assert!(matches!(few, Refused::TooFewSignatures { role: "release", have: 0, need: 1 }), "{few}");
}

#[test]
fn y4_numbers_begin_anew_only_when_no_old_key_stays() {
    let (mut host, heads, releases) = running();
    let mut next = root(2);
    next.roles.release = Role { keys: [6, 9].map(|n| key(n).public()).into(), threshold: 1 };
    host.accept_root(&by(&next, &[1, 2]).0).unwrap();
    let older = refused(&mut host, |host| host.accept_release(&releases[0], START));
    assert!(matches!(older, Refused::Rollback { .. }), "{older}");

    next.version = 3;
    next.roles.release.keys = vec![key(10).public()];
    host.accept_root(&by(&next, &[1, 2]).0).unwrap();
    let old_key = refused(&mut host, |host| host.accept_release(&releases[1], START));
    assert!(matches!(old_key, Refused::TooFewSignatures { .. }), "{old_key}");
    assert!(host.accept_release(&by(&release(1, 3, heads[2].1), &[10]).0, START).is_ok());
}

#[test]
fn y7_a_message_for_another_environment_is_refused() {
    let (mut host, heads, _) = running();
    let other = Environment::try_from("trial".to_owned()).unwrap();
    let elsewhere = Head { environment: other.clone(), ..head(4, Some(heads[2].1)) };
    let wrong = refused(&mut host, |host| host.accept_head(&by(&elsewhere, &[4, 5]).0, START));
    assert!(matches!(wrong, Refused::WrongEnvironment { .. }), "{wrong}");
    let elsewhere = Release { environment: other.clone(), ..release(12, 3, heads[2].1) };
    let wrong = refused(&mut host, |host| host.accept_release(&by(&elsewhere, &[6]).0, START));
    assert!(matches!(wrong, Refused::WrongEnvironment { .. }), "{wrong}");
    let elsewhere = Root { environment: other.clone(), ..root(2) };
    let wrong = refused(&mut host, |host| host.accept_root(&by(&elsewhere, &[1, 2]).0));
    assert!(matches!(wrong, Refused::WrongEnvironment { .. }), "{wrong}");
    assert!(Trusted::begin(&by(&root(1), &[1, 2]).0, &other).is_err());
}

#[test]
fn y7_one_number_is_one_message() {
    let (mut host, heads, _) = running();
    let same_number = by(&Release { halted: true, ..release(11, 2, heads[1].1) }, &[6]).0;
    let fork = refused(&mut host, |host| host.accept_release(&same_number, START));
    assert!(matches!(fork, Refused::Fork { what: "release", number: 11 }), "{fork}");
}

#[test]
fn a_host_that_missed_a_head_takes_it_with_the_release_that_names_it() {
    let mut all = Heads::new();
    for generation in 1..=5 {
        all.push(by(&head(generation, all.last().map(|(_, hash)| *hash)), &[4, 5]));
    }
    let mut host = host();
    host.accept_head(&all[4].0, START).unwrap();
    let third = by(&release(1, 3, all[2].1), &[6]).0;
    let unknown = refused(&mut host, |host| host.accept_release(&third, START));
    let named = HeadRef { generation: 3, hash: all[2].1 };
    assert!(matches!(unknown, Refused::UnknownHead(head) if head == named), "{unknown}");
    let other = refused(&mut host, |host| host.accept_release_with(&third, &all[1].0, START));
    assert!(matches!(other, Refused::UnknownHead(head) if head == named), "{other}");
    let few = by(&head(3, Some(all[1].1)), &[4]).0;
    let few = refused(&mut host, |host| host.accept_release_with(&third, &few, START));
    assert!(matches!(few, Refused::TooFewSignatures { role: "push", .. }), "{few}");
    let late = refused(&mut host, |host| host.accept_release_with(&third, &all[2].0, LATE));
    assert!(matches!(late, Refused::Expired { what: "head", .. }), "{late}");
    assert!(matches!(host.accept_release_with(&third, &all[2].0, START), Ok(Taken::New(_))));
    assert_eq!(host.released(), Some(named));
    assert_eq!(host.newest().map(|head| head.generation), Some(5));
    assert_eq!(host.reread(&all[2].0).unwrap().0, named);
    assert!(matches!(host.reread(&all[1].0), Err(Refused::State(_))));
    // One that contradicts its neighbours is none of this line, though it is well signed.
    let strange = by(&head(4, Some(Hash::of(b"elsewhere"))), &[4, 5]);
    let fourth = by(&release(2, 4, strange.1), &[6]).0;
    let fork = refused(&mut host, |host| host.accept_release_with(&fourth, &strange.0, START));
    assert!(matches!(fork, Refused::Fork { what: "generation", number: 4 }), "{fork}");
    let strange = by(&Head { note: "another".to_owned(), ..head(4, Some(all[2].1)) }, &[4, 5]);
    let fourth = by(&release(2, 4, strange.1), &[6]).0;
    let fork = refused(&mut host, |host| host.accept_release_with(&fourth, &strange.0, START));
    assert!(matches!(fork, Refused::Fork { what: "generation", number: 4 }), "{fork}");
    assert_eq!(Trusted::from_json(&host.to_json().unwrap()).unwrap(), host);
}

#[test]
fn y2_a_head_of_the_future_is_refused() {
    let mut host = host();
    let made_at = |created| {
        let expires = Timestamp(9000);
        by(&Head { created: Timestamp(created), expires, ..head(1, None) }, &[4, 5]).0
    };
    let future = refused(&mut host, |host| host.accept_head(&made_at(START.0 + SKEW + 1), START));
    assert!(matches!(future, Refused::Future { .. }), "{future}");
    assert!(matches!(host.accept_head(&made_at(START.0 + SKEW), START), Ok(Taken::New(_))));
}

#[test]
fn y3_of_two_heads_with_one_number_neither_is_taken() {
    let (mut host, heads, _) = running();
    let other = by(&Head { note: "another".to_owned(), ..head(3, Some(heads[1].1)) }, &[4, 5]);
    host.distrust(3);
    assert_eq!(host.newest().map(|head| head.generation), Some(2));
    for (octets, hash) in [&heads[2], &other] {
        let fork = refused(&mut host, |host| host.accept_head(octets, START));
        assert!(matches!(fork, Refused::Fork { what: "generation", number: 3 }), "{fork}");
        let release = by(&release(12, 3, *hash), &[6]).0;
        let fork = refused(&mut host, |host| host.accept_release_with(&release, octets, START));
        assert!(matches!(fork, Refused::Fork { what: "generation", number: 3 }), "{fork}");
    }
    // The next generation ends it, whichever of the two it follows.
    assert!(host.accept_head(&by(&head(4, Some(other.1)), &[4, 5]).0, START).is_ok());
    // What is in use is not forgotten.
    host.distrust(2);
    assert_eq!(host.released().map(|head| head.generation), Some(2));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut host = host();
    let mut last = None;
    for generation in 1..=200 {
        let (octets, hash) = by(&head(generation, last), &[4, 5]);
        host.accept_head(&octets, START).unwrap();
        last = Some(hash);
    }
    assert_eq!(host.heads.len(), HEADS);
    assert_eq!(Trusted::from_json(&host.to_json().unwrap()).unwrap(), host);
    host.heads.swap(0, 1);
    assert!(matches!(Trusted::from_json(&host.to_json().unwrap()), Err(Refused::State(_))));
}
