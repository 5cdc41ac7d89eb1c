//! What is written reads back, and nothing else does.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use switchyard_smtp::address::{ForwardPath, Mailbox, ReversePath};
use switchyard_smtp::envelope::{Body, Notify, Orcpt, Recipient, Ret, Sender, TransactionId};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::Attributes;

use super::progress::{AS_BEFORE, DEFERRED};
use super::*;
use crate::spool::message::{GivenUp, Holder, Outcome, Progress, RecipientState, Rest};

fn envelope(full: bool) -> Envelope {
    let mailbox = |text: &str| Mailbox::parse(text).unwrap();
    let plain = Recipient::new(ForwardPath::Postmaster);
    if !full {
        return Envelope { sender: Sender::new(ReversePath::Null), recipients: vec![plain] };
    }
    let sender = Sender {
        reverse_path: ReversePath::Mailbox(mailbox("\"a b\"@[IPv6:2001:db8::1]")),
        body: Body::BinaryMime,
        smtputf8: true,
        size: Some(u64::MAX),
        ret: Some(Ret::Hdrs),
        envid: Some("id+é".into()),
        priority: Priority::new(-9),
        transaction: Some(TransactionId(u128::MAX - 1)),
        hold: None,
    };
    let recipient = Recipient {
        forward_path: ForwardPath::Mailbox(mailbox("jürgen@bücher.example")),
        notify: Some(Notify { success: true, failure: false, delay: true }),
        orcpt: Some(Orcpt { address_type: "utf-8".into(), address: "x@y".into() }),
    };
    Envelope { sender, recipients: vec![plain, recipient] }
}

fn from() -> Box<Attributes> {
    Box::new(Attributes {
        name: None,
        address: Some("2001:db8::7".parse().unwrap()),
        port: Some(65_535),
        helo: Some("client.example".into()),
        protocol: Some("ESMTPS".into()),
        ident: Some("id".into()),
    })
}

fn new_message(full: bool) -> NewMessage {
    NewMessage {
        envelope: Arc::new(envelope(full)),
        content: Content { added: Bytes::from_static(b"A: b\r\n"), wire: Bytes::from_static(b"body\r\n") },
        arrival: Arrival {
            wall: UNIX_EPOCH + Duration::from_micros(5),
            client: "mx [192.0.2.1]".into(),
            from: full.then(from),
        },
        origin: if full { Origin::Report } else { Origin::Smtp },
        hold: full.then(|| Held::new(Holder::Hand, "asked")),
    }
}

fn payload(message: &NewMessage) -> Vec<u8> {
    [&write_accept(message, None).unwrap()[FRAME..], &message.content.wire].concat()
}

fn outcome(text: &str) -> Outcome {
    Outcome::new(UNIX_EPOCH, EnhancedStatus::new(4, 999, 1), "mx.example", text)
}

#[test]
fn messages_read_back() {
    let mut without_priority = new_message(true);
    Arc::make_mut(&mut without_priority.envelope).sender.priority = None;
    let mut without_client = new_message(true);
    without_client.arrival.from = None;
    for message in [new_message(false), new_message(true), without_priority, without_client] {
        let payload = Bytes::from(payload(&message));
        let accepted = read_accept(&payload).unwrap();
        assert_eq!((&accepted.envelope, &accepted.arrival), (&message.envelope, &message.arrival));
        assert_eq!((accepted.origin, &accepted.hold), (message.origin, &message.hold));
        assert_eq!(accepted.place, Place::Inline { added: 6, wire: 6 });
        assert_eq!(read_content(&payload).unwrap().1, message.content);

        let blob = write_accept(&message, Some(77)).unwrap();
        let place = Place::Blob { added: 6, wire: 6, sum: 77 };
        assert_eq!(read_accept(&blob[FRAME..]).unwrap().place, place);
    }
}

#[test]
fn progress_reads_back_and_says_a_repeated_reply_once() {
    let state = |count: usize| Progress {
        recipients: vec![RecipientState::Deferred(outcome(&"x".repeat(1000))); count],
        next_attempt: UNIX_EPOCH,
        attempts: 7,
        hold: Some(Held::new(Holder::Map, "look at it")),
        reroutes: vec![(1, "smtp:[mx1.example]:26".into())],
        given_up: vec![(0, GivenUp::new("no such customer", true)), (2, GivenUp::new("spam", false))],
        released: true,
        rest: Rest { suspended: vec![(1, 7)], until: Some(UNIX_EPOCH + Duration::from_secs(9)) },
    };
    let mut mixed = state(3);
    mixed.recipients.push(RecipientState::Pending);
    mixed.recipients.push(RecipientState::Delivered(outcome("ok")));
    mixed.recipients.push(RecipientState::Failed(Outcome { reported: true, ..outcome("no") }));
    assert_eq!(read_progress(&write_progress(&mixed).unwrap()[FRAME..]), Ok(mixed));
    assert!(write_progress(&state(1000)).unwrap().len() < 3000);
}

#[test]
fn h3_r11_crafted_payloads_are_refused_without_asking_for_memory() {
    let good = payload(&new_message(true));
    for length in 0..good.len() {
        assert!(read_accept(&good[..length]).is_err(), "{length}");
    }
    let huge_count = [&[0; 13][..], &u32::MAX.to_le_bytes(), &[0; 100]].concat();
    assert_eq!(read_progress(&huge_count), Err(Malformed));
    let as_before_nothing = [&[0; 13][..], &1_u32.to_le_bytes(), &[DEFERRED | AS_BEFORE]].concat();
    assert_eq!(read_progress(&as_before_nothing), Err(Malformed));
    let mut nobody = new_message(false);
    Arc::make_mut(&mut nobody.envelope).recipients.clear();
    assert_eq!(read_accept(&payload(&nobody)).err(), Some(Malformed));
}

proptest! {
    #[test]
    fn h3_no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..200) {
        let mut payload = payload(&new_message(true));
        let at = at.min(payload.len());
        payload.splice(at..(at + octets.len()).min(payload.len()), octets.iter().copied());
        for octets in [&payload, &octets] {
            let _ = (read_accept(octets), read_progress(octets), read_mark(octets));
            let _ = read_content(&Bytes::copy_from_slice(octets));
        }
    }
}

#[test]
fn a_hold_as_older_records_have_it_is_a_maps() {
    let mut old = write_progress(&Progress::fresh(1, UNIX_EPOCH, None)).unwrap();
    // Behind the time and the count of attempts.
    old[FRAME + 12] = 1;
    let held = read_progress(&old[FRAME..]).unwrap().hold;
    assert_eq!(held, Some(Held::new(Holder::Map, "")));
    old[FRAME + 12] = 4;
    assert_eq!(read_progress(&old[FRAME..]), Err(Malformed));
}
