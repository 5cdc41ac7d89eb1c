//! Turns: who leaves when, counted; and a priority on its way from client to next hop.

use std::collections::BTreeSet;
use std::time::Instant;

use switchyard_maps::{Destination, Route};
use switchyard_smtp::address::Host;
use switchyard_smtp::priority::Priority;

use super::*;
use crate::queue::message::Job;
use crate::queue::scheduler::{Next, Offered};
use crate::queue::window::Feedback;
use crate::spool::Progress;

fn destination() -> Destination {
    let route = Route::parse("smtp:[mx1.example]", &BTreeSet::new()).unwrap();
    match route.resolve(&Route::Keep, &Host::parse("to.example").unwrap()) {
        Resolved::Deliver(destination) => destination,
        other => panic!("{other:?}"),
    }
}

/// The `number`th message.
fn message(number: usize, sender: &str, priority: i8) -> Arc<Message> {
    let now = Now { monotonic: Instant::now(), wall: today() };
    let sender =
        Sender { priority: Priority::new(priority), ..Sender::new(ReversePath::parse(sender).unwrap()) };
    let stored = StoredMessage {
        id: format!("{number:010}").parse().unwrap(),
        envelope: Arc::new(Envelope { sender, recipients: vec![Recipient::new(ForwardPath::Postmaster)] }),
        arrival: Arrival { wall: today(), client: "test".into(), from: None },
        origin: Origin::Smtp,
        progress: Progress::fresh(1, today(), None),
        content_len: 0,
    };
    Arc::new(Message::new(stored, now, None, BTreeMap::new()))
}

/// Five thousand of one sender wait at a destination with a window of five, then come the others. Returns in which
/// turn each of those leaves; a turn is one job of each worker.
fn turns_of(others: &[Arc<Message>]) -> Vec<usize> {
    let window = WindowOptions { initial: 5, limit: 5, ..WindowOptions::default() };
    let mut scheduler = Scheduler::new(QueueOptions { window, ..QueueOptions::default() });
    let (to, now) = (destination(), Instant::now());
    let mut running = 0;
    let mut offer = |message: &Arc<Message>| {
        let job = Job { message: Arc::clone(message), recipients: vec![0], sender: None, queued: now };
        if let Offered::Start(_) = scheduler.offer(&to, job, now) {
            running += 1;
        }
    };
    (0..5000).for_each(|number| offer(&message(number, "<bulk@from.example>", 0)));
    others.iter().for_each(offer);
    assert_eq!(running, 5);
    let mut left = Vec::new();
    for turn in 1.. {
        if left.len() == others.len() {
            return left;
        }
        for _ in 0..running {
            let Next::Job(job) = scheduler.next(&to, Feedback::Reached, true, now).next else { panic!() };
            if others.iter().any(|other| other.id == job.message.id) {
                left.push(turn);
            }
        }
    }
    left
}

#[test]
fn ten_urgent_messages_behind_five_thousand_leave_within_two_turns() {
    let urgent: Vec<_> = (0..10).map(|number| message(6000 + number, "<bulk@from.example>", 5)).collect();
    assert_eq!(turns_of(&urgent), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
}

#[test]
fn whoever_sends_ten_waits_for_nobodys_five_thousand() {
    let others: Vec<_> = (0..10).map(|number| message(6000 + number, "<ann@other.example>", 0)).collect();
    // Every second job is theirs.
    assert!(turns_of(&others).iter().all(|turn| *turn <= 4));
    let others: Vec<_> = (0..10).map(|number| message(6000 + number, "<ann@from.example>", 0)).collect();
    assert!(turns_of(&others).iter().all(|turn| *turn <= 4), "of the same domain, too");
    let patient = [message(6000, "<ann@from.example>", -1)];
    assert!(turns_of(&patient).iter().all(|turn| *turn <= 4), "a share is for who is less urgent");
}

#[test]
fn urgent_mail_has_room_beside_a_full_active_queue() {
    let mut scheduler = Scheduler::new(QueueOptions { active_limit: 20, ..QueueOptions::default() });
    let now = Instant::now();
    let taken = |scheduler: &mut Scheduler, numbers: std::ops::Range<usize>, priority| {
        let wishes = numbers.map(|number| message(number, "<a@from.example>", priority));
        wishes.filter(|message| scheduler.insert(message, Place::Active)).count()
    };
    assert_eq!(taken(&mut scheduler, 0..100, 0), 20);
    assert_eq!(taken(&mut scheduler, 100..105, 1), 2);
    assert!(scheduler.promote(now).is_none());
    scheduler.remove("0000000000".parse().unwrap());
    assert_eq!(
        scheduler.promote(now).unwrap().id,
        "0000000102".parse().unwrap(),
        "the urgent one that came first"
    );
    assert!(scheduler.promote(now).is_none());
}

#[tokio::test]
async fn a_priority_outlives_a_restart_and_goes_on_to_a_next_hop_that_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), "to.example retry:4.3.2 not now\n", 1, today());
    let urgent =
        Sender { priority: Priority::new(7), ..Sender::new(ReversePath::parse("<a@from.example>").unwrap()) };
    let recipients = vec![Recipient::new(ForwardPath::parse("<x@to.example>").unwrap())];
    site.take_from(urgent, recipients, None).await;
    site.until(|summary| summary.deferred == 1).await;
    site.stop().await;

    let hello = "S: 220 peer\nC: EHLO us.example\nS: 250-peer\nS: 250 MT-PRIORITY\n";
    let mail = tests::message("<a@from.example> MT-PRIORITY=7", &[("<x@to.example>", "250 Ok")]);
    let (route, playing) = peer(vec![format!("{hello}{mail}C: QUIT\nS: 221 bye\nX\n")]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today() + DAY);
    site.until(|summary| summary.messages() == 0).await;
    playing.await.unwrap();
}
