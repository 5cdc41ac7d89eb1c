//! Who the client is, and to whom it may send.

use crate::client::Client;
use crate::router::FakeRouter;
use crate::site::{Front, write};

#[tokio::test]
async fn b2_a1_recipients_are_judged_at_rcpt() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    assert!(client.say("MAIL FROM:<from@client.example>").await.starts_with("250"));
    for (path, answer) in [
        ("<alice@example.org>", "250 2.1.5"),
        ("<ALICE@Example.Org.>", "250 2.1.5"),
        ("<postmaster>", "250 2.1.5"),
        ("<@relay.example,@other.example:alice@example.org>", "250 2.1.5"),
        ("<pet%cat@example.org>", "250 2.1.5"),
        ("<nobody@example.org>", "550 5.1.1"),
        ("<alice@example.com>", "554 5.7.1"),
        ("<alice%example.com@example.org>", "554 5.7.1"),
        ("<example.com!alice@example.org>", "554 5.7.1"),
        ("<\"alice@example.com\"@example.org>", "554 5.7.1"),
        ("<alice@[127.0.0.1]>", "554 5.7.1"),
        ("<alice@[IPv6:::ffff:127.0.0.1]>", "554 5.7.1"),
        ("<@example.org:alice@example.com>", "554 5.7.1"),
        ("<alice@example.com@example.org>", "501 5.1.3"),
        ("<alice@2130706433>", "501 5.1.3"),
        ("<>", "501 5.1.3"),
    ] {
        let reply = client.say(&format!("RCPT TO:{path}")).await;
        assert!(reply.starts_with(answer), "{path}: {reply}");
    }
}

#[tokio::test]
async fn a3_the_lengths_of_the_rfc_are_exact() {
    let router = FakeRouter::start().await;
    let folder = tempfile::tempdir().unwrap();
    let long_domain = |length: usize| {
        let mut domain = "a.".repeat(length / 2 - 1);
        domain.push_str(&"b".repeat(length - domain.len()));
        domain
    };
    // RFC 5321 §4.5.3.1.3: 256 octets with the brackets and the at-sign.
    let domain = long_domain(250);
    write(&folder, "relay_domains", &format!("example.org x\n{domain} x\n"));
    write(&folder, "recipients", &format!("@example.org x\n@{domain} x\n"));
    let front = Front::in_folder(folder, &[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    assert!(client.say("MAIL FROM:<from@client.example>").await.starts_with("250"));
    for (path, answer) in [
        (format!("<{}@example.org>", "a".repeat(64)), "250 2.1.5"),
        (format!("<{}@example.org>", "a".repeat(65)), "501 5.1.3"),
        (format!("<abc@{domain}>"), "250 2.1.5"),
        (format!("<abcd@{domain}>"), "501 5.1.3"),
        ("<@example.org>".into(), "501 5.1.3"),
        ("<\"\"@example.org>".into(), "501 5.1.3"),
    ] {
        let reply = client.say(&format!("RCPT TO:{path}")).await;
        assert!(reply.starts_with(answer), "{path}: {reply}");
    }
}

#[tokio::test]
async fn a_map_that_cannot_say_is_451() {
    let router = FakeRouter::start().await;
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "relay_domains", "example.org x\n");
    let front = Front::in_folder(folder, &[router.address], "").await;
    let mut client = Client::greeted(front.address()).await;
    assert!(client.say("MAIL FROM:<from@client.example>").await.starts_with("250"));
    let reply = client.say("RCPT TO:<alice@example.org>").await;
    assert_eq!(reply, "451 4.3.0 Temporary local problem, try again");
    assert_eq!(client.say("RCPT TO:<alice@example.com>").await, "554 5.7.1 Relay access denied");

    write(&front.folder, "recipients", "alice@example.org x\n");
    front.reload(&[router.address], "").await;
    let reply = client.say("RCPT TO:<alice@example.org>").await;
    assert!(reply.starts_with("451"), "one transaction, one set of maps: {reply}");
    assert_eq!(client.say("RSET").await, "250 2.0.0 Ok");
    assert_eq!(client.mail(&["<alice@example.org>"], "x\r\n").await, "250 2.0.0 Ok: queued as Q1");
}

const BEHIND_A_BALANCER: &str = "[[listen.smtp]]\nsocket = \"127.0.0.1:0\"\nproxy_protocol = true\n[trust]\nproxy_networks = [\"127.0.0.0/8\"]\n";

#[tokio::test]
async fn a_balancer_says_who_the_client_is() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], BEHIND_A_BALANCER).await;
    let v2 = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(),
        &[198, 51, 100, 9, 127, 0, 0, 1, 0x12, 0x34, 0, 25],
    ]
    .concat();
    for (header, address) in
        [(b"PROXY TCP6 2001:db8::7 ::1 4660 25\r\n".to_vec(), "2001:db8::7"), (v2, "198.51.100.9")]
    {
        let mut client = Client::silent(front.address()).await;
        client.send(&header).await;
        assert!(client.reply().await.starts_with("220 "));
        assert!(client.say("EHLO client.example").await.starts_with("250-"));
        assert!(client.mail(&["<alice@example.org>"], "x\r\n").await.starts_with("250 "));
        let taken = router.taken().pop().unwrap();
        let forwarded = taken.forwarded.as_ref().unwrap();
        assert_eq!((forwarded.address, forwarded.port), (Some(address.parse().unwrap()), Some(4660)));
        assert!(taken.text().contains(address), "{}", taken.text());
    }
}

#[tokio::test]
async fn t12_no_header_no_banner() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], BEHIND_A_BALANCER).await;
    for header in [
        b"EHLO client.example\r\nMAIL FROM:<>\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 127.0.0.1 99999 25\r\n".to_vec(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat(),
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec(),
    ] {
        let mut client = Client::silent(front.address()).await;
        client.send(&header).await;
        assert_eq!(client.rest().await, "", "{header:?}");
    }
    let elsewhere = BEHIND_A_BALANCER.replace("127.0.0.0/8", "192.0.2.0/24");
    let front = Front::start(&[router.address], &elsewhere).await;
    let mut client = Client::silent(front.address()).await;
    assert_eq!(client.rest().await, "", "a stranger's header is not even read");
}

#[tokio::test]
async fn a_proxy_says_by_xclient_who_the_client_is() {
    let router = FakeRouter::start().await;
    let front = Front::start(&[router.address], "[trust]\nxclient_networks = [\"127.0.0.0/8\"]\n").await;
    let mut client = Client::greeted(front.address()).await;
    let reply = client.say("XCLIENT ADDR=IPV6:2001:db8::8 PORT=99 HELO=real.example").await;
    assert!(reply.starts_with("220 "), "{reply}");
    assert!(client.say("EHLO real.example").await.contains("XCLIENT"), "it may stand for another next");
    assert!(client.mail(&["<alice@example.org>"], "x\r\n").await.starts_with("250 "));
    let forwarded = router.taken()[0].forwarded.clone().unwrap();
    assert_eq!(forwarded.address, Some("2001:db8::8".parse().unwrap()));
    assert_eq!(forwarded.helo.as_deref(), Some("real.example"));

    let front = Front::start(&[router.address], "").await;
    let mut client = Client::connect(front.address()).await;
    assert!(!client.say("EHLO client.example").await.contains("XCLIENT"));
    assert!(client.say("XCLIENT ADDR=192.0.2.1").await.starts_with("503 "));
}
