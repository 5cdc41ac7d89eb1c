//! The spool as a whole, on a disk that fails in every way there is.

mod crash;
mod damage;
mod faults;
mod life;
mod real;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::metrics::Registry;
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Content, Envelope, Recipient, Sender, TransactionId};
use switchyard_smtp::status::EnhancedStatus;

use super::disk::twin::Twin;
use super::*;

/// Small enough that a few messages make it roll.
fn options() -> SpoolOptions {
    SpoolOptions {
        folder: "/twin".into(),
        segment_bytes: 64 << 10,
        max_bytes: 4 << 20,
        min_free_bytes: 0,
        inline_limit: 16 << 10,
        max_waiting_bytes: 1 << 20,
        reserve_segments: 2,
        compact_above_bytes: 256 << 10,
        remembered_transactions: 1000,
    }
}

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_000_000)
}

fn open(disk: &Twin) -> (Spool, Recovered) {
    open_with(disk, &options())
}

fn open_with(disk: &Twin, options: &SpoolOptions) -> (Spool, Recovered) {
    try_open(disk, options).unwrap()
}

fn try_open(disk: &Twin, options: &SpoolOptions) -> Result<(Spool, Recovered), OpenError> {
    let metrics = SpoolMetrics::register(&Registry::new()).unwrap();
    let (clock, _hand) = Clock::twin(start());
    Spool::open(options, disk.clone(), clock, metrics)
}

/// A message whose content tells its number and size at every place.
fn message(number: u128, size: usize) -> NewMessage {
    let sender = Sender {
        transaction: Some(TransactionId(number)),
        ..Sender::new(ReversePath::parse("<sender@example.org>").unwrap())
    };
    let recipients = ["<alice@example.net>", "<\"b c\"@example.com>", "<postmaster>"]
        .map(|path| Recipient::new(ForwardPath::parse(path).unwrap()));
    let line = format!("message {number}, octet {{}}\r\n");
    let wire: Vec<u8> =
        (0..).flat_map(|at| line.replace("{}", &at.to_string()).into_bytes()).take(size).collect();
    NewMessage {
        envelope: Arc::new(Envelope { sender, recipients: recipients.into() }),
        content: Content { added: Bytes::from_static(b"Received: by test\r\n"), wire: wire.into() },
        arrival: Arrival { wall: start(), client: "mx1.example.org [192.0.2.1]".into(), from: None },
        origin: Origin::Smtp,
        hold: None,
    }
}

fn deferred(text: &str, attempts: u32) -> Progress {
    let outcome = Outcome::new(start(), EnhancedStatus::new(4, 4, 1), "mx.example.net", text);
    Progress {
        recipients: vec![
            RecipientState::Delivered(outcome.clone()),
            RecipientState::Deferred(outcome),
            RecipientState::Pending,
        ],
        next_attempt: start() + Duration::from_secs(300 * u64::from(attempts)),
        attempts,
        hold: None,
        reroutes: Vec::new(),
        given_up: Vec::new(),
        released: false,
        rest: Default::default(),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn accept(spool: &Spool, message: &NewMessage) -> Result<QueueId, SpoolError> {
    wait(spool.accept(spool.next_id(), message)).map(|receipt| receipt.queue_id())
}

fn ids(recovered: &Recovered) -> Vec<QueueId> {
    recovered.messages.iter().map(|message| message.id).collect()
}

/// The tidying thread has nothing to do, so the next writes and syncs are the committing thread's.
fn settled(spool: &Spool) {
    let shared = spool.shared();
    wait(spool.flush()).unwrap();
    while !shared::lock(&shared.stock).is_tidy(shared.options.reserve_segments) {
        std::thread::yield_now();
    }
}
