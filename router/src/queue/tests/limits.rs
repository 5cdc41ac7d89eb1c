//! The scheduler alone, with workers played by hand: limits hold, nobody starves, no job is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use switchyard_maps::{Destination, Resolved, Route};
use switchyard_smtp::address::{ForwardPath, Host, ReversePath};
use switchyard_smtp::envelope::{Envelope, Recipient, Sender};
use tokio::sync::oneshot;

use crate::queue::QueueOptions;
use crate::queue::message::{Job, Message};
use crate::queue::schedule::Now;
use crate::queue::scheduler::{Next, Offered, Place, Scheduler, Start, Turn};
use crate::queue::window::{Feedback, WindowOptions};
use crate::spool::{Arrival, Origin, Progress, QueueId, StoredMessage};

fn destination(number: usize) -> Destination {
    let route = Route::parse(&format!("smtp:[d{number}.example]"), &BTreeSet::new()).unwrap();
    match route.resolve(&Route::Keep, &Host::parse("to.example").unwrap()) {
        Resolved::Deliver(destination) => destination,
        other => panic!("{other:?}"),
    }
}

fn message(id: &str) -> Arc<Message> {
    let (monotonic, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
    let recipients = vec![Recipient::new(ForwardPath::Postmaster)];
    let stored = StoredMessage {
        id: id.parse::<QueueId>().unwrap(),
        envelope: Arc::new(Envelope { sender: Sender::new(ReversePath::Null), recipients }),
        arrival: Arrival { wall, client: "test".into(), from: None },
        origin: Origin::Smtp,
        progress: Progress::fresh(1, wall, None),
        content_len: 0,
    };
    Arc::new(Message::new(stored, Now { monotonic, wall }, None, BTreeMap::new()))
}

/// Workers that are played by hand.
struct Play {
    scheduler: Scheduler,
    limit: usize,
    /// The limit, or what was open when it was lowered and is not closed yet.
    bound: usize,
    now: Instant,
    message: Arc<Message>,
    /// At work for these destinations.
    running: Vec<usize>,
    idle: Vec<(usize, u64, oneshot::Receiver<Job>)>,
    offered: usize,
    ended: usize,
}

impl Play {
    fn options(limit: usize) -> QueueOptions {
        QueueOptions {
            connection_limit: limit,
            window: WindowOptions { initial: 2, limit: 4, dead_for: Duration::from_secs(300) },
            ..QueueOptions::default()
        }
    }

    fn new(limit: usize) -> Self {
        let options = Self::options(limit);
        Self {
            scheduler: Scheduler::new(options),
            limit,
            bound: limit,
            now: Instant::now(),
            message: message("0000000001"),
            running: Vec::new(),
            idle: Vec::new(),
            offered: 0,
            ended: 0,
        }
    }

    fn offer(&mut self, number: usize) {
        let job =
            Job { message: Arc::clone(&self.message), recipients: vec![0], sender: None, queued: self.now };
        self.offered += 1;
        match self.scheduler.offer(&destination(number), job, self.now) {
            Offered::Waits | Offered::Handed => {}
            Offered::Start(_) => self.running.push(number),
            Offered::Dead(_) => self.ended += 1,
        }
        self.wake();
    }

    /// A worker's job ends.
    fn end(&mut self, which: usize, feedback: Feedback, keeps: bool) {
        if self.running.is_empty() {
            return;
        }
        let number = self.running.swap_remove(which % self.running.len());
        self.ended += 1;
        let turn = self.scheduler.next(&destination(number), feedback, keeps, self.now);
        self.take(number, turn);
    }

    /// An idle worker's time is up.
    fn leave(&mut self, which: usize) {
        if self.idle.is_empty() {
            return;
        }
        let at = which % self.idle.len();
        let (number, slot, _receiver) = self.idle.swap_remove(at);
        assert!(self.scheduler.leave_idle(&destination(number), slot), "nothing was handed to it");
        let turn = self.scheduler.leave(&destination(number), Vec::new());
        self.take(number, turn);
    }

    fn take(&mut self, number: usize, turn: Turn) {
        let Turn { next, starts, orphans } = turn;
        self.ended += orphans.len();
        self.start(starts);
        match next {
            Next::Job(_) => self.running.push(number),
            Next::Idle(slot, receiver) => self.idle.push((number, slot, receiver)),
            Next::Leave => {}
        }
        self.wake();
    }

    fn start(&mut self, starts: Vec<Start>) {
        for start in starts {
            let started = (0..5).find(|number| destination(*number) == start.destination);
            self.running.push(started.unwrap());
        }
    }

    /// Another limit from now on.
    fn change(&mut self, limit: usize) {
        self.limit = limit;
        self.bound = limit.max(self.bound);
        let starts = self.scheduler.change(Self::options(limit));
        self.start(starts);
        self.wake();
    }

    /// Idle workers look at their channels.
    fn wake(&mut self) {
        let mut at = 0;
        while at < self.idle.len() {
            match self.idle[at].2.try_recv() {
                Ok(_) => {
                    let (number, ..) = self.idle.swap_remove(at);
                    self.running.push(number);
                }
                Err(oneshot::error::TryRecvError::Empty) => at += 1,
                Err(oneshot::error::TryRecvError::Closed) => {
                    let (number, slot, _) = self.idle.swap_remove(at);
                    assert!(!self.scheduler.leave_idle(&destination(number), slot));
                    let turn = self.scheduler.leave(&destination(number), Vec::new());
                    self.take(number, turn);
                    at = 0;
                }
            }
        }
        let connections = self.scheduler.summary().connections;
        assert_eq!(connections, self.running.len() + self.idle.len());
        assert!(connections <= self.bound);
        self.bound = connections.max(self.limit);
    }
}

#[test]
fn a_connection_that_nobody_uses_makes_room() {
    let mut play = Play::new(2);
    play.offer(0);
    play.offer(1);
    play.end(0, Feedback::Reached, true);
    play.end(0, Feedback::Reached, true);
    assert_eq!((play.running.len(), play.idle.len()), (0, 2));
    play.offer(2);
    assert_eq!((play.running.clone(), play.idle.len()), (vec![2], 1));
}

#[test]
fn a_busy_destination_lets_others_have_their_turn() {
    let mut play = Play::new(1);
    (0..100).for_each(|_| play.offer(0));
    play.offer(1);
    // Each connection is used up after one job, and the line for the next has both in turn.
    let mut turns = Vec::new();
    for _ in 0..4 {
        turns.extend(play.running.clone());
        play.end(0, Feedback::Reached, false);
    }
    assert_eq!(turns, [0, 0, 1, 0]);
}

#[test]
fn a_limit_changed_live_is_obeyed_by_who_works_and_given_to_who_waits() {
    let mut play = Play::new(4);
    for number in 0..3 {
        (0..10).for_each(|_| play.offer(number));
    }
    assert_eq!(play.running, [0, 0, 1, 1]);
    play.change(1);
    for left in [3, 2, 1, 1] {
        // Its connection is good for more, and there is more.
        play.end(0, Feedback::Reached, true);
        assert_eq!(play.running.len(), left);
    }
    play.change(6);
    play.running.sort_unstable();
    assert_eq!((play.running.len(), play.running.contains(&2)), (6, true), "{:?}", play.running);
}

#[test]
fn room_in_the_active_queue_is_shared_by_new_and_deferred_mail() {
    let options = QueueOptions { active_limit: 1, ..QueueOptions::default() };
    let mut scheduler = Scheduler::new(options);
    let now = Instant::now();
    assert!(scheduler.insert(&message("0000000001"), Place::Active));
    for id in ["0000000002", "0000000003"] {
        assert!(!scheduler.insert(&message(id), Place::Active));
    }
    for id in ["0000000004", "0000000005"] {
        assert!(!scheduler.insert(&message(id), Place::Deferred(now)));
    }
    let mut order = Vec::new();
    let mut active = "0000000001".parse().unwrap();
    assert!(scheduler.promote(now).is_none(), "there is no room");
    for _ in 0..4 {
        scheduler.remove(active);
        active = scheduler.promote(now).unwrap().id;
        order.push(active.to_string());
    }
    order.sort_by_key(|id| id[9..].to_owned());
    assert_eq!(order, ["0000000002", "0000000003", "0000000004", "0000000005"]);
    let summary = scheduler.summary();
    assert_eq!((summary.active, summary.messages()), (1, 1));
}

proptest! {
    #[test]
    fn limits_hold_and_no_job_is_lost(steps in prop::collection::vec((0_u8..9, 0_usize..5, any::<bool>()), 0..300), limit in 1_usize..6) {
        let mut play = Play::new(limit);
        for (kind, number, keeps) in steps {
            match kind {
                0..=3 => play.offer(number),
                4 | 5 => play.end(number, Feedback::Reached, keeps),
                6 => play.end(number, Feedback::Unreached, false),
                7 => play.leave(number),
                _ => play.change(1 + number),
            }
        }
        // Everybody at work ends his job, again and again: all jobs come to an end, whoever else waits.
        for _ in 0..2 * play.offered {
            play.end(0, Feedback::Reached, true);
        }
        prop_assert_eq!(play.ended, play.offered);
        prop_assert!(play.running.is_empty());
    }
}
