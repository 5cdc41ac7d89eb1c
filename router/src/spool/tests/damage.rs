//! Octets on the disk that are not those that were written (H3): put aside, and the rest loads.

use proptest::prelude::*;

use super::*;
use crate::spool::disk::twin::Left;

/// Ten messages in one segment, its name, and where each record starts.
fn ten(disk: &Twin) -> (Vec<QueueId>, String) {
    let (spool, _) = open(disk);
    let ids: Vec<_> = (1..=10).map(|number| accept(&spool, &message(number, 3000)).unwrap()).collect();
    wait(spool.flush()).unwrap();
    drop(spool);
    let live = disk.names(Place::Log).into_iter().find(|name| {
        let content = disk.content(Place::Log, name);
        !name.starts_with("spare") && find(&content, b"message 5,").is_some()
    });
    (ids, live.unwrap())
}

fn find(content: &[u8], wanted: &[u8]) -> Option<usize> {
    content.windows(wanted.len()).position(|window| window == wanted)
}

#[test]
fn h3_a_damaged_record_is_put_aside_and_the_others_load() {
    let whole = Twin::default();
    let (all, segment) = ten(&whole);
    let content = whole.content(Place::Log, &segment);
    let body = find(&content, b"message 5,").unwrap();
    let frame = content[..body].windows(4).rposition(|window| window == b"SwyR").unwrap();
    // A bit of the body, the frame's length, its kind, its magic, and all of it.
    for (from, to) in [
        (body, body + 1),
        (frame + 24, frame + 28),
        (frame + 5, frame + 6),
        (frame, frame + 1),
        (frame, body + 2000),
    ] {
        let disk = whole.after(Left::All);
        disk.tamper(Place::Log, &segment, |content| {
            content[from..to].iter_mut().for_each(|octet| *octet ^= 0xff);
        });
        let (spool, recovered) = open(&disk);
        let wanted: Vec<_> = all.iter().copied().filter(|id| *id != all[4]).collect();
        assert_eq!((ids(&recovered), recovered.corrupt), (wanted, 1), "octets {from} to {to}");
        assert_eq!(disk.names(Place::Corrupt), [format!("{segment}-{frame:08x}")]);
        let aside = disk.content(Place::Corrupt, &disk.names(Place::Corrupt)[0]);
        assert!(
            aside.len() > 3000 && aside[..] == disk.content(Place::Log, &segment)[frame..frame + aside.len()]
        );
        drop(spool);
        let (_, again) = open(&disk);
        assert_eq!(
            (ids(&again), again.corrupt),
            (ids(&recovered), 1),
            "a second recovery is a different one"
        );
    }
}

#[test]
fn h3_damage_while_running_is_told_to_who_loads() {
    let disk = Twin::default();
    let (ids, segment) = ten(&disk);
    let (spool, _) = open(&disk);
    disk.tamper(Place::Log, &segment, |content| content[20_000] ^= 1);
    let damaged = ids.iter().filter(|id| spool.load(**id) == Err(SpoolError::Damaged)).count();
    assert_eq!(damaged, 1);
    let large = accept(&spool, &message(11, 50_000)).unwrap();
    disk.tamper(Place::Blob, &large.to_string(), |content| content[5] ^= 1);
    assert_eq!(spool.load(large), Err(SpoolError::Damaged));
    disk.tamper(Place::Blob, &large.to_string(), |content| content.truncate(10));
    assert_eq!(spool.load(large), Err(SpoolError::Damaged));
    drop(spool);
    let (_, recovered) = open(&disk);
    assert!(!super::ids(&recovered).contains(&large));
    assert_eq!(recovered.corrupt, 2);
}

#[test]
fn h3_a_damaged_header_loses_nothing() {
    let disk = Twin::default();
    let (all, segment) = ten(&disk);
    disk.tamper(Place::Log, &segment, |content| content[..4096].fill(0xff));
    let (spool, recovered) = open(&disk);
    assert_eq!((ids(&recovered), recovered.corrupt), (all.clone(), 1));
    assert!(all.iter().all(|id| spool.load(*id).is_ok()));
}

#[test]
fn h3_records_in_a_body_are_never_taken_for_ours() {
    let disk = Twin::default();
    let (all, segment) = ten(&disk);
    // A whole accept record of another epoch, and a record that ends another's message, in a body that is
    // torn at its start: nothing in it must count.
    let (spool, _) = open(&disk);
    let content = disk.content(Place::Log, &segment);
    let mut bait = message(11, 0);
    let mut body = vec![b'x'; 4096];
    body.extend_from_slice(&content[4096..20_000]);
    bait.content.wire = body.into();
    bait.content.wire.truncate(15_000);
    let id = accept(&spool, &bait).unwrap();
    wait(spool.flush()).unwrap();
    let all_but_bait =
        |recovered: &Recovered| ids(recovered).into_iter().filter(|found| *found != id).collect::<Vec<_>>();
    let disk = disk.after(Left::All);
    let name = disk
        .names(Place::Log)
        .into_iter()
        .rfind(|name| find(&disk.content(Place::Log, name), &[b'x'; 4000]).is_some());
    disk.tamper(Place::Log, &name.unwrap(), |content| {
        let at = find(content, &[b'x'; 4000]).unwrap();
        content[at - 1000..at].fill(0);
    });
    let (_, recovered) = open(&disk);
    assert_eq!(all_but_bait(&recovered), all);
}

#[test]
fn h2_foreign_files_are_left_alone_and_orphans_removed() {
    let disk = Twin::default();
    let (all, _) = ten(&disk);
    for (place, name) in [(Place::Log, "README"), (Place::Blob, "README"), (Place::Log, "spare-x")] {
        disk.create(place, name).unwrap();
    }
    let orphan = "0123456789".replace('0', "1");
    disk.create(Place::Blob, &orphan).unwrap();
    let (_, recovered) = open(&disk);
    assert_eq!((ids(&recovered), recovered.corrupt), (all, 0));
    assert_eq!(disk.names(Place::Blob), ["README"]);
    assert!(disk.names(Place::Log).contains(&"README".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn h3_no_damage_stops_recovery(changes in prop::collection::vec((0_usize..40_000, any::<u8>()), 1..40)) {
        let disk = Twin::default();
        let (all, segment) = ten(&disk);
        disk.tamper(Place::Log, &segment, |content| changes.iter().for_each(|(at, octet)| content[*at] = *octet));
        let (spool, recovered) = open(&disk);
        // What loads is one of ours, and whole.
        for found in &recovered.messages {
            let number = all.iter().position(|id| *id == found.id).unwrap() as u128 + 1;
            prop_assert_eq!(spool.load(found.id), Ok(message(number, 3000).content));
        }
    }
}
