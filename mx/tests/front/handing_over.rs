//! A message and the routers: taken once, by one of them, or left with the client.

use switchyard_smtp::reply::{Reply, table};

use crate::client::Client;
use crate::router::{Does, FakeRouter};
use crate::site::Front;

const CONTENT: &str = "Subject: caf\u{e9}\r\n\r\n..a dot\r\nthe end\r\n";

#[tokio::test]
async fn a_message_is_handed_over_and_the_answer_is_the_routers() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
    assert_eq!(reply, "250 2.0.0 Ok: queued as Q1");

    let taken = router.taken();
    let text = taken[0].text();
    let (received, rest) = text.split_at(text.find("Subject:").unwrap());
    assert_eq!(rest, CONTENT, "octet for octet");
    assert!(received.starts_with("Received: from client.example ([127.0.0.1])\r\n\tby mx.example.org "));
    assert!(received.contains("with ESMTP id ") && received.contains("\tfor <alice@example.org>; "));
    let forwarded = taken[0].forwarded.as_ref().unwrap();
    assert_eq!(forwarded.helo.as_deref(), Some("client.example"));
    assert_eq!(forwarded.address, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(forwarded.protocol.as_deref(), Some("ESMTP"));
    let id = taken[0].mail.envelope.sender.transaction.unwrap();
    assert_eq!(forwarded.ident.as_deref(), Some(id.to_string().as_str()));
    assert!(received.contains(&format!("id {id}")));

    for number in 2..5 {
        let reply = client.mail(&["<alice@example.org>", "<bob@example.org>"], CONTENT).await;
        assert_eq!(reply, format!("250 2.0.0 Ok: queued as Q{number}"));
    }
    assert_eq!(router.connections(), 1, "one connection carries them all");
    assert!(!router.taken()[3].text().contains("\tfor "), "who else got it is nobody's business");
}

#[tokio::test]
async fn somebody_elses_router_does_too() {
    let router = FakeRouter::ordinary().await;
    let front = Front::start(&[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    for number in 1..4 {
        let reply = client.mail(&["<alice@example.org>", "<bob@example.org>"], CONTENT).await;
        assert_eq!(reply, format!("250 2.0.0 Ok: queued as Q{number}"));
    }
    assert!(router.taken()[0].text().ends_with(CONTENT));
    // Its answer is lost, and it knows no ids: a second copy is for the client to send.
    router.will(Does::TakesAndCuts);
    let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
    assert_eq!(reply, "451 4.4.1 No router answers, try again");
    assert_eq!(router.taken().len(), 4);
}

#[tokio::test]
async fn the_routers_no_is_the_clients() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    for reply in [
        Reply::fixed(550, (5, 7, 1), "Virus found"),
        Reply::fixed(450, (4, 7, 1), "Greylisted"),
        table::NO_ROOM,
    ] {
        router.will(Does::Says(reply.clone()));
        assert_eq!(client.mail(&["<alice@example.org>"], CONTENT).await, reply.to_string());
    }
    assert_eq!(client.mail(&["<alice@example.org>"], CONTENT).await, "250 2.0.0 Ok: queued as Q1");
}

#[tokio::test]
async fn a_router_that_ends_an_old_connection_is_asked_over_a_new_one() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    assert_eq!(client.mail(&["<alice@example.org>"], CONTENT).await, "250 2.0.0 Ok: queued as Q1");
    router.will(Does::Says(table::SHUTTING_DOWN));
    assert_eq!(client.mail(&["<alice@example.org>"], CONTENT).await, "250 2.0.0 Ok: queued as Q2");
    assert_eq!(router.connections(), 2);
    // On a new one it is the router's word.
    router.will(Does::Says(table::SHUTTING_DOWN));
    router.will(Does::Says(table::SHUTTING_DOWN));
    let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
    assert_eq!(reply, "451 4.4.1 No router answers, try again");
}

#[tokio::test]
async fn a_router_in_trouble_is_passed_by() {
    let (full, other) = (FakeRouter::start().await, FakeRouter::start().await);
    let front = Front::start(&[full.address, other.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    for _ in 0..4 {
        full.will(Does::Says(table::NO_ROOM));
    }
    for number in 1..5 {
        let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
        assert_eq!(reply, format!("250 2.0.0 Ok: queued as Q{number}"));
    }
    assert!(full.taken().is_empty());
}

#[tokio::test]
async fn a_dead_router_is_passed_by_and_tried_again() {
    let (dead, alive) = (FakeRouter::start().await, FakeRouter::start().await);
    let dead_address = dead.address;
    drop(dead);
    let front = Front::start(&[dead_address, alive.address], "[routers]\nretry_dead_after = \"1h\"\n").await;
    let mut client = Client::greeted(front.address()).await;
    for number in 1..5 {
        let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
        assert_eq!(reply, format!("250 2.0.0 Ok: queued as Q{number}"));
    }
    let page = front.page("/metrics").await;
    assert!(page.contains("switchyard_mx_dead_routers 1\n"), "{page}");
    assert!(page.contains("switchyard_mx_hand_over_attempts_total{outcome=\"unreachable\"} 1\n"), "{page}");
}

#[tokio::test]
async fn without_a_router_the_client_keeps_its_mail() {
    let dead = FakeRouter::start().await;
    let address = dead.address;
    drop(dead);
    let front = Front::start(&[address], "[routers]\nretry_dead_after = \"1h\"\n").await;
    let mut client = Client::greeted(front.address()).await;
    let no_router = "451 4.4.1 No router answers, try again";
    client.envelope(&["<alice@example.org>"]).await;
    assert_eq!(client.data(CONTENT).await, no_router, "found out with the message");
    assert!(client.say("MAIL FROM:<from@client.example>").await.starts_with("250"));
    assert_eq!(client.say("RCPT TO:<nobody@example.org>").await, "550 5.1.1 User unknown");
    assert_eq!(client.say("RCPT TO:<alice@example.org>").await, "250 2.1.5 Ok");
    assert_eq!(client.say("DATA").await, no_router, "known by now");
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_copy() {
    let (one, other) = (FakeRouter::start().await, FakeRouter::start().await);
    let front = Front::start(&[one.address, other.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    for router in [&one, &other] {
        router.will(Does::TakesAndCuts);
    }
    for _ in 0..2 {
        let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
        assert_eq!(reply, "250 2.0.0 Ok: queued as Q1");
    }
    assert_eq!((one.taken().len(), other.taken().len()), (1, 1));

    // Lost before it was taken: the same router gets it, once.
    for router in [&one, &other] {
        router.will(Does::Cuts);
    }
    for _ in 0..2 {
        let reply = client.mail(&["<alice@example.org>"], CONTENT).await;
        assert_eq!(reply, "250 2.0.0 Ok: queued as Q2");
    }
    assert_eq!((one.taken().len(), other.taken().len()), (2, 2));
}

#[tokio::test]
async fn a_router_that_dies_after_the_content_is_left_for_another() {
    let (one, other) = (FakeRouter::start().await, FakeRouter::start().await);
    let front = Front::start(&[one.address, other.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    one.will(Does::Waits);
    client.envelope(&["<alice@example.org>"]).await;
    assert!(client.say("DATA").await.starts_with("354"));
    client.send(format!("{CONTENT}.\r\n").as_bytes()).await;
    one.offered(1).await;
    one.die();
    assert_eq!(client.reply().await, "250 2.0.0 Ok: queued as Q1");
    assert_eq!((one.taken().len(), other.taken().len()), (0, 1));
}

#[tokio::test]
async fn one_refused_of_several_is_told_at_rcpt_the_next_time() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    router.refuse("<bob@example.org>", Reply::fixed(550, (5, 1, 1), "Bob has left"));
    let mut client = Client::greeted(front.address()).await;
    let all = ["<alice@example.org>", "<bob@example.org>", "<carol@example.org>"];
    let reply = client.mail(&all, CONTENT).await;
    assert_eq!(reply, "451 4.3.0 Some recipients were refused, try again for the others");
    assert!(router.taken().is_empty(), "nobody has it");

    assert!(client.say("MAIL FROM:<other@client.example>").await.starts_with("250"));
    assert_eq!(client.say("RCPT TO:<alice@example.org>").await, "250 2.1.5 Ok");
    assert_eq!(client.say("RCPT TO:<bob@Example.ORG>").await, "550 5.1.1 Bob has left");
    assert_eq!(client.say("RCPT TO:<carol@example.org>").await, "250 2.1.5 Ok");
    assert_eq!(client.data(CONTENT).await, "250 2.0.0 Ok: queued as Q1");
    assert_eq!(router.taken()[0].recipients(), ["<alice@example.org>", "<carol@example.org>"]);
}

#[tokio::test]
async fn all_refused_alike_is_a_no() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    router.refuse("<bob@example.org>", Reply::fixed(550, (5, 1, 1), "Bob has left"));
    let mut client = Client::greeted(front.address()).await;
    assert_eq!(client.mail(&["<bob@example.org>"], CONTENT).await, "550 5.1.1 Bob has left");
    assert!(client.say("MAIL FROM:<>").await.starts_with("250"));
    assert_eq!(client.say("RCPT TO:<bob@example.org>").await, "550 5.1.1 Bob has left");
    // Told to forget, the front asks the router again.
    front.reload(&[router.address], "[routers]\nrefused_recipient_memory = \"0s\"\n").await;
    router.refuse("<carol@example.org>", Reply::fixed(450, (4, 2, 1), "Carol is away"));
    let mut client = Client::greeted(front.address()).await;
    for _ in 0..2 {
        let reply = client.mail(&["<alice@example.org>", "<carol@example.org>"], CONTENT).await;
        assert_eq!(reply, "450 4.2.1 Carol is away", "a no that passes is not remembered");
    }
}
