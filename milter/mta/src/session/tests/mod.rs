//! What filters are told of our sessions, and what their words come to.

mod house;
mod leaving;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::event::{Field, Path};
use switchyard_milter_protocol::io::client::ClientMetrics;
use switchyard_milter_protocol::reply::ReplyText;
use switchyard_milter_protocol::response::Action;
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Body, Content, Envelope};
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::reply::table;
use switchyard_smtp::wire::command::{Attributes, Greeting};

use self::house::House;
use super::*;
use crate::options::{MilterOptions, Times, WhenDown};
use crate::{Asked, Filters};

fn filters(place: &str, when_down: WhenDown) -> Arc<Filters> {
    filters_within(place, when_down, 1 << 20)
}

fn filters_within(place: &str, when_down: WhenDown, memory: u64) -> Arc<Filters> {
    let metrics = ClientMetrics::register(&prometheus::Registry::new()).unwrap();
    let asked = asked(place, when_down, 10);
    Arc::new(Filters::new(&asked, &metrics, &MemoryBudget::new(memory)).unwrap())
}

fn asked(place: &str, when_down: WhenDown, connections: usize) -> Asked {
    let filter = MilterOptions {
        name: "scan".into(),
        places: vec![place.parse().unwrap()],
        authorities: None,
        identity: None,
        times: Times::default(),
        when_down,
        kept: 4,
        connections,
        waiting: 0,
        edited_octets: 1 << 20,
        shadow: false,
    };
    Asked { host: "us.example".into(), filters: vec![filter], order: vec!["scan".into()] }
}

fn asking(house: &House) -> FilterSession {
    filters(&house.place(), WhenDown::Tempfail).session(None)
}

fn client() -> Client {
    let address: SocketAddr = "[::ffff:192.0.2.7]:4711".parse().unwrap();
    let hello = Some((Greeting::Ehlo, "client.example".into()));
    Client { address, hello, tls: None, verified: false, forwarded: None }
}

fn behind(address: &str, helo: &str) -> Client {
    let attributes = Attributes {
        address: Some(address.parse().unwrap()),
        helo: Some(helo.into()),
        ..Attributes::default()
    };
    Client { forwarded: Some(Box::new(attributes)), ..client() }
}

fn sender() -> Sender {
    Sender { size: Some(120), ..Sender::new(ReversePath::parse("<ann@example.org>").unwrap()) }
}

fn recipient(path: &str) -> Recipient {
    Recipient::new(ForwardPath::parse(path).unwrap())
}

fn mail() -> MailObject {
    let content = Content {
        added: Bytes::from_static(b"Received: by us\r\n"),
        wire: Bytes::from_static(b"Subject: hi\r\n\r\nhello\r\n"),
    };
    let envelope = Envelope { sender: sender(), recipients: vec![recipient("<bob@example.net>")] };
    MailObject { envelope, content }
}

/// From MAIL to the end.
async fn send(session: &mut FilterSession, client: &Client) -> Result<Judged, Reply> {
    session.sender(client, &sender(), "4XyZ").await?;
    session.recipient(&recipient("<bob@example.net>")).await?;
    session.data().await?;
    session.content(mail()).await
}

fn text<T: std::fmt::Debug>(refused: Result<T, Reply>) -> String {
    refused.expect_err("a refusal").to_string()
}

#[tokio::test]
async fn a_session_is_told_stage_by_stage_and_the_edits_are_made() {
    let field = Field { name: "X-Seen".into(), value: "ä".into() };
    let edits = vec![
        Edit::InsHeader { index: 1, field },
        Edit::AddRcpt(Path::new("<carol@example.net>")),
        Edit::Quarantine("odd".into()),
    ];
    let house = House::start(&[], edits);
    let mut session = asking(&house);
    session.connect(&Client { hello: None, ..client() }).await.unwrap();
    session.hello(&client()).await.unwrap();
    let tls = Client { tls: Some("TLSv1.3 with cipher X".into()), ..client() };
    session.hello(&tls).await.unwrap();
    session.sender(&tls, &sender(), "4XyZ").await.unwrap();
    session.recipient(&recipient("<bob@example.net>")).await.unwrap();
    session.refused(&recipient("<none@example.net>"), &table::NO_SUCH_USER).await;
    session.data().await.unwrap();
    session.data().await.unwrap();
    let Judged { mail, hold, discard, share } = session.content(mail()).await.unwrap();
    assert_eq!((hold.as_deref(), discard), (Some("odd"), None));
    assert_eq!(share.map(|share| share.held()), Some(mail.content.len() as u64));
    assert_eq!(mail.content.added, "Received: by us\r\n");
    assert_eq!(mail.content.wire, "X-Seen: ä\r\nSubject: hi\r\n\r\nhello\r\n");
    assert_eq!((mail.envelope.recipients.len(), mail.envelope.sender.body), (2, Body::EightBitMime));
    session.close();
    assert_eq!(
        house.told(),
        [
            "connect [192.0.2.7] Inet(192.0.2.7:4711) us.example",
            "helo client.example -",
            "helo client.example TLSv1.3",
            "mail <ann@example.org> SIZE=120 4XyZ ann@example.org",
            "rcpt <bob@example.net> smtp bob@example.net",
            "rcpt <none@example.net> error User unknown",
            "data",
            "end",
        ]
    );
}

#[tokio::test]
async fn a_client_for_whom_a_map_chooses_is_judged_by_those_it_names() {
    let house = House::start(&[("connect", Action::Reject)], Vec::new());
    let filters = filters(&house.place(), WhenDown::Tempfail);
    for (chosen, asked) in [(None, true), (Some(&[][..]), false), (Some(&["scan".into()][..]), true)] {
        let mut session = filters.session(chosen);
        assert_eq!(session.connect(&client()).await.is_err(), asked, "{chosen:?}");
        assert_eq!(send(&mut session, &client()).await.is_err(), asked, "{chosen:?}");
    }
    // One that the settings do not name, or no more: nobody's mail is taken unjudged for it.
    let mut session = filters.session(Some(&["gone".into()]));
    assert_eq!(text(session.connect(&client()).await), "421 4.7.1 Message cannot be taken now, try again");
    assert_eq!(text(session.hello(&client()).await), table::FILTER_DEFERS.to_string());
    assert_eq!(text(send(&mut session, &client()).await), table::FILTER_DEFERS.to_string());
    assert_eq!(filters.usual().collect::<Vec<_>>(), ["scan"]);
}

#[tokio::test]
async fn m5_a_refusal_is_not_got_round_by_asking_again() {
    let no = Action::Reply(ReplyText::new(554, Some((5, 7, 1)), "no").unwrap());
    // A leak of a few words, for what is static here.
    let answers = Box::leak(Box::new([("helo client", no.clone()), ("data", no)]));
    let house = House::start(answers, Vec::new());
    let mut session = asking(&house);
    session.connect(&Client { hello: None, ..client() }).await.unwrap();
    assert_eq!(text(session.hello(&client()).await), "554 5.7.1 no");
    assert_eq!(text(session.hello(&client()).await), "554 5.7.1 no");
    assert_eq!(text(send(&mut session, &client()).await), "554 5.7.1 no");

    let mut session = asking(&house);
    let good = Client { hello: Some((Greeting::Ehlo, "good.example".into())), ..client() };
    session.connect(&good).await.unwrap();
    session.sender(&good, &sender(), "one").await.unwrap();
    session.recipient(&recipient("<bob@example.net>")).await.unwrap();
    assert_eq!(text(session.data().await), "554 5.7.1 no");
    session.recipient(&recipient("<carol@example.net>")).await.unwrap();
    assert_eq!(text(session.data().await), "554 5.7.1 no");
    assert_eq!(text(session.content(mail()).await), "554 5.7.1 no");
}

#[tokio::test]
async fn a_message_that_is_accepted_or_dropped_early_says_nothing_about_the_next() {
    for (action, discard) in [(Action::Accept, None), (Action::Discard, Some("a filter wants it"))] {
        let answers = Box::leak(Box::new([("rcpt", action)]));
        let house = House::start(answers, Vec::new());
        let mut session = asking(&house);
        session.connect(&client()).await.unwrap();
        for _ in 0..2 {
            let judged = send(&mut session, &client()).await.unwrap();
            assert_eq!(judged.discard, discard);
            assert_eq!(judged.mail.content, mail().content);
            let told = house.told();
            assert!(told.iter().any(|told| told.starts_with("mail ")), "{told:?}");
            assert!(!told.iter().any(|told| told == "data" || told == "end"), "{told:?}");
        }
    }
}

#[tokio::test]
async fn the_client_behind_our_own_host_is_the_one_that_is_judged() {
    let house = House::start(&[("198.51.100.9", Action::Reject)], Vec::new());
    let mut session = asking(&house);
    let first = behind("198.51.100.7", "a.example");
    send(&mut session, &first).await.unwrap();
    send(&mut session, &first).await.unwrap();
    let told = house.told();
    assert_eq!(told[0], "connect [198.51.100.7] Inet(198.51.100.7:0) us.example");
    assert_eq!(told.iter().filter(|told| told.starts_with("helo a.example")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| told.starts_with("mail ")).count(), 2, "{told:?}");
    assert_eq!(
        text(send(&mut session, &behind("198.51.100.9", "b.example")).await),
        text(Err::<(), _>(table::FILTER_REFUSES))
    );
    send(&mut session, &behind("198.51.100.8", "c.example")).await.unwrap();
    let told = house.told();
    // The connection to the filter was kept, and is another client's now.
    assert!(told.contains(&"next".to_owned()), "{told:?}");
}

#[tokio::test]
async fn without_a_filter_the_setting_has_the_word() {
    for (when_down, reply, hold) in [
        (WhenDown::Tempfail, Some("421 4.7.1 Message cannot be taken now, try again"), None),
        (WhenDown::Reject, Some("554 5.7.1 Refused by a mail filter"), None),
        (WhenDown::Accept, None, None),
        (WhenDown::Quarantine, None, Some("filter scan is down")),
    ] {
        let mut session = filters("unix:/nowhere/at/all", when_down).session(None);
        let judged = match session.connect(&client()).await {
            Ok(()) => send(&mut session, &client()).await,
            Err(reply) => Err(reply),
        };
        assert_eq!(judged.as_ref().err().map(ToString::to_string).as_deref(), reply, "{when_down:?}");
        assert_eq!(judged.ok().and_then(|judged| judged.hold).as_deref(), hold, "{when_down:?}");
    }
}

#[tokio::test]
async fn what_a_filter_makes_of_a_message_has_room_or_comes_again() {
    let field = Field { name: "X-Seen".into(), value: "yes".into() };
    let house = House::start(&[], vec![Edit::AddHeader(field)]);
    let session = |memory| filters_within(&house.place(), WhenDown::Tempfail, memory).session(None);
    assert_eq!(text(send(&mut session(51), &client()).await), table::NO_ROOM.to_string());
    assert!(send(&mut session(52), &client()).await.is_ok());
    // What nobody changes takes none.
    let house = House::start(&[], Vec::new());
    let mut session = filters_within(&house.place(), WhenDown::Tempfail, 0).session(None);
    assert!(send(&mut session, &client()).await.is_ok());
    // With a dot that the wire doubles it is copied for them, as long as they look at it.
    let dotted = || {
        let content = Content { wire: Bytes::from_static(b"Subject: hi\r\n\r\n..\r\n"), ..mail().content };
        MailObject { content, ..mail() }
    };
    for (memory, room) in [(18, false), (19, true)] {
        let mut session = filters_within(&house.place(), WhenDown::Tempfail, memory).session(None);
        session.sender(&client(), &sender(), "4XyZ").await.unwrap();
        session.recipient(&recipient("<bob@example.net>")).await.unwrap();
        let judged = session.content(dotted()).await;
        assert_eq!(judged.as_ref().is_ok_and(|judged| judged.share.is_some()), room, "{memory}: {judged:?}");
        assert!(room || text(judged) == table::NO_ROOM.to_string());
    }
}

#[tokio::test]
async fn a_message_that_is_left_without_recipients_is_dropped_and_an_edit_that_is_none_puts_it_off() {
    let house = House::start(&[], vec![Edit::DelRcpt("<bob@example.net>".into())]);
    let judged = send(&mut asking(&house), &client()).await.unwrap();
    assert_eq!(judged.discard, Some("a filter took all its recipients away"));
    let house = House::start(&[], vec![Edit::AddRcpt(Path::new("no-address"))]);
    assert_eq!(text(send(&mut asking(&house), &client()).await), table::FILTER_DEFERS.to_string());
}

#[tokio::test]
async fn m9_a_reload_gives_no_filter_more_connections_than_are_set() {
    let house = House::start(&[], Vec::new());
    let before = filters(&house.place(), WhenDown::Tempfail);
    let mut busy = before.session(None);
    busy.connect(&client()).await.unwrap();
    busy.sender(&client(), &sender(), "4XyZ").await.unwrap();
    let same = before.renewed(&asked(&house.place(), WhenDown::Tempfail, 10)).unwrap();
    let fewer = same.renewed(&asked(&house.place(), WhenDown::Reject, 1)).unwrap();
    // Each answers by its own settings, and the connection that is in use counts with all of them.
    assert!(send(&mut same.session(None), &client()).await.is_ok());
    assert_eq!(text(send(&mut fewer.session(None), &client()).await), table::FILTER_REFUSES.to_string());
    assert_eq!(text(send(&mut same.session(None), &client()).await), table::FILTER_DEFERS.to_string());
    drop(busy);
    assert!(send(&mut fewer.session(None), &client()).await.is_ok());
}
