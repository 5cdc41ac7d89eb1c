//! Postfix as the client and as the next hop: every message arrives, and arrives once.

use std::time::{Duration, Instant};

use switchyard_tests::expect;
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::source::Source;

use super::Chain;
use crate::crash::alone;

/// A load that takes this long is stuck.
const LIMIT: Duration = Duration::from_secs(240);

fn source() -> Source {
    Source { messages: 5000, sessions: 20, length: 4096, ..Source::default() }
}

#[test]
fn what_postfix_sends_as_our_client_arrives_once_each() {
    let _turn = alone();
    let (source, start) = (source(), Instant::now());
    let sink = Sink::start(&[], None);
    let chain = Chain::start(sink.address());
    let postfix = Postfix::start(&Options::new(Onward::Relay(chain.mx.address())));
    source.send(postfix.address());
    let _ = sink.wait_for(source.messages.into(), LIMIT);
    expect::holds("Postfix's queue to be empty", || postfix.queued() == 0);
    chain.await_empty();
    assert_eq!(sink.messages(), u64::from(source.messages), "each of them once");
    let log = postfix.log();
    assert_eq!(log.matches("status=sent").count(), source.messages as usize, "taken at the first attempt");
    assert_eq!(log.matches("status=deferred").count(), 0);
    println!("postfix -> mx -> router -> sink: {} messages in {:.1?}", source.messages, start.elapsed());
}

#[test]
fn what_postfix_takes_as_our_next_hop_is_in_its_maildir_once_each() {
    let _turn = alone();
    let (source, start) = (source(), Instant::now());
    let postfix = Postfix::start(&Options::new(Onward::Maildir));
    let chain = Chain::start(postfix.address());
    source.send(chain.mx.address());
    expect::within(LIMIT, "every message in the Maildir", || {
        (postfix.delivered() >= source.messages as usize).then_some(())
    });
    chain.await_empty();
    expect::holds("Postfix's queue to be empty", || postfix.queued() == 0);
    assert_eq!(postfix.delivered(), source.messages as usize, "each of them once");
    assert_eq!(
        chain.router.log().matches("status=\"sent\"").count()
            + chain.router.log().matches("status=sent").count(),
        source.messages as usize
    );
    println!("source -> mx -> router -> postfix: {} messages in {:.1?}", source.messages, start.elapsed());
}
