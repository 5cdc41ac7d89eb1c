//! One turn: so many messages through one relay, and what that cost.

use std::time::{Duration, Instant};

use switchyard_tests::expect;
use switchyard_tests::peer::cgroup::Cgroup;
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::source::{Connections, Source};

use super::machine::Snapshot;

/// The longest a turn may take.
const LIMIT: Duration = Duration::from_secs(300);

/// What is sent in a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) messages: u32,
    pub(crate) sessions: u32,
    pub(crate) length: u32,
    pub(crate) kept: bool,
}

/// What a turn came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Messages a second, from the source's start to the last message at the sink.
    pub(crate) rate: f64,
    /// CPU of the relay's process tree, in microseconds a message; nothing for no relay.
    pub(crate) relay_cpu: f64,
    /// CPU of the whole machine, in microseconds a message: source, sink and kernel threads included.
    pub(crate) machine_cpu: f64,
    /// The share of time that the host took away.
    pub(crate) steal: f64,
}

/// Sends the load to wherever it begins, and waits until the sink has it all and the relay has come to rest.
pub(crate) fn take(
    load: &Load,
    first_hop: std::net::SocketAddr,
    sink: &Sink,
    relay: Option<&Cgroup>,
) -> Turn {
    let source = Source {
        messages: load.messages,
        sessions: load.sessions,
        length: load.length,
        connections: if load.kept { Connections::Kept } else { Connections::New },
        ..Source::default()
    };
    let expected = sink.messages() + u64::from(load.messages);
    let used = || relay.map_or(Duration::ZERO, Cgroup::used);
    let (machine, before) = (Snapshot::take(), used());

    let start = Instant::now();
    let mut sender = source.start(first_hop, None);
    let last = sink.wait_for(expected, LIMIT);
    let status = sender.wait();
    assert!(status.success(), "smtp-source: {status}");

    // What a relay still does behind the last message is part of its price.
    settle(&used);
    let (now, after) = (Snapshot::take(), used());
    let messages = f64::from(load.messages);
    Turn {
        rate: messages / (last - start).as_secs_f64(),
        relay_cpu: (after - before).as_secs_f64() * 1e6 / messages,
        machine_cpu: now.busy_since(&machine).as_secs_f64() * 1e6 / messages,
        steal: now.steal_since(&machine),
    }
}

/// Waits until a tenth of a second costs less than a millisecond.
fn settle(used: &impl Fn() -> Duration) {
    let (mut since, mut level) = (Instant::now(), used());
    expect::holds("a relay at rest", || {
        if since.elapsed() < Duration::from_millis(100) {
            return false;
        }
        let now = used();
        let quiet = now - level < Duration::from_millis(1);
        (since, level) = (Instant::now(), now);
        quiet
    });
}
