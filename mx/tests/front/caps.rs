//! Too many of anything is answered at once, and never with a permanent no.

use crate::client::Client;
use crate::router::{Does, FakeRouter};
use crate::site::Front;

#[tokio::test]
async fn one_network_holds_so_many_sessions() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "[limits]\nsessions_per_network = 2\n").await;
    let _first = Client::greeted(front.address()).await;
    let mut second = Client::greeted(front.address()).await;
    let mut third = Client::silent(front.address()).await;
    assert_eq!(third.rest().await, "421 4.7.0 Too many connections from your network\r\n");
    assert_eq!(second.say("QUIT").await, "221 2.0.0 Bye");
    assert_eq!(second.rest().await, "");
    // Its place is free once the session is over, which is a moment after the client sees the end of it.
    loop {
        let mut next = Client::silent(front.address()).await;
        if next.reply().await.starts_with("220") {
            break;
        }
    }
}

#[tokio::test]
async fn the_house_holds_so_many_sessions() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "[limits]\nsessions = 1\nstress_percent = 100\n").await;
    let _first = Client::greeted(front.address()).await;
    let mut second = Client::silent(front.address()).await;
    assert_eq!(second.rest().await, "421 4.3.2 Too many connections, try again\r\n");
}

#[tokio::test]
async fn so_many_messages_are_handed_over_at_once() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "[routers]\nhand_overs = 1\n").await;
    let (mut one, mut two) = (Client::greeted(front.address()).await, Client::greeted(front.address()).await);
    let mut three = Client::greeted(front.address()).await;
    router.will(Does::Waits);
    one.envelope(&["<alice@example.org>"]).await;
    two.envelope(&["<alice@example.org>"]).await;
    three.envelope(&["<alice@example.org>"]).await;
    assert!(two.say("DATA").await.starts_with("354"));
    assert!(one.say("DATA").await.starts_with("354"));
    one.send(b"one\r\n.\r\n").await;
    router.offered(1).await;

    two.send(b"two\r\n.\r\n").await;
    assert_eq!(two.reply().await, "451 4.3.0 Too busy, try again");
    assert_eq!(three.say("DATA").await, "451 4.3.0 Too busy, try again");
    let mut newcomer = Client::silent(front.address()).await;
    assert_eq!(newcomer.rest().await, "421 4.3.2 Too busy, try again\r\n");
    assert!(front.page("/metrics").await.contains("switchyard_mx_hand_overs 1\n"));

    router.go_on();
    assert_eq!(one.reply().await, "250 2.0.0 Ok: queued as Q1");
    assert_eq!(two.mail(&["<alice@example.org>"], "two\r\n").await, "250 2.0.0 Ok: queued as Q2");
}
