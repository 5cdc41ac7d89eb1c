//! The connection between mx and router breaks after the last octet of a message and before the answer: the
//! router may have taken it, or not, and the mx cannot know. It asks, by the transaction's id, and the message
//! is taken once.

use switchyard_tests::expect;
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::proxy::{Cut, Proxy};
use switchyard_tests::site::Site;
use switchyard_tests::talk::Talk;

use super::await_empty;

const ROUNDS: u64 = 20;

fn once_each(cut: impl Fn(u64) -> Cut) {
    let site = Site::new();
    let sink = Sink::start(&[], None);
    let mut router = site.router("router1", sink.address());
    router.start();
    let proxy = Proxy::start(router.address());
    let mut mx = site.mx("mx1", &[proxy.address()]);
    mx.start();
    for round in 0..ROUNDS {
        proxy.arm(cut(round));
        let content = format!("Subject: {round}\r\n\r\nline\r\nthe end of {round}\r\n");
        let mut talk = Talk::hello(mx.address());
        let reply = talk.mail("<source@client.example>", &["<alice@example.org>"], &content);
        assert!(reply.is(250, "2."), "round {round}: {reply:?}\n{}", mx.log_end());
        assert_eq!(proxy.cuts(), round + 1, "the connection was cut");
    }
    let _ = sink.wait_for(ROUNDS, expect::PATIENCE);
    await_empty(&router);
    assert_eq!(sink.messages(), ROUNDS, "each of them once");
    assert_eq!(router.metric("switchyard_spool_accepted_total"), ROUNDS as f64, "and taken once");
}

#[test]
fn a_message_whose_answer_is_lost_is_taken_once_and_its_client_is_told_so() {
    // The first 250 behind the 354, or behind the chunk: the answer to the end of the message.
    once_each(|_| Cut::Answered(b"queued".to_vec()));
}

#[test]
fn a_message_whose_connection_ends_with_its_last_octet_is_taken_once_and_its_client_is_told_so() {
    once_each(|round| Cut::Sent(format!("the end of {round}\r\n").into_bytes()));
}
