//! Which segments may go, and when.

use super::*;
use crate::spool::disk::twin::Twin;
use crate::spool::disk::{Disk, Place};

fn ledger(segments: u64) -> Ledger {
    let disk = Twin::default();
    let mut ledger = Ledger::default();
    for sequence in 1..=segments {
        let file = disk.create(Place::Log, &sequence.to_string()).unwrap();
        ledger.opened(sequence, Segment::new(file, sequence, 1000));
        ledger.proven(sequence);
    }
    ledger
}

fn id(number: u64) -> QueueId {
    QueueId::new(number).unwrap()
}

fn at(segment: u64) -> Location {
    Location { segment, offset: 0, length: 100 }
}

fn dead(ledger: &Ledger) -> Vec<u64> {
    ledger.dead().map(|(sequence, _)| sequence).collect()
}

#[test]
fn a_segment_outlives_those_that_it_takes_back() {
    let mut ledger = ledger(4);
    // Two messages in 1; the end of one of them stands in 3.
    ledger.accepted(id(1), at(1), None);
    ledger.accepted(id(2), at(1), Some(50));
    assert_eq!((dead(&ledger), ledger.blob_bytes()), (vec![2, 3], 50), "the newest stays, for its mark");
    ledger.finished(id(1), 3);
    assert_eq!(dead(&ledger), [2]);
    ledger.finished(id(2), 4);
    assert_eq!((dead(&ledger), ledger.blob_bytes()), (vec![1, 2], 0));
    ledger.retired(1);
    assert_eq!(dead(&ledger), [2, 3]);
}

#[test]
fn a_copy_outlives_its_original() {
    let mut ledger = ledger(5);
    ledger.accepted(id(1), at(1), None);
    ledger.accepted(id(2), at(1), None);
    ledger.progressed(id(1), at(2));
    ledger.moved(id(1), at(1), at(3));
    ledger.moved(id(1), at(2), at(3));
    ledger.finished(id(1), 4);
    assert_eq!(dead(&ledger), [2], "2 is free; 3 waits for 1, and 4 for 3");
    ledger.retired(2);
    ledger.finished(id(2), 1);
    assert_eq!(dead(&ledger), [1]);
    ledger.retired(1);
    assert_eq!(dead(&ledger), [3]);
    ledger.retired(3);
    assert_eq!(dead(&ledger), [4]);
}

#[test]
fn only_the_latest_progress_is_live_and_a_stale_copy_counts_for_nothing() {
    let mut ledger = ledger(4);
    ledger.accepted(id(1), at(1), None);
    ledger.progressed(id(1), at(2));
    ledger.progressed(id(1), at(3));
    ledger.moved(id(1), at(2), at(4));
    assert_eq!(ledger.entry(id(1)).unwrap().progress, Some(at(3)));
    assert_eq!(dead(&ledger), [2]);
    assert_eq!(ledger.victim(), Some(1));
    assert_eq!(ledger.residents(3), [(id(1), at(3))]);
    ledger.progressed(id(9), at(1));
    assert_eq!(ledger.live_bytes(), 200, "nobody's progress is not live");
}

#[test]
fn what_failed_is_not_used_anew() {
    let mut ledger = ledger(3);
    ledger.given_up(2);
    let ends: Vec<_> = ledger.dead().collect();
    assert_eq!(ends, [(1, Afterlife::Reused), (2, Afterlife::Removed)]);
    ledger.pin(2);
    assert_eq!(dead(&ledger), [1]);
}
