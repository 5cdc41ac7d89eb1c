//! Room in the active queue: no destination fills it, and what had to wait outside goes when its time comes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use switchyard_maps::Destination;
use switchyard_smtp::address::Host;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::queue::message::Job;
use crate::queue::scheduler::{Next, Offered, Start};
use crate::queue::select::Pattern;
use crate::queue::window::Feedback;

/// A site with room for eight active messages, and `count` of them for a peer that says nothing.
async fn behind_a_silent_peer(folder: &Path, routes: &str, count: usize) -> (Site, TcpListener, TcpStream) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let site = start(folder, &format!("slow.example smtp:[127.0.0.1]:{port}\n{routes}"), 1, today());
    site.change(|options| options.active_limit = 8);
    for _ in 0..count {
        site.send("<a@from.example>", &["<x@slow.example>"]).await;
    }
    let (never_answered, _) = silent.accept().await.unwrap();
    (site, silent, never_answered)
}

fn swap(site: &Site, routes: &str) {
    let maps = MapOptions::default().with_file(MapName::Transport, "transport");
    site.queue.0.maps.swap(MapSet::from_texts(&maps, &[(MapName::Transport, routes)]).unwrap());
}

#[tokio::test]
async fn p5_mail_for_others_passes_a_destination_that_is_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")]); 3];
    let (route, playing) = peer(scripts).await;
    let (site, _silent, _never_answered) =
        behind_a_silent_peer(folder.path(), &format!("to.example {route}\n"), 40).await;
    site.until(|summary| summary.active == 5 && summary.incoming == 35).await;
    for _ in 0..3 {
        site.send("<a@from.example>", &["<x@to.example>"]).await;
        site.until(|summary| summary.messages() == 40).await;
    }
    playing.await.unwrap();
    // What waits outside goes another way as soon as there is one; what waits in line does at its next attempt.
    swap(&site, "slow.example discard:not wanted any more\n");
    site.until(|summary| summary.messages() == summary.active && summary.active == 5).await;
}

#[tokio::test]
async fn what_is_parked_is_called_when_its_destination_moves_or_dies() {
    let folder = tempfile::tempdir().unwrap();
    let (site, silent, never_answered) = behind_a_silent_peer(folder.path(), "", 40).await;
    site.until(|summary| summary.incoming == 35).await;
    drop(silent);
    drop(never_answered);
    site.until(|summary| summary.deferred == 40 && summary.connections == 0).await;
}

#[tokio::test]
async fn who_has_room_is_tried_and_who_has_none_waits_and_is_ordered_about() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<y@to.example>", "250 Ok")])]).await;
    let routes = format!("to.example {route}\n");
    let (site, _silent, _never_answered) = behind_a_silent_peer(folder.path(), &routes, 10).await;
    site.until(|summary| summary.incoming == 5).await;
    let id = site.send("<a@from.example>", &["<x@slow.example>", "<y@to.example>"]).await;
    playing.await.unwrap();
    site.until(|summary| summary.incoming == 6 && summary.active == 5).await;
    let named = Selector { ids: vec![id.to_string()], ..Selector::default() };
    let row = site.queue.rows(named, true).unwrap().next().await.unwrap().remove(0);
    let states: Vec<&str> = row.recipients.iter().map(|recipient| recipient.state.as_str()).collect();
    assert_eq!(states, ["pending", "delivered"]);

    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@slow.example>", "250 Ok")])]).await;
    let told = site.order(Order::Reroute { to: Some(route) }, id).await;
    assert_eq!(told, Tally { matched: 1, recipients: 1, changed: 1, ..Tally::default() });
    playing.await.unwrap();
    site.until(|summary| summary.incoming == 5 && summary.active == 5).await;
    let rest = Selector { domain: Some(Pattern::new("slow.example")), ..Selector::default() };
    let told = site.order_of(Order::Delete { reason: "no more".into() }, rest).await;
    assert_eq!((told.matched, told.changed, told.under_way), (10, 9, 1));
}

#[tokio::test]
async fn what_is_parked_goes_to_others_when_a_suspension_has_ended_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<y@to.example>", "250 Ok")])]).await;
    let routes = format!("to.example {route}\n");
    let (site, _silent, _never_answered) = behind_a_silent_peer(folder.path(), &routes, 10).await;
    site.until(|summary| summary.incoming == 5).await;
    let to = Selector { domain: Some(Pattern::new("to.example")), ..Selector::default() };
    site.order_of(Order::Suspend { seconds: 60, reason: "their disk is full".into() }, to).await;
    site.send("<a@from.example>", &["<x@slow.example>", "<y@to.example>"]).await;
    site.until(|summary| summary.incoming == 6 && summary.active == 5).await;
    // The line of the one is as full as it was.
    site.hand.advance(Duration::from_secs(61));
    playing.await.unwrap();
    site.until(|summary| summary.incoming == 6 && summary.active == 5).await;
    assert!(site.queue.suspensions().is_empty());
}

#[tokio::test]
async fn content_of_what_only_waits_leaves_memory_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let (site, _silent, _never_answered) = behind_a_silent_peer(folder.path(), "", 1).await;
    let one = site.queue.0.memory.load(std::sync::atomic::Ordering::Relaxed);
    assert!(one > 0, "the one that is tried has it");
    site.change(|options| (options.content_memory, options.active_limit) = (6 * one, 100));
    for _ in 0..10 {
        site.send("<a@from.example>", &["<x@slow.example>"]).await;
    }
    assert_eq!(site.queue.summary().active, 11);
    assert_eq!(site.queue.0.memory.load(std::sync::atomic::Ordering::Relaxed), 3 * one);
}

fn destination(number: usize) -> Destination {
    let route = Route::parse(&format!("smtp:[d{number}.example]"), &BTreeSet::new()).unwrap();
    match route.resolve(&Route::Keep, &Host::parse("to.example").unwrap()) {
        Resolved::Deliver(destination) => destination,
        other => panic!("{other:?}"),
    }
}

/// The queue's part is played by hand: messages for one or two destinations, workers whose jobs end when they are told.
struct Play {
    scheduler: Scheduler,
    now: std::time::Instant,
    /// Of each message, where it is still to go, and how many of its jobs are open.
    to_go: BTreeMap<QueueId, (BTreeSet<usize>, usize)>,
    running: Vec<(usize, Job)>,
}

impl Play {
    fn new(active_limit: usize) -> Self {
        let window = WindowOptions { initial: 1, limit: 2, ..WindowOptions::default() };
        let options = QueueOptions { active_limit, window, connection_limit: 4, ..QueueOptions::default() };
        Self {
            scheduler: Scheduler::new(options),
            now: std::time::Instant::now(),
            to_go: BTreeMap::new(),
            running: Vec::new(),
        }
    }

    fn send(&mut self, number: usize, to: &[usize]) {
        let wall = today();
        let recipients = vec![Recipient::new(ForwardPath::Postmaster)];
        let stored = StoredMessage {
            id: format!("{number:010}").parse().unwrap(),
            envelope: Arc::new(Envelope { sender: Sender::new(ReversePath::Null), recipients }),
            arrival: Arrival { wall, client: "test".into(), from: None },
            origin: Origin::Smtp,
            progress: crate::spool::Progress::fresh(1, wall, None),
            content_len: 0,
        };
        let admitted = Now { monotonic: self.now, wall };
        let message = Arc::new(Message::new(stored, admitted, None, BTreeMap::new()));
        self.to_go.insert(message.id, (to.iter().copied().collect(), 0));
        if self.scheduler.insert(&message, Place::Active) {
            self.begin(&message);
        }
        self.promote();
    }

    fn promote(&mut self) {
        while let Some(message) = self.scheduler.promote(self.now) {
            self.begin(&message);
        }
    }

    fn begin(&mut self, message: &Arc<Message>) {
        let (to_go, open) = self.to_go.get_mut(&message.id).unwrap();
        let is_full = |number: &&usize| self.scheduler.is_full(&destination(**number), message);
        let (full, free): (Vec<usize>, Vec<usize>) = to_go.iter().partition(is_full);
        *open = free.len();
        if free.is_empty() {
            assert!(self.scheduler.park(message.id, &destination(full[0])));
            return;
        }
        for number in free {
            let job =
                Job { message: Arc::clone(message), recipients: vec![0], sender: None, queued: self.now };
            match self.scheduler.offer(&destination(number), job, self.now) {
                Offered::Start(Start { job, .. }) => self.running.push((number, job)),
                Offered::Waits => {}
                Offered::Handed | Offered::Dead(_) => panic!("nobody is idle, and nobody is dead"),
            }
        }
        self.scheduler.give_back(message.id);
    }

    fn end(&mut self, which: usize) {
        if self.running.is_empty() {
            return;
        }
        let (number, job) = self.running.swap_remove(which % self.running.len());
        let id = job.message.id;
        let (to_go, open) = self.to_go.get_mut(&id).unwrap();
        assert!(to_go.remove(&number), "each once");
        *open -= 1;
        match to_go.first() {
            _ if *open > 0 => {}
            Some(left) => assert!(self.scheduler.park(id, &destination(*left))),
            None => assert!(self.scheduler.remove(id)),
        }
        let turn = self.scheduler.next(&destination(number), Feedback::Reached, false, self.now);
        if let Next::Job(job) = turn.next {
            self.running.push((number, job));
        }
        for Start { destination: to, job } in turn.starts {
            self.running.push(((0..4).find(|number| destination(*number) == to).unwrap(), job));
        }
        self.promote();
    }
}

proptest! {
    #[test]
    fn all_mail_goes_in_the_end_and_the_limit_holds(
        steps in prop::collection::vec((any::<bool>(), 0_usize..4, 0_usize..4), 0..200),
        active_limit in 1_usize..12,
    ) {
        let mut play = Play::new(active_limit);
        for (number, (is_sent, one, other)) in steps.iter().enumerate() {
            if *is_sent { play.send(number, &[*one, *other]) } else { play.end(*one) }
            prop_assert!(play.scheduler.summary().active <= active_limit);
        }
        while !play.running.is_empty() {
            play.end(0);
        }
        prop_assert_eq!(play.scheduler.summary(), Summary::default());
    }
}

#[tokio::test]
async fn jobs_share_what_is_read_back_and_nobody_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), "to.example smtp:[127.0.0.1]:9\n", 1, today());
    // What is on hold is not in memory.
    let id = site.send_held("<a@from.example>", "<x@to.example>").await;
    let message = Arc::clone(site.queue.0.lock().message(id).unwrap().0);
    let (one, other) = tokio::join!(site.queue.0.content(&message), site.queue.0.content(&message));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(Arc::ptr_eq(&one, &other) && one.wire.starts_with(b"Subject: x\r\n"));
    let kept = Arc::downgrade(&one);
    drop((one, other));
    assert!(kept.upgrade().is_none());
    assert!(
        site.queue.0.content(&message).await.unwrap().wire.ends_with(b"body\r\n"),
        "it can be read again"
    );
}
