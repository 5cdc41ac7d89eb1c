//! How many messages a second the spool makes durable, by how many wait at a time.
//!
//! `cargo bench -p switchyard-router --bench spool [-- FOLDER]`; the default is a temporary folder.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use switchyard_daemon::clock::Clock;
use switchyard_daemon::metrics::Registry;
use switchyard_router::spool::{Arrival, Folder, NewMessage, Origin, Spool, SpoolMetrics, SpoolOptions};
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Content, Envelope, Recipient, Sender};

const SIZE: usize = 4096;

fn main() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = given.map_or_else(|| temporary.path().to_owned(), PathBuf::from).join("spool");
    for (clients, each) in [(1, 2000), (20, 1000), (200, 200)] {
        println!(
            "{clients:4} clients: {:.0} messages of {SIZE} octets a second",
            run(&folder, clients, each)
        );
    }
}

fn run(folder: &std::path::Path, clients: usize, each: usize) -> f64 {
    let options = SpoolOptions { folder: folder.to_owned(), ..SpoolOptions::default() };
    let disk = Folder::claim(folder).expect("a folder of our own");
    let metrics = SpoolMetrics::register(&Registry::new()).expect("a new registry");
    let (spool, _) = Spool::open(&options, disk, Clock::system(), metrics).expect("a spool");
    let message = message();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a run time");
    let start = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let (spool, message) = (spool.clone(), message.clone());
            tasks.spawn(async move {
                for _ in 0..each {
                    let receipt = spool.accept(spool.next_id(), &message).await.expect("it is taken");
                    spool.done(receipt.queue_id());
                }
            });
        }
        tasks.join_all().await;
    });
    (clients * each) as f64 / start.elapsed().as_secs_f64()
}

fn message() -> NewMessage {
    let sender = Sender::new(ReversePath::parse("<sender@example.org>").expect("a path"));
    let recipients = vec![Recipient::new(ForwardPath::parse("<alice@example.net>").expect("a path"))];
    NewMessage {
        envelope: Arc::new(Envelope { sender, recipients }),
        content: Content::from_wire(vec![b'x'; SIZE].into()),
        arrival: Arrival { wall: SystemTime::now(), client: "bench".into(), from: None },
        origin: Origin::Smtp,
        hold: None,
    }
}
