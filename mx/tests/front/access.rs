//! Access tables and relocated users, as a client hears of them.

use crate::client::Client;
use crate::router::FakeRouter;
use crate::site::{Front, write};

const TABLES: &str = "[maps]\nclient_access = \"client_access\"\nhelo_access = \"helo_access\"\n\
    sender_access = \"sender_access\"\nrecipient_access = \"recipient_access\"\nrelocated = \"relocated\"\n\
    [trust]\nxclient_networks = [\"127.0.0.0/8\"]\n";

async fn front(router: &FakeRouter) -> Front {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("relay_domains", "example.org x\n"),
        ("recipients", "alice@example.org x\nbob@example.org x\ncarol@example.org x\n"),
        (
            "client_access",
            "192.0.2.1 REJECT listed\n192.0.2 OK\n198.51.100.2 DEFER_IF_REJECT doubtful\n\
             203.0.113.3 DEFER_IF_PERMIT 4.7.2 slow\n203.0.113.4 421 4.3.2 not now\n",
        ),
        ("helo_access", "spam.example REJECT\n"),
        ("sender_access", "bad.example 550 5.1.8 go away\ngood@bad.example OK\n<> DEFER\n"),
        ("recipient_access", "bob@example.org REJECT retired\nalice@example.com OK\n"),
        ("relocated", "dave@example.org dave@new.example\n"),
    ] {
        write(&folder, file, text);
    }
    Front::in_folder(folder, &[router.address], TABLES).await
}

/// A client that stands for another address.
async fn from(front: &Front, address: &str) -> (Client, String) {
    let mut client = Client::greeted(front.address()).await;
    let reply = client.say(&format!("XCLIENT ADDR={address}")).await;
    (client, reply)
}

#[tokio::test]
async fn a_client_is_judged_by_its_address() {
    let router = FakeRouter::start().await;
    let front = front(&router).await;
    for (address, reply) in [
        ("192.0.2.1", "554 5.7.1 Client host rejected: listed"),
        ("203.0.113.4", "421 4.3.2 Client host rejected: not now"),
        ("192.0.2.9", "220 mx.example.org ESMTP Switchyard"),
    ] {
        assert_eq!(from(&front, address).await.1, reply, "{address}");
    }
    let (mut refused, _) = from(&front, "192.0.2.1").await;
    assert_eq!(refused.rest().await, "", "the connection has ended");
    let metrics = front.page("/metrics").await;
    let line = "switchyard_policy_verdicts_total{reason=\"access\",stage=\"connect\",verdict=\"reject\"} 2";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
}

#[tokio::test]
async fn helo_sender_and_recipient_are_judged_where_they_are_said() {
    let router = FakeRouter::start().await;
    let front = front(&router).await;
    let mut client = Client::connect(front.address()).await;
    for (line, reply) in [
        ("EHLO Spam.Example", "554 5.7.1 Helo command rejected: Access denied"),
        ("MAIL FROM:<a@good.example>", "503 5.5.1 Bad sequence of commands"),
        ("HELO client.example", "250 mx.example.org"),
        ("MAIL FROM:<x@bad.example>", "550 5.1.8 Sender address rejected: go away"),
        ("MAIL FROM:<>", "450 4.7.1 Sender address rejected: Access denied"),
        ("MAIL FROM:<good@bad.example>", "250 2.1.0 Ok"),
        ("RCPT TO:<Bob@example.org>", "554 5.7.1 Recipient address rejected: retired"),
        // No table makes a relay of an mx.
        ("RCPT TO:<alice@example.com>", "554 5.7.1 Relay access denied"),
        ("RCPT TO:<dave@example.org>", "550 5.1.6 User has moved to dave@new.example"),
        ("RCPT TO:<alice@example.org>", "250 2.1.5 Ok"),
    ] {
        assert_eq!(client.say(line).await, reply, "{line}");
    }
    assert!(client.data("x\r\n").await.starts_with("250 "));
}

#[tokio::test]
async fn what_is_deferred_on_a_condition_is_deferred_when_it_comes_true() {
    let router = FakeRouter::start().await;
    let front = front(&router).await;
    for (address, path, reply) in [
        ("198.51.100.2", "<nobody@example.org>", "450 4.7.1 Client host rejected: doubtful"),
        ("198.51.100.2", "<bob@example.org>", "450 4.7.1 Client host rejected: doubtful"),
        ("198.51.100.2", "<alice@example.org>", "250 2.1.5 Ok"),
        ("203.0.113.3", "<nobody@example.org>", "550 5.1.1 User unknown"),
        ("203.0.113.3", "<alice@example.org>", "450 4.7.2 Client host rejected: slow"),
    ] {
        let (mut client, _) = from(&front, address).await;
        assert!(client.say("EHLO client.example").await.starts_with("250-"));
        assert_eq!(client.say("MAIL FROM:<a@good.example>").await, "250 2.1.0 Ok");
        assert_eq!(client.say(&format!("RCPT TO:{path}")).await, reply, "{address} {path}");
    }
}

#[tokio::test]
async fn a_table_that_cannot_say_puts_off_and_refuses_nobody() {
    let router = FakeRouter::start().await;
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "relay_domains", "example.org x\n");
    write(&folder, "recipients", "alice@example.org x\n");
    let tables = "[maps]\nsender_access = \"missing\"\n";
    let front = Front::in_folder(folder, &[router.address], tables).await;
    let mut client = Client::greeted(front.address()).await;
    let reply = client.say("MAIL FROM:<a@good.example>").await;
    assert_eq!(reply, "451 4.3.0 Temporary local problem, try again");
    write(&front.folder, "missing", "# nothing is said of anybody\n");
    front.reload(&[router.address], tables).await;
    assert_eq!(client.say("MAIL FROM:<a@good.example>").await, "250 2.1.0 Ok");
}
