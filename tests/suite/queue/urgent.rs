//! Priority: ten urgent messages behind many others leave before them.

use switchyard_tests::expect;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::Site;
use switchyard_tests::talk::Talk;

/// Messages of one sender that wait when the urgent ones come.
const BULK: usize = 500;
/// Urgent ones.
const URGENT: usize = 10;

#[test]
fn ten_urgent_messages_behind_five_hundred_leave_first() {
    let site = Site::new();
    let sink = Sink::start(site.ip());
    sink.mute();
    let mut router = site.router("router", sink.address());
    // One delivery at a time, so that the order at the sink is the order in which they left.
    for key in ["destination_concurrency", "initial_destination_concurrency"] {
        router.settings.set("queue", key, "1");
    }
    router.start();
    let mut talk = Talk::hello(router.address());
    let mut send = |local: &str, count: usize, parameter: &str| {
        for number in 0..count {
            let from = format!("<{local}@client.example>{parameter}");
            let reply =
                talk.mail(&from, &[&format!("<user{number}@to.example>")], "Subject: x\r\n\r\nbody\r\n");
            assert_eq!(reply.code, 250, "{reply:?}");
        }
    };
    send("bulk", BULK, "");
    expect::holds("an attempt waits for the greeting", || sink.connections() == 1);
    // By the same client, to the same destination: only what it says of them is different (RFC 6710).
    send("nurse", URGENT, " MT-PRIORITY=5");
    send("patient", 1, " MT-PRIORITY=-3");
    sink.speak();
    sink.await_over(BULK + URGENT);
    let order: Vec<String> = sink.copies().into_iter().map(|copy| copy.sender).collect();
    let first = &order[1..=URGENT];
    assert_eq!(order[0], "bulk@client.example", "it was under way");
    assert!(first.iter().all(|sender| sender == "nurse@client.example"), "{first:?}");
    // Urgent mail goes before other mail, not instead of it: one turn of sixteen is for the most patient.
    let patient = order.iter().position(|sender| sender == "patient@client.example");
    assert!(patient.is_some_and(|place| place <= 32), "{patient:?}");
}
