//! A disk that says no: errors, and no room.

use std::io::ErrorKind;

use super::*;
use crate::spool::disk::twin::{Call, Left};

const NEVER_ENDING: std::ops::Range<u64> = 0..u64::MAX;

#[test]
fn f3_a_failed_sync_is_told_and_never_tried_again() {
    for call in [Call::Sync, Call::Write] {
        let disk = Twin::default();
        let (spool, _) = open(&disk);
        let before = message(1, 500);
        let kept = accept(&spool, &before).unwrap();
        settled(&spool);
        disk.fail(call, 0..1, ErrorKind::Other);
        assert_eq!(accept(&spool, &message(2, 500)), Err(SpoolError::Failed(ErrorKind::Other)));
        // The next one goes to another segment, at once.
        let after = accept(&spool, &message(3, 500)).unwrap();
        assert_eq!(spool.load(kept), Ok(before.content));
        // The transaction that failed may come again.
        assert_eq!(spool.known(TransactionId(2)), None);
        let again = accept(&spool, &message(2, 500)).unwrap();
        wait(spool.flush()).unwrap();
        for left in [Left::Synced, Left::All, Left::Some(1)] {
            let (spool, recovered) = open(&disk.after(left));
            assert_eq!(
                ids(&recovered),
                [kept, after, again],
                "{call:?} {left:?}: the refused one is not there"
            );
            assert_eq!(spool.known(TransactionId(2)), Some(again));
        }
        drop(spool);
    }
}

#[test]
fn f3_what_was_not_synced_is_written_to_the_next_segment() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let [one, two] = [1, 2].map(|number| accept(&spool, &message(number, 500)).unwrap());
    settled(&spool);
    disk.fail(Call::Sync, 0..1, ErrorKind::Other);
    let progress = deferred("kept in spite of it", 1);
    spool.progress(one, &progress);
    spool.done(two);
    // The failed sync is this flush's, or came before it; the next one stands in the next segment.
    while wait(spool.flush()).is_err() {}
    let (_, recovered) = open(&disk.after(Left::Synced));
    assert_eq!(ids(&recovered), [one]);
    assert_eq!(recovered.messages[0].progress, progress);
}

#[test]
fn f3_three_failures_close_the_door_until_the_disk_works_again() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let kept = accept(&spool, &message(1, 500)).unwrap();
    settled(&spool);
    disk.fail(Call::Sync, NEVER_ENDING, ErrorKind::Other);
    let ends: Vec<_> = (2..10).map(|number| accept(&spool, &message(number, 500))).collect();
    assert!(ends.iter().all(Result::is_err), "{ends:?}");
    // Segments ran out or three failed: nothing is taken either way, and nobody waits for an answer.
    assert!(spool.room(0).is_err());
    assert!(spool.load(kept).is_ok());
    disk.heal();
    let mut last = accept(&spool, &message(10, 500));
    while last.is_err() {
        std::thread::yield_now();
        last = accept(&spool, &message(10, 500));
    }
    wait(spool.flush()).unwrap();
    let (_, recovered) = open(&disk.after(Left::Synced));
    assert_eq!(ids(&recovered), [kept, last.unwrap()]);
}

#[test]
fn f3_every_single_failure_is_survived() {
    for call in [Call::Create, Call::Write, Call::Sync, Call::Rename, Call::Unlink, Call::SyncFolder] {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            for nth in 0..25 {
                let disk = Twin::default();
                let (spool, _) = open(&disk);
                disk.fail(call, nth..nth + 1, kind);
                let mut owed = Vec::new();
                let mut over = Vec::new();
                for number in 1..=25 {
                    let size = if number % 7 == 0 { 20_000 } else { 8000 };
                    let Ok(id) = accept(&spool, &message(number, size)) else { continue };
                    if number % 3 == 0 {
                        owed.push(id);
                    } else {
                        spool.done(id);
                        over.push(id);
                    }
                }
                // It is tried again within moments.
                while wait(spool.flush()).is_err() {
                    std::thread::yield_now();
                }
                let (after, recovered) = open(&disk.after(Left::Synced));
                assert_eq!(ids(&recovered), owed, "{call:?} {kind:?} {nth}");
                assert!(owed.iter().all(|id| after.load(*id).is_ok()));
                drop(spool);
            }
        }
    }
}

#[test]
fn f4_a_full_disk_refuses_mail_and_still_records_what_was_delivered() {
    let disk = Twin::default();
    let options = SpoolOptions { max_bytes: 10 * (64 << 10), compact_above_bytes: u64::MAX, ..options() };
    let (spool, _) = open_with(&disk, &options);
    let mut taken = Vec::new();
    let mut number = 0;
    let refusal = loop {
        number += 1;
        match accept(&spool, &message(number, 8000)) {
            Ok(id) => taken.push(id),
            Err(error) => break error,
        }
    };
    assert_eq!(refusal, SpoolError::Full);
    assert!(taken.len() > 20, "{}", taken.len());
    while spool.room(100) != Err(SpoolError::Full) {
        std::thread::yield_now();
    }
    // Progress for all of them, more than the head can take, goes to the reserve.
    for id in &taken {
        spool.progress(*id, &deferred(&"x".repeat(1000), 1));
    }
    wait(spool.flush()).unwrap();
    let (_, recovered) = open_with(&disk.after(Left::Synced), &options);
    assert_eq!(ids(&recovered), taken);
    assert!(recovered.messages.iter().all(|message| message.progress.attempts == 1));
    // What is delivered makes room.
    taken.iter().for_each(|id| spool.done(*id));
    while spool.room(100).is_err() {
        std::thread::yield_now();
    }
    accept(&spool, &message(number, 8000)).unwrap();
}

#[test]
fn f4_large_contents_and_other_peoples_room_count() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    settled(&spool);
    assert_eq!(spool.room(100_000), Ok(()));
    assert_eq!(spool.room(options().max_bytes), Err(SpoolError::Full));
    disk.set_free(50_000);
    assert_eq!(spool.room(100_000), Err(SpoolError::Full));
    assert_eq!(accept(&spool, &message(1, 100_000)), Err(SpoolError::Full));
    assert!(disk.names(Place::Blob).is_empty());
    // What is prepared is there to be used.
    assert_eq!(spool.room(1000), Ok(()));
    accept(&spool, &message(2, 1000)).unwrap();
}

#[test]
fn a_closed_spool_says_so() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let id = accept(&spool, &message(1, 100)).unwrap();
    spool.done(id);
    spool.close();
    spool.close();
    for size in [100, 100_000] {
        assert_eq!(accept(&spool, &message(2, size)), Err(SpoolError::Closed));
    }
    assert_eq!(wait(spool.flush()), Err(SpoolError::Closed));
    assert!(open(&disk).1.messages.is_empty());
}

#[test]
fn an_envelope_larger_than_a_segment_is_refused() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let mut huge = message(1, 100);
    let recipient = huge.envelope.recipients[0].clone();
    let envelope = Arc::make_mut(&mut huge.envelope);
    envelope.recipients = vec![recipient; 5000];
    assert_eq!(accept(&spool, &huge), Err(SpoolError::TooLarge));
    huge.content.wire = vec![b'x'; 100_000].into();
    assert_eq!(accept(&spool, &huge), Err(SpoolError::TooLarge));
    assert!(disk.names(Place::Blob).is_empty());
    accept(&spool, &message(2, 100)).unwrap();
}
