//! Python's mail software at both ends, over SMTP and LMTP: every kind of content that a client may send.

use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Kept, Protocol, Smtplib};
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::trace;

use super::Chain;

const PROTOCOLS: [(Protocol, &str); 2] = [(Protocol::Smtp, "smtp"), (Protocol::Lmtp, "lmtp")];

fn through(server: &Aiosmtpd, transport: &str) -> Chain {
    let change = |_: &mut Daemon, router: &mut Daemon| {
        router.settings.set("route", "default_transport", &format!("\"{transport}\""));
    };
    Chain::with(server.address(), change)
}

fn all_taken(answers: &[(u16, String)]) {
    assert!(answers.iter().all(|(code, _)| *code == 250), "{answers:?}");
}

#[test]
fn contents_of_every_kind_arrive_as_they_were_sent() {
    let long = format!("Subject: long\r\n\r\n{}\r\n{}\r\n", "x".repeat(990), "y".repeat(2000));
    let large = [b"Subject: large\r\n\r\n".as_slice(), &b"0123456789abcdef\r\n".repeat(60_000)].concat();
    let contents: [&[u8]; 9] = [
        b"Subject: 8-bit\r\n\r\ncaf\xe9 \xff\xfe\r\n",
        long.as_bytes(),
        b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\na.\r\n",
        b".first: a dot in the first octet\r\n\r\n.\r\n",
        b"Subject: an empty body\r\n\r\n",
        b"Subject: a header and nothing else\r\n",
        b"\r\nno header at all\r\n",
        b"Subject: controls\r\n\r\n\x01\x08\x0b\x0c\x1b[31m\x7f\r\n",
        &large,
    ];
    for (protocol, transport) in PROTOCOLS {
        let server = Aiosmtpd::start(protocol, &Behaviour::default());
        let chain = through(&server, transport);
        let client = Smtplib { parameters: vec!["BODY=8BITMIME".into()], ..Smtplib::default() };
        all_taken(&client.send(chain.mx.address(), &contents));
        let kept = server.wait_for(contents.len());
        chain.await_empty();
        assert_eq!(server.count(), contents.len(), "each once over {transport}");
        let mut arrived: Vec<&[u8]> = kept.iter().map(|kept| trace::below(&kept.content, 2)).collect();
        let mut sent = contents.to_vec();
        arrived.sort_unstable();
        sent.sort_unstable();
        assert!(
            arrived == sent,
            "altered over {transport}: {:?}",
            kept.iter().map(headline).collect::<Vec<_>>()
        );
    }
}

fn headline(kept: &Kept) -> String {
    String::from_utf8_lossy(&kept.content[..kept.content.len().min(600)]).into_owned()
}

#[test]
fn eight_hundred_recipients_get_it_once_each() {
    for (protocol, transport) in PROTOCOLS {
        let to: Vec<String> = (0..800).map(|number| format!("user{number}@example.org")).collect();
        let server = Aiosmtpd::start(protocol, &Behaviour::default());
        let chain = through(&server, transport);
        let client = Smtplib { to: to.clone(), ..Smtplib::default() };
        all_taken(&client.send(chain.mx.address(), &[b"Subject: all\r\n\r\nhello\r\n"]));
        chain.await_empty();
        let mut got: Vec<String> = server.kept().into_iter().flat_map(|kept| kept.recipients).collect();
        let mut to = to;
        got.sort_unstable();
        to.sort_unstable();
        assert!(got == to, "{} recipients over {transport}", got.len());
    }
}

#[test]
fn addresses_and_headers_in_utf8_go_as_smtputf8() {
    let server = Aiosmtpd::start(Protocol::Smtp, &Behaviour::default());
    let chain = Chain::start(server.address());
    let client = Smtplib {
        from: "jörg@client.example".into(),
        to: vec!["用户@example.org".into()],
        parameters: vec!["SMTPUTF8".into(), "BODY=8BITMIME".into()],
        ..Smtplib::default()
    };
    let content = "Subject: Grüße\r\nFrom: jörg@client.example\r\n\r\nschön\r\n".as_bytes();
    all_taken(&client.send(chain.mx.address(), &[content]));
    let kept = server.wait_for(1).remove(0);
    assert_eq!(
        (&*kept.reverse_path, &*kept.recipients),
        ("jörg@client.example", &["用户@example.org".to_owned()][..])
    );
    assert!(kept.parameters.iter().any(|parameter| parameter == "SMTPUTF8"), "{:?}", kept.parameters);
    assert!(kept.parameters.iter().any(|parameter| parameter == "BODY=8BITMIME"), "{:?}", kept.parameters);
    assert_eq!(trace::below(&kept.content, 2), content);
    assert!(headline(&kept).contains("with UTF8SMTP"), "{}", headline(&kept));
}

#[test]
fn a_next_hop_that_defers_one_recipient_gets_that_one_again_and_no_other() {
    let server = Aiosmtpd::start(
        Protocol::Lmtp,
        &Behaviour { defer: vec!["bob@example.org".into()], ..Behaviour::default() },
    );
    let chain = through(&server, "lmtp");
    let client =
        Smtplib { to: vec!["alice@example.org".into(), "bob@example.org".into()], ..Smtplib::default() };
    all_taken(&client.send(chain.mx.address(), &[b"Subject: two\r\n\r\nhello\r\n"]));
    // Its second "not now" is a second attempt; alice's copy came with the first.
    switchyard_tests::expect::holds("two attempts for bob", || {
        let log = chain.router.log();
        log.lines().filter(|line| line.contains("bob@example.org") && line.contains("deferred")).count() >= 2
    });
    let kept = server.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].recipients, ["alice@example.org"]);
    assert_eq!(chain.router.metric("switchyard_spool_messages"), 1.0, "bob's is kept");
}
