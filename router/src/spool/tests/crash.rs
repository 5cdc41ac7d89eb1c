//! The power goes at every call in turn, and at every octet of a write.

use std::collections::BTreeMap;

use super::*;
use crate::spool::disk::twin::{Chance, Left};

/// What a client and the queue know when the power goes.
#[derive(Debug, Default)]
struct Told {
    /// All that was ever handed over.
    sent: BTreeMap<QueueId, NewMessage>,
    /// Acknowledged, and never said to be done.
    owed: BTreeMap<QueueId, NewMessage>,
    /// Said to be done, and that is durable.
    over: Vec<QueueId>,
    /// States that are durable.
    states: BTreeMap<QueueId, Progress>,
}

/// Mail comes and goes: small and large, some delivered, some waiting; segments roll, are emptied, come again.
fn work(disk: &Twin, seed: u64) -> Told {
    let mut told = Told::default();
    let Ok((spool, _)) = try_open(disk, &options()) else { return told };
    let mut chance = Chance(seed);
    let mut ending = Vec::new();
    let mut changing = BTreeMap::new();
    for number in 1..=60 {
        let size = if chance.below(10) == 0 { 20_000 } else { 500 + chance.below(12_000) };
        let message = message(number, size);
        let id = spool.next_id();
        told.sent.insert(id, message.clone());
        if let Ok(receipt) = wait(spool.accept(id, &message)) {
            assert_eq!(receipt.queue_id(), id);
            told.owed.insert(id, message);
        }
        let open: Vec<QueueId> = told.owed.keys().copied().collect();
        if open.is_empty() {
            continue;
        }
        let any = open[chance.below(open.len())];
        match chance.below(4) {
            0 => {
                let progress = deferred(&format!("state after {number}"), number as u32);
                spool.progress(any, &progress);
                changing.insert(any, progress);
            }
            1 | 2 => {
                spool.done(any);
                told.owed.remove(&any);
                ending.push(any);
            }
            _ if wait(spool.flush()).is_ok() => {
                told.over.append(&mut ending);
                told.states.append(&mut changing);
            }
            _ => {}
        }
    }
    told
}

fn check(disk: &Twin, told: &Told, context: &str) {
    let (spool, recovered) = open(disk);
    assert_eq!(recovered.corrupt, 0, "{context}");
    let found = ids(&recovered);
    for id in told.owed.keys() {
        assert!(found.contains(id), "{context}: {id} was acknowledged and is lost");
    }
    for id in &told.over {
        assert!(!found.contains(id), "{context}: {id} was over and comes again");
    }
    for message in &recovered.messages {
        let sent = &told.sent[&message.id];
        assert_eq!(spool.load(message.id).as_ref(), Ok(&sent.content), "{context}");
        assert_eq!((&message.envelope, &message.arrival), (&sent.envelope, &sent.arrival), "{context}");
        if let Some(state) = told.states.get(&message.id) {
            assert!(message.progress.attempts >= state.attempts, "{context}: {} went back", message.id);
        }
        let transaction = sent.envelope.sender.transaction.unwrap();
        assert_eq!(spool.known(transaction), Some(message.id), "{context}");
    }
    let blobs = disk.names(Place::Blob);
    assert!(blobs.iter().all(|name| found.contains(&name.parse().unwrap())), "{context}: an orphan is left");

    // The power goes once more at once: what was found must be durable by now.
    let (_, again) = open(&disk.after(Left::Synced));
    assert_eq!(ids(&again), found, "{context}: found, and lost at the second cut");
    drop(spool);
    let (_, again) = open(disk);
    assert_eq!((ids(&again), again.corrupt), (found, 0), "{context}: a second recovery is a different one");
    for (one, two) in again.messages.iter().zip(&recovered.messages) {
        assert_eq!(one.progress, two.progress, "{context}");
    }
}

#[test]
fn f1_f2_at_every_call_the_power_goes_or_the_process_is_killed() {
    let whole = Twin::default();
    work(&whole, 7);
    let calls = whole.calls();
    assert!(calls > 200, "{calls}");
    for call in 0..calls {
        let disk = Twin::default();
        disk.cut_at(call, if call % 3 == 0 { 0 } else { 700 });
        let told = work(&disk, 7);
        for left in [Left::Synced, Left::All, Left::Some(call), Left::Some(!call)] {
            check(&disk.after(left), &told, &format!("cut at call {call}, left {left:?}"));
        }
    }
}

#[test]
fn f13_a_write_is_torn_at_every_octet() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let first = message(1, 300);
    let kept = accept(&spool, &first).unwrap();
    wait(spool.flush()).unwrap();
    let base = disk.after(Left::All);
    drop(spool);
    for octets in 0..=700 {
        let disk = base.after(Left::All);
        let (spool, _) = open(&disk);
        settled(&spool);
        disk.tear_next_write(octets);
        assert!(accept(&spool, &message(2, 300)).is_err());
        drop(spool);
        for left in [Left::Synced, Left::All, Left::Some(octets as u64)] {
            let (spool, recovered) = open(&disk.after(left));
            assert_eq!(recovered.corrupt, 0, "{octets} {left:?}");
            assert!(ids(&recovered).contains(&kept), "{octets} {left:?}");
            for found in &recovered.messages {
                let sent = if found.id == kept { &first } else { &message(2, 300) };
                assert_eq!(spool.load(found.id).as_ref(), Ok(&sent.content));
            }
        }
    }
}

#[test]
fn f1_chance_finds_no_hole_either() {
    for seed in 0..40 {
        let whole = Twin::default();
        work(&whole, seed);
        let mut chance = Chance(seed ^ 0x5eed);
        for _ in 0..5 {
            let call = chance.below(whole.calls() as usize) as u64;
            let disk = Twin::default();
            disk.cut_at(call, chance.below(5000));
            let told = work(&disk, seed);
            check(&disk.after(Left::Some(chance.0)), &told, &format!("seed {seed}, cut at call {call}"));
        }
    }
}
