//! A message's life when nothing goes wrong.

use super::*;
use crate::spool::disk::twin::{Call, Left};

#[test]
fn a_message_comes_back_as_it_went_in() {
    let disk = Twin::default();
    let (spool, recovered) = open(&disk);
    assert!(recovered.messages.is_empty());
    let small = message(1, 3000);
    let large = NewMessage {
        origin: Origin::Report,
        hold: Some(Held::new(Holder::Hand, "asked")),
        ..message(2, 100_000)
    };
    let [first, second] = [&small, &large].map(|message| accept(&spool, message).unwrap());
    assert_eq!(disk.names(Place::Blob), [second.to_string()]);
    assert_eq!(spool.load(first), Ok(small.content.clone()));
    assert_eq!(spool.load(second), Ok(large.content.clone()));
    let progress = deferred("450 4.2.0 later", 2);
    spool.progress(first, &progress);
    drop(spool);

    let (spool, recovered) = open(&disk);
    let [one, two] = &recovered.messages[..] else { panic!("{recovered:?}") };
    assert_eq!((one.id, &one.envelope, &one.arrival), (first, &small.envelope, &small.arrival));
    assert_eq!(
        (one.origin, &one.progress, one.content_len),
        (Origin::Smtp, &progress, small.content.len() as u64)
    );
    assert_eq!(
        (two.id, two.origin, two.progress.clone()),
        (second, Origin::Report, Progress::fresh(3, start(), Some(Held::new(Holder::Hand, "asked"))))
    );
    assert_eq!(spool.load(first), Ok(small.content));
    assert_eq!(spool.load(second), Ok(large.content));
    spool.done(first);
    spool.done(second);
    wait(spool.flush()).unwrap();
    assert_eq!(spool.load(first), Err(SpoolError::Unknown));
    drop(spool);
    assert!(disk.names(Place::Blob).is_empty());

    let (_spool, recovered) = open(&disk);
    assert_eq!((ids(&recovered), recovered.corrupt, recovered.torn), (vec![], 0, 0));
}

#[test]
fn a_repeated_transaction_is_one_message_across_a_restart() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let first = accept(&spool, &message(1, 100)).unwrap();
    let again = wait(spool.accept(spool.next_id(), &message(1, 100))).unwrap();
    assert_eq!((again.queue_id(), again.is_repeated()), (first, true));
    let other = wait(spool.accept(spool.next_id(), &message(2, 100))).unwrap();
    assert!(!other.is_repeated());
    spool.done(first);
    let disk = disk.after(Left::All);
    let (spool, _) = open(&disk);
    // Delivered or not: the one who asks must not hand it over once more.
    assert_eq!(spool.known(TransactionId(1)), Some(first));
    assert_eq!(spool.known(TransactionId(2)), Some(other.queue_id()));
    assert_eq!(spool.known(TransactionId(3)), None);
}

#[test]
fn two_at_once_with_one_transaction_are_one_message() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    // Large ones take the longer way, past the thread for large contents.
    for (number, size) in [(1, 100), (2, 100_000)] {
        let message = message(number, size);
        let pair = wait(async {
            tokio::join!(spool.accept(spool.next_id(), &message), spool.accept(spool.next_id(), &message))
        });
        let (one, two) = (pair.0.unwrap(), pair.1.unwrap());
        assert_eq!(one.queue_id(), two.queue_id());
        assert!(!one.is_repeated() && two.is_repeated());
    }
    drop(spool);
    assert_eq!(open(&disk).1.messages.len(), 2);
}

#[test]
fn what_waits_together_is_synced_together() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    settled(&spool);
    let before = (disk.count(Call::Write), disk.count(Call::Sync));
    let records = spool.shared().metrics.records.get();
    disk.hold_syncs(true);
    let clients = std::thread::spawn({
        let spool = spool.clone();
        move || {
            wait(async {
                let mut waiting = tokio::task::JoinSet::new();
                for number in 1..=48 {
                    let spool = spool.clone();
                    waiting.spawn(async move { spool.accept(spool.next_id(), &message(number, 100)).await });
                }
                waiting.join_all().await
            })
        }
    });
    // The first batch is in its sync, of one message or of more; the rest gathers.
    let shared = spool.shared();
    let handed_over = || {
        let jobs = shared::lock(&shared.jobs);
        jobs.queue.len() as u64 + shared.metrics.records.get()
    };
    let wanted = 48 + records;
    while handed_over() < wanted {
        std::thread::yield_now();
    }
    disk.hold_syncs(false);
    assert!(clients.join().unwrap().iter().all(Result::is_ok));
    let (writes, syncs) = (disk.count(Call::Write) - before.0, disk.count(Call::Sync) - before.1);
    assert_eq!(writes, syncs);
    assert!(syncs <= 2, "{syncs} syncs");
}

#[test]
fn a_killed_process_forgets_no_progress() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    let id = accept(&spool, &message(1, 100)).unwrap();
    let progress = deferred("later", 1);
    spool.progress(id, &progress);
    // The log prepares its next segment at the same time: a write is not yet this one.
    let recovered = || open(&disk.after(Left::All)).1.messages.remove(0).progress;
    let mut looks = 0;
    while recovered() != progress {
        looks += 1;
        assert!(looks < 10_000, "the progress is not written");
        std::thread::yield_now();
    }
    drop(spool);
}

#[test]
fn segments_are_used_anew_and_emptied_of_stragglers() {
    let disk = Twin::default();
    let (spool, _) = open(&disk);
    // One straggler in each segment, or so: they must not keep all segments from being used anew.
    let mut stragglers = Vec::new();
    for number in 1..=400 {
        let message = message(number, 6000);
        let id = accept(&spool, &message).unwrap();
        if number % 20 == 0 {
            spool.progress(id, &deferred("later", 1));
            stragglers.push((id, message.content));
        } else {
            spool.done(id);
        }
    }
    // 400 messages fill 40 segments.
    let segments = disk.names(Place::Log).len();
    assert!(segments < 20, "{segments} files");
    for (id, content) in &stragglers {
        assert_eq!(spool.load(*id).as_ref(), Ok(content));
    }
    drop(spool);
    let (_spool, recovered) = open(&disk);
    let wanted: Vec<_> = stragglers.iter().map(|(id, _)| *id).collect();
    assert_eq!((ids(&recovered), recovered.corrupt), (wanted, 0));
    assert!(recovered.messages.iter().all(|message| message.progress == deferred("later", 1)));
}

#[test]
fn h4_ids_go_on_after_a_restart_with_the_clock_set_back() {
    let disk = Twin::default();
    let metrics = || SpoolMetrics::register(&Registry::new()).unwrap();
    let mut last = None;
    // Forward ten years and back again, and a day back after that.
    for days in [0, 3650, 0, -1_i64] {
        let day = Duration::from_secs(86_400);
        let wall = if days < 0 { start() - day } else { start() + day * days as u32 };
        let (clock, _hand) = Clock::twin(wall);
        let (spool, recovered) = Spool::open(&options(), disk.clone(), clock, metrics()).unwrap();
        assert!(recovered.messages.is_empty());
        let id = accept(&spool, &message(1000 + (days + 1) as u128, 100)).unwrap();
        assert!(last < Some(id), "{last:?} then {id}");
        last = Some(id);
        spool.done(id);
    }
}
