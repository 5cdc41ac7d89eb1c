//! The queue from end to end: a real spool in a folder, scripted peers on loopback, time moved by hand.

mod fair;
mod life;
mod limits;
mod orders;
mod room;
mod suspended;
mod uses;
mod ways;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use switchyard_daemon::clock::{Clock, Hand};
use switchyard_daemon::metrics::Registry;
use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet, Resolved, Route};
use switchyard_milter_mta::{Asked, ClientMetrics, Filters};
use switchyard_smtp::address::{Domain, ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Envelope, Notify, Recipient, Sender};
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::testing::{Played, listen, play};
use tokio::task::JoinHandle;

use super::message::Message;
use super::order::{Order, Request, Tally};
use super::row::{GroupBy, Groups};
use super::schedule::Now;
use super::scheduler::Place;
use super::select::Selector;
use super::suspend::Suspensions;
use super::window::WindowOptions;
use super::*;
use crate::bounce::{BounceMetrics, BounceOptions, Bouncer};
use crate::deliver::{
    DeliverMetrics, DeliverOptions, Deliverer, Outgoing, Resolver, ResolverOptions, ReuseOptions, TlsOptions,
    TlsPolicy,
};
use crate::route::RouteOptions;
use crate::spool::{Arrival, Folder, Held, Holder, Origin, QueueId, Spool, SpoolMetrics, SpoolOptions};

const DAY: Duration = Duration::from_secs(86_400);

struct Site {
    queue: QueueHandle,
    spool: Spool,
    hand: Hand,
    registry: Registry,
}

/// A queue over the spool in `folder`, as it is after a start at `wall`.
fn start(folder: &Path, routes: &str, messages_per_connection: u32, wall: SystemTime) -> Site {
    let options = RouteOptions::new(Domain::parse("us.example").unwrap());
    start_with(folder, &[(MapName::Transport, routes)], options, messages_per_connection, wall)
}

/// The same with any maps, and all that routing knows beside them.
fn start_with(
    folder: &Path,
    texts: &[(MapName, &str)],
    routes: RouteOptions,
    messages_per_connection: u32,
    wall: SystemTime,
) -> Site {
    let registry = Registry::new();
    let (clock, hand) = Clock::twin(wall);
    let options = SpoolOptions {
        folder: folder.join("spool"),
        segment_bytes: 1 << 20,
        max_bytes: 64 << 20,
        min_free_bytes: 0,
        ..SpoolOptions::default()
    };
    let disk = Folder::claim(&options.folder).unwrap();
    let (spool, recovered) =
        Spool::open(&options, disk, clock.clone(), SpoolMetrics::register(&registry).unwrap()).unwrap();
    let maps = MapHandle::new(MapSet::from_texts(&MapOptions::default(), texts).unwrap());
    let (deliver, resolver, policy) = delivery(messages_per_connection);
    let chance = || fastrand::Rng::with_seed(1);
    let parts = Parts {
        options: QueueOptions {
            window: WindowOptions { initial: 1, ..WindowOptions::default() },
            ..QueueOptions::default()
        },
        spool: spool.clone(),
        maps,
        routes,
        outgoing: unasked(),
        deliverer: Deliverer::new(
            deliver,
            resolver,
            policy,
            DeliverMetrics::register(&registry).unwrap(),
            clock.clone(),
            chance(),
        ),
        bouncer: Bouncer::new(
            BounceOptions::default(),
            BounceMetrics::register(&registry).unwrap(),
            clock.clone(),
        ),
        suspensions: Suspensions::open(Some(&folder.join("spool/suspended.json"))).unwrap(),
        clock,
        chance: chance(),
        metrics: QueueMetrics::register(&registry).unwrap(),
    };
    Site { queue: Queue::start(parts, recovered.messages), spool, hand, registry }
}

/// How mail is handed over here.
fn delivery(messages_per_connection: u32) -> (DeliverOptions, Resolver, TlsPolicy) {
    let resolver =
        ResolverOptions { servers: vec![([127, 0, 0, 1], 9).into()], ..ResolverOptions::default() };
    let deliver = DeliverOptions {
        hello_name: "us.example".to_owned(),
        reuse: ReuseOptions { messages: messages_per_connection, ..ReuseOptions::default() },
        ..DeliverOptions::default()
    };
    (deliver, Resolver::new(&resolver).unwrap(), TlsPolicy::new(&TlsOptions::default()).unwrap())
}

/// Nobody is asked before an attempt.
fn unasked() -> Outgoing {
    let asked = Asked { host: "us.example".to_owned(), filters: Vec::new(), order: Vec::new() };
    let counted = ClientMetrics::register(Registry::new().prometheus()).unwrap();
    let filters = Filters::new(&asked, &counted, &MemoryBudget::new(0)).unwrap();
    Outgoing::new(Arc::new(filters), Vec::new(), "us.example")
}

fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

impl Site {
    async fn send(&self, sender: &str, recipients: &[&str]) -> QueueId {
        let to = |text: &&str| Recipient::new(ForwardPath::parse(text).unwrap());
        self.send_to(sender, recipients.iter().map(to).collect()).await
    }

    async fn send_to(&self, sender: &str, recipients: Vec<Recipient>) -> QueueId {
        self.take(sender, recipients, None).await
    }

    /// Taken to wait for the operator.
    async fn send_held(&self, sender: &str, recipient: &str) -> QueueId {
        let held = Held::new(Holder::Map, "look at it");
        self.take(sender, vec![Recipient::new(ForwardPath::parse(recipient).unwrap())], Some(held)).await
    }

    async fn take(&self, sender: &str, recipients: Vec<Recipient>, hold: Option<Held>) -> QueueId {
        self.take_from(Sender::new(ReversePath::parse(sender).unwrap()), recipients, hold).await
    }

    async fn take_from(&self, sender: Sender, recipients: Vec<Recipient>, hold: Option<Held>) -> QueueId {
        let message = NewMessage {
            envelope: Arc::new(Envelope { sender, recipients }),
            content: Content::from_wire(Bytes::from_static(b"Subject: x\r\n\r\nbody\r\n")),
            arrival: Arrival { wall: self.queue.0.clock.now_wall(), client: "test".into(), from: None },
            origin: Origin::Smtp,
            hold,
        };
        let id = self.spool.next_id();
        let receipt = self.spool.accept(id, &message).await.unwrap();
        self.queue.admit_new(&receipt, message);
        id
    }

    /// Carries out an order about one message.
    async fn order(&self, order: Order, id: QueueId) -> Tally {
        self.order_of(order, Selector { ids: vec![id.to_string()], ..Selector::default() }).await
    }

    async fn order_of(&self, order: Order, select: Selector) -> Tally {
        let request = Request { order, all: select.is_empty(), select, dry_run: false };
        self.queue.take(request).unwrap().carry_out(|_| {}).await.unwrap()
    }

    /// Takes other options while it runs.
    fn change(&self, change: impl FnOnce(&mut QueueOptions)) {
        let Means { options, routes, outgoing, deliverer, bouncer } = &*self.queue.means();
        let mut options = options.clone();
        change(&mut options);
        let (deliver, resolver, policy) = delivery(1);
        self.queue.change(Means {
            options,
            routes: routes.clone(),
            outgoing: outgoing.clone(),
            deliverer: deliverer.renewed(deliver, resolver, policy),
            bouncer: bouncer.renewed(BounceOptions::default()),
        });
    }

    /// Attempts at delivery that came to a connection, or tried to.
    fn attempts(&self) -> u64 {
        let text = self.registry.encode().unwrap();
        let count =
            text.lines().find_map(|line| line.strip_prefix("switchyard_deliver_attempts_seconds_count"));
        count.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }

    async fn until(&self, fact: impl Fn(&Summary) -> bool) {
        self.queue.watch().wait_for(|summary| fact(summary)).await.unwrap();
    }

    /// Ends the queue and gives the spool back to the disk.
    async fn stop(self) {
        self.queue.drain().await;
        self.spool.flush().await.unwrap();
        self.spool.close();
    }
}

/// What a peer at `address` is to see: one message to each of these, answered so.
fn script(sender: &str, recipients: &[(&str, &str)]) -> String {
    let mut script = "S: 220 peer\nC: EHLO us.example\nS: 250 peer\n".to_owned();
    script += &message(sender, recipients);
    script + "C: QUIT\nS: 221 bye\nX\n"
}

fn message(sender: &str, recipients: &[(&str, &str)]) -> String {
    let mut script = format!("C: MAIL FROM:{sender}\nS: 250 Ok\n");
    for (recipient, reply) in recipients {
        script += &format!("C: RCPT TO:{recipient}\nS: {reply}\n");
    }
    if recipients.iter().any(|(_, reply)| reply.starts_with("250")) {
        script += "C: DATA\nS: 354 go\n.\nS: 250 2.0.0 mine\n";
    }
    script
}

/// A peer that plays these; its route, and what it saw.
async fn peer(scripts: Vec<String>) -> (String, JoinHandle<Vec<Played>>) {
    let (address, playing) = listen(scripts).await.unwrap();
    (format!("smtp:[127.0.0.1]:{}", address.port()), playing)
}

fn reports(played: &[Played]) -> Vec<String> {
    let contents = played.iter().flat_map(|played| &played.contents);
    contents.map(|content| String::from_utf8(content.to_vec()).unwrap()).collect()
}
