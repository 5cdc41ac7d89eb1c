//! Attempts against scripted peers on loopback.

use std::collections::BTreeSet;
use std::time::SystemTime;

use bytes::Bytes;
use switchyard_daemon::metrics::Registry;
use switchyard_maps::{Resolved, Route};
use switchyard_smtp::address::{ForwardPath, Host, ReversePath};
use switchyard_smtp::envelope::{Content, Envelope, Recipient, Sender};
use switchyard_smtp::io::tls_client::TlsLevel;
use switchyard_smtp::testing::listen;
use switchyard_smtp::wire::command::Attributes;

use super::resolver::Twin;
use super::*;
use crate::queue::window::Feedback;

const HELLO: &str =
    "S: 220 peer ESMTP\nC: EHLO us.example\nS: 250 peer\nC: MAIL FROM:<a@from.example>\nS: 250 Ok\n";
const CONTENT: &str = "C: DATA\nS: 354 go\n.\n";
const BYE: &str = "C: QUIT\nS: 221 bye\nX\n";

struct Fixture {
    deliverer: Deliverer,
    envelope: Envelope,
    content: Content,
    from: Attributes,
}

fn fixture(level: TlsLevel, twin: Twin, recipients: &[&str]) -> Fixture {
    let mut options = DeliverOptions { hello_name: "us.example".to_owned(), ..DeliverOptions::default() };
    options.hosts.filter.allow.push("127.0.0.0/24".parse().unwrap());
    let tls = TlsPolicy::new(&TlsOptions { level, ..TlsOptions::default() }).unwrap();
    let metrics = DeliverMetrics::register(&Registry::new()).unwrap();
    let (clock, _) = Clock::twin(SystemTime::UNIX_EPOCH);
    let chance = fastrand::Rng::with_seed(1);
    let to = |text: &&str| Recipient::new(ForwardPath::parse(text).unwrap());
    Fixture {
        deliverer: Deliverer::new(options, twin.resolver(), tls, metrics, clock, chance),
        envelope: Envelope {
            sender: Sender::new(ReversePath::parse("<a@from.example>").unwrap()),
            recipients: recipients.iter().map(to).collect(),
        },
        content: Content::from_wire(Bytes::from_static(b"Subject: x\r\n\r\n..dot\r\n")),
        from: Attributes { address: Some("192.0.2.7".parse().unwrap()), ..Attributes::default() },
    }
}

fn to(route: &str) -> Destination {
    let host = Host::parse("to.example").unwrap();
    match Route::parse(route, &BTreeSet::new()).unwrap().resolve(&Route::Keep, &host) {
        Resolved::Deliver(destination) => destination,
        other => panic!("{other:?}"),
    }
}

impl Fixture {
    async fn attempt(&self, route: &str, kept: Option<Kept>) -> Attempted {
        let destination = to(route);
        let recipients: Vec<u32> = (0..self.envelope.recipients.len() as u32).collect();
        let attempt = Attempt {
            destination: &destination,
            sender: &self.envelope.sender,
            envelope: &self.envelope,
            recipients: &recipients,
            content: &self.content,
            forwarded: Some(&self.from),
        };
        let mut attempted = self.deliverer.attempt(&attempt, kept).await;
        attempted.fates.sort_by_key(|(index, _)| *index);
        attempted
    }
}

fn verdicts(attempted: &Attempted) -> Vec<String> {
    let said = |fate: &Fate| format!("{} {}", fate.verdict.as_str(), fate.status);
    attempted.fates.iter().map(|(_, fate)| said(fate)).collect()
}

fn close(attempted: Attempted) {
    attempted.kept.expect("the connection is good for more").close();
}

#[tokio::test]
async fn each_recipient_has_its_own_fate() {
    let script = format!(
        "{HELLO}C: RCPT TO:<x@to.example>\nS: 250 Ok\nC: RCPT TO:<y@to.example>\nS: 450 4.2.1 later\n\
         C: RCPT TO:<z@to.example>\nS: 550 no such user\n{CONTENT}S: 250 2.0.0 mine\n{BYE}"
    );
    let (address, playing) = listen(vec![script]).await.unwrap();
    let fixture =
        fixture(TlsLevel::May, Twin::default(), &["<x@to.example>", "<y@to.example>", "<z@to.example>"]);
    let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
    assert_eq!(verdicts(&attempted), ["sent 2.0.0", "deferred 4.2.1", "bounced 5.0.0"]);
    assert_eq!(attempted.feedback, Feedback::Reached);
    let fate = &attempted.fates[2].1;
    assert_eq!((&*fate.host, fate.text.as_str()), ("[127.0.0.1]", "550 no such user"));
    assert_eq!(&*fate.relay, format!("[127.0.0.1]:{}", address.port()));
    close(attempted);
    assert_eq!(playing.await.unwrap()[0].contents, [fixture.content.wire]);
}

#[tokio::test]
async fn the_next_address_is_tried_while_nobody_has_taken_anything() {
    let (first, refusing) = listen(vec!["S: 421 4.3.2 busy\nX".to_owned()]).await.unwrap();
    let script = format!("{HELLO}C: RCPT TO:<x@to.example>\nS: 451 4.3.0 not now\n{BYE}");
    let (second, deferring) = listen(vec![script]).await.unwrap();
    let script = format!("{HELLO}C: RCPT TO:<x@to.example>\nS: 250 Ok\n{CONTENT}S: 250 2.0.0 mine\n{BYE}");
    let (third, taking) = listen(vec![script]).await.unwrap();
    let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
    let hop = |port: u16| format!("[127.0.0.1]:{port}");
    let route = format!("smtp:{}, {}, {}", hop(first.port()), hop(second.port()), hop(third.port()));
    let attempted = fixture.attempt(&route, None).await;
    assert_eq!(verdicts(&attempted), ["sent 2.0.0"]);
    close(attempted);
    refusing.await.unwrap();
    deferring.await.unwrap();
    assert_eq!(taking.await.unwrap()[0].contents.len(), 1);
}

#[tokio::test]
async fn p3_what_may_have_been_taken_is_kept_and_tried_nowhere_else_now() {
    let script = format!("{HELLO}C: RCPT TO:<x@to.example>\nS: 250 Ok\n{CONTENT}X\n");
    let (first, playing) = listen(vec![script]).await.unwrap();
    let (second, other) = listen(vec!["S: 220 peer\n".to_owned()]).await.unwrap();
    let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
    let route = format!("smtp:[127.0.0.1]:{}, [127.0.0.1]:{}", first.port(), second.port());
    let attempted = fixture.attempt(&route, None).await;
    assert_eq!(verdicts(&attempted), ["deferred 4.4.2"]);
    assert!(attempted.kept.is_none());
    playing.await.unwrap();
    assert!(!other.is_finished(), "nobody went to the second address");
    other.abort();
}

#[tokio::test]
async fn p2_a_250_before_the_final_dot_is_no_success() {
    let script =
        format!("{HELLO}C: RCPT TO:<x@to.example>\nS: 250 Ok\nC: DATA\nS: 354 go\nS: 250 2.0.0 mine\n.\nX\n");
    let (address, playing) = listen(vec![script]).await.unwrap();
    let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
    let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
    assert_eq!(attempted.fates[0].1.verdict, Verdict::Deferred);
    assert!(attempted.kept.is_none());
    playing.abort();
}

#[tokio::test]
async fn opportunistic_tls_goes_on_without_where_it_fails() {
    let offers = "S: 220 peer\nC: EHLO us.example\nS: 250-peer\nS: 250 STARTTLS\nC: STARTTLS\n";
    let plain = format!(
        "S: 220 peer\nC: EHLO us.example\nS: 250-peer\nS: 250 STARTTLS\nC: MAIL FROM:<a@from.example>\nS: 250 Ok\n\
         C: RCPT TO:<x@to.example>\nS: 250 Ok\n{CONTENT}S: 250 2.0.0 mine\n{BYE}"
    );
    for refusal in ["S: 454 4.7.0 not now\nX\n", "S: 220 go\nS: this is no handshake\nX\n"] {
        let (address, playing) = listen(vec![format!("{offers}{refusal}"), plain.clone()]).await.unwrap();
        let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
        let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
        assert_eq!(verdicts(&attempted), ["sent 2.0.0"], "{refusal}");
        close(attempted);
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn v2_required_tls_never_goes_in_the_clear() {
    for script in [
        "S: 220 peer\nC: EHLO us.example\nS: 250 peer\n",
        "S: 220 peer\nC: EHLO us.example\nS: 250-peer\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now\n",
    ] {
        let (address, playing) = listen(vec![script.to_owned()]).await.unwrap();
        let fixture = fixture(TlsLevel::Encrypt, Twin::default(), &["<x@to.example>"]);
        let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
        assert_eq!(attempted.fates[0].1.verdict, Verdict::Deferred);
        assert_eq!((attempted.fates[0].1.status.subject, attempted.feedback), (7, Feedback::Unreached));
        let played = playing.await.unwrap();
        assert!(!played[0].lines.iter().any(|line| line.starts_with("MAIL")), "{played:?}");
        assert!(played[0].rest.is_empty(), "{played:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_takes_the_next_message_and_a_dead_one_is_replaced() {
    let again = "C: MAIL FROM:<a@from.example>\nS: 250 Ok\nC: RCPT TO:<x@to.example>\nS: 250 Ok\n";
    let taken = format!("{CONTENT}S: 250 2.0.0 mine\n");
    let first = format!("{HELLO}C: RCPT TO:<x@to.example>\nS: 250 Ok\n{taken}{again}{taken}S: 421 bye\nX\n");
    let second = format!("{HELLO}C: RCPT TO:<x@to.example>\nS: 250 Ok\n{taken}{BYE}");
    let (address, playing) = listen(vec![first, second]).await.unwrap();
    let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
    let route = format!("smtp:[127.0.0.1]:{}", address.port());
    let mut kept = None;
    for _ in 0..3 {
        let attempted = fixture.attempt(&route, kept).await;
        assert_eq!(verdicts(&attempted), ["sent 2.0.0"]);
        kept = attempted.kept;
    }
    kept.unwrap().close();
    assert_eq!(playing.await.unwrap().iter().map(|played| played.contents.len()).sum::<usize>(), 3);
}

#[tokio::test]
async fn nobody_there_says_so_of_the_destination() {
    let (address, playing) = listen(Vec::new()).await.unwrap();
    playing.await.unwrap();
    let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
    let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
    assert_eq!(
        (verdicts(&attempted), attempted.feedback),
        (vec!["deferred 4.4.1".to_owned()], Feedback::Unreached)
    );
    // RFC 7504: a host that takes no mail at all.
    let (address, playing) = listen(vec!["S: 521 we take no mail\nX".to_owned()]).await.unwrap();
    let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
    assert_eq!(
        (verdicts(&attempted), attempted.feedback),
        (vec!["bounced 5.0.0".to_owned()], Feedback::Untried)
    );
    playing.await.unwrap();
}

#[tokio::test]
async fn d1_what_the_dns_forbids_bounces_without_a_connection() {
    let mut twin = Twin::default();
    twin.mx.insert("to.example", vec![(0, ".")]);
    let fixture = fixture(TlsLevel::May, twin, &["<x@to.example>"]);
    let attempted = fixture.attempt("smtp:", None).await;
    assert_eq!(
        (verdicts(&attempted), attempted.feedback),
        (vec!["bounced 5.1.10".to_owned()], Feedback::Untried)
    );
}

#[tokio::test]
async fn a9_mail_that_the_peer_cannot_carry_is_not_mangled() {
    let (address, playing) =
        listen(vec!["S: 220 peer\nC: EHLO us.example\nS: 250 peer\nC: QUIT\nS: 221 bye\nX\n".to_owned()])
            .await
            .unwrap();
    let mut fixture = fixture(TlsLevel::May, Twin::default(), &["<jos\u{e9}@to.example>"]);
    fixture.envelope.sender.smtputf8 = true;
    let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
    assert_eq!(verdicts(&attempted), ["bounced 5.6.7"]);
    close(attempted);
    playing.await.unwrap();
}

#[tokio::test]
async fn p4_lmtp_answers_for_each_recipient() {
    let script = format!(
        "S: 220 peer\nC: LHLO us.example\nS: 250 peer\nC: MAIL FROM:<a@from.example>\nS: 250 Ok\n\
         C: RCPT TO:<x@to.example>\nS: 250 Ok\nC: RCPT TO:<y@to.example>\nS: 250 Ok\n{CONTENT}\
         S: 250 2.0.0 delivered\nS: 452 4.2.2 over quota\n{BYE}"
    );
    let (address, playing) = listen(vec![script]).await.unwrap();
    let fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>", "<y@to.example>"]);
    let attempted = fixture.attempt(&format!("lmtp:[127.0.0.1]:{}", address.port()), None).await;
    assert_eq!(verdicts(&attempted), ["sent 2.0.0", "deferred 4.2.2"]);
    close(attempted);
    playing.await.unwrap();
}

#[tokio::test]
async fn only_hosts_of_ours_are_told_whose_mail_it_is() {
    let hello =
        "S: 220 peer\nC: EHLO us.example\nS: 250-peer\nS: 250 XFORWARD NAME ADDR PORT HELO PROTO IDENT\n";
    let mail = "C: MAIL FROM:<a@from.example>\nS: 250 Ok\nC: RCPT TO:<x@to.example>\nS: 250 Ok\n";
    for (own, is_told) in [("127.0.0.0/8", true), ("192.0.2.0/24", false)] {
        let told = if is_told { "C: XFORWARD *\nS: 250 Ok\n" } else { "" };
        let script = format!("{hello}{told}{mail}{CONTENT}S: 250 2.0.0 mine\n{BYE}");
        let (address, playing) = listen(vec![script]).await.unwrap();
        let mut fixture = fixture(TlsLevel::May, Twin::default(), &["<x@to.example>"]);
        fixture.deliverer.own_hosts = vec![own.parse().unwrap()];
        let attempted = fixture.attempt(&format!("smtp:[127.0.0.1]:{}", address.port()), None).await;
        assert_eq!(verdicts(&attempted), ["sent 2.0.0"], "{own}");
        close(attempted);
        let lines = playing.await.unwrap().remove(0).lines;
        let told = lines.iter().find(|line| line.starts_with("XFORWARD "));
        assert_eq!(told.is_some_and(|line| line.contains(" ADDR=192.0.2.7")), is_told, "{lines:?}");
    }
}
