//! From the first listener to the last session.

use switchyard_daemon::drain::Drained;

use crate::client::Client;
use crate::router::{Does, FakeRouter};
use crate::site::Front;

#[tokio::test]
async fn a_drain_cuts_no_transaction() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    assert!(front.page("/readyz").await.starts_with("HTTP/1.1 200 "));
    let mut busy = Client::greeted(front.address()).await;
    let mut idle = Client::greeted(front.address()).await;
    router.will(Does::Waits);
    busy.envelope(&["<alice@example.org>"]).await;
    assert!(busy.say("DATA").await.starts_with("354"));
    busy.send(b"x\r\n.\r\n").await;
    router.offered(1).await;

    front.drain().await;
    assert_eq!(idle.rest().await, "421 4.3.2 Service is shutting down, try again\r\n");
    assert!(front.page("/readyz").await.starts_with("HTTP/1.1 503 "));
    router.go_on();
    assert_eq!(busy.reply().await, "250 2.0.0 Ok: queued as Q1");
    assert_eq!(busy.rest().await, "421 4.3.2 Service is shutting down, try again\r\n");
    assert_eq!(front.ended().await, Drained::Whole);
}

#[tokio::test]
async fn what_may_change_live_does_for_those_to_come() {
    let (old, new) = (FakeRouter::start().await, FakeRouter::start().await);
    let front = Front::start(&[old.address], "").await;
    let mut before = Client::greeted(front.address()).await;
    assert!(before.mail(&["<alice@example.org>"], "x\r\n").await.starts_with("250 "));
    front.reload(&[new.address], "[limits]\nmessage_size = \"1MB\"\n").await;
    let mut after = Client::connect(front.address()).await;
    assert!(after.say("EHLO client.example").await.contains("SIZE 1000000"));
    assert!(after.mail(&["<alice@example.org>"], "x\r\n").await.starts_with("250 "));
    assert!(before.say("MAIL FROM:<> SIZE=2000000").await.starts_with("250 "), "the size it was offered");
    assert!(before.say("RSET").await.starts_with("250 "));
    assert!(before.mail(&["<alice@example.org>"], "x\r\n").await.starts_with("250 "));
    assert_eq!((old.taken().len(), new.taken().len()), (1, 2), "its next message goes to the new router");
}

#[tokio::test]
async fn what_happens_is_counted() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    for _ in 0..2 {
        assert!(client.mail(&["<alice@example.org>"], "x\r\n").await.starts_with("250 "));
    }
    assert!(client.say("MAIL FROM:<>").await.starts_with("250 "));
    assert!(client.say("RCPT TO:<nobody@example.org>").await.starts_with("550 "));
    let page = front.page("/metrics").await;
    for line in [
        "switchyard_smtp_server_sessions 1",
        "switchyard_smtp_server_replies_total{code=\"354\"} 2",
        "switchyard_smtp_server_replies_total{code=\"550\"} 1",
        "switchyard_policy_verdicts_total{reason=\"none\",stage=\"content\",verdict=\"accept\"} 2",
        "switchyard_policy_verdicts_total{reason=\"unknown\",stage=\"recipient\",verdict=\"reject\"} 1",
        "switchyard_mx_hand_over_attempts_total{outcome=\"taken\"} 2",
        "switchyard_mx_router_connections_total{from=\"new\"} 1",
        "switchyard_mx_router_connections_total{from=\"pool\"} 1",
        "switchyard_mx_dead_routers 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
    }
}
