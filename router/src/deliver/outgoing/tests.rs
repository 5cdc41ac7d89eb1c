//! Who is asked about which ways out, and what becomes of recipients by what filters say.

use std::collections::BTreeSet;

use bytes::Bytes;
use switchyard_maps::{Resolved, Route};
use switchyard_smtp::address::{Host, ReversePath};
use switchyard_smtp::reply::table;

use super::*;

fn destination(route: &str) -> Destination {
    let (pools, host) = (BTreeSet::from(["out".to_owned()]), Host::parse("dom.example").unwrap());
    match Route::parse(route, &pools).unwrap().resolve(&Route::Keep, &host) {
        Resolved::Deliver(destination) => destination,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_is_asked_about_its_own_ways_out() {
    let to = |route: &str| Some(destination(route).nexthop);
    let by = |transport, nexthop| WayOut { transport, nexthop };
    let asked = |filter: &str, only| AskedBefore { filter: filter.into(), only };
    let all = [
        asked("every", Vec::new()),
        asked("gw", vec![by(None, to("smtp:[gw.example]:26"))]),
        asked("usual", vec![by(None, to("smtp:[mail.example]:25"))]),
        asked("out", vec![by(Some(Transport::Smtp), to("smtp:@out"))]),
        asked("lmtp", vec![by(Some(Transport::Lmtp), None), by(None, to("smtp:dom.example"))]),
    ];
    for (route, names) in [
        ("smtp:[gw.example]:26", &["every", "gw"][..]),
        ("lmtp:[gw.example]:26", &["every", "gw", "lmtp"]),
        ("smtp:[gw.example]", &["every"]),
        ("smtp:[mail.example]:25", &["every", "usual"]),
        ("smtp:[mail.example]", &["every", "usual"]),
        ("lmtp:[mail.example]", &["every", "lmtp"]),
        ("smtp:@out", &["every", "out"]),
        ("smtp:hash:@out", &["every", "out"]),
        ("lmtp:@out", &["every", "lmtp"]),
        ("smtp:", &["every", "lmtp"]),
    ] {
        assert_eq!(asked_about(&all, &destination(route)).collect::<Vec<_>>(), names, "{route}");
    }
}

fn judged(recipients: &[&str], hold: Option<&str>) -> Judged {
    let sender = Sender::new(ReversePath::parse("<new@example.org>").unwrap());
    let recipients = recipients.iter().map(|path| recipient(path)).collect();
    let mail = MailObject {
        envelope: Envelope { sender, recipients },
        content: Content::from_wire(Bytes::from_static(b"Subject: new\r\n\r\n")),
    };
    Judged { hold: hold.map(str::to_owned), ..Judged::unchanged(mail) }
}

fn recipient(path: &str) -> Recipient {
    Recipient::new(ForwardPath::parse(path).unwrap())
}

fn open() -> Vec<(u32, Recipient)> {
    [(3, "<a@to.example>"), (5, "<b@to.example>"), (8, "<c@to.example>")]
        .map(|(place, path)| (place, recipient(path)))
        .into()
}

fn verdicts(answer: &Answer) -> Vec<(u32, Verdict)> {
    answer.fates.iter().map(|(place, fate)| (*place, fate.verdict)).collect()
}

#[test]
fn each_recipient_is_refused_taken_away_or_goes_as_the_filters_leave_it() {
    let refused = vec![(1, table::FILTER_REFUSES)];
    let left = Left { refused, rest: Ok(judged(&["<c@to.example>"], None)) };
    let answer = answer(left, open(), false);
    assert_eq!(verdicts(&answer), [(5, Verdict::Bounced), (3, Verdict::Sent)]);
    let going = answer.going.unwrap();
    assert_eq!((&*going.recipients, &*going.content.wire), (&[8][..], &b"Subject: new\r\n\r\n"[..]));
    assert_eq!(going.sender.reverse_path.to_string(), "<new@example.org>");
}

#[test]
fn what_is_held_goes_nowhere_before_a_hand_releases_it_and_then_it_goes() {
    let left = || Left { refused: Vec::new(), rest: Ok(judged(&["<a@to.example>"], Some("odd"))) };
    let held = answer(left(), open(), false);
    assert_eq!((held.hold.as_deref(), held.going.is_none()), (Some("odd"), true));
    assert_eq!(verdicts(&held), [3, 5, 8].map(|place| (place, Verdict::Deferred)));
    let released = answer(left(), open(), true);
    assert_eq!((released.hold, released.going.map(|going| going.recipients)), (None, Some(vec![3])));
}

#[test]
fn a_filters_no_is_a_bounce_or_a_deferral_and_never_a_delivery() {
    let fate = said(&table::FILTER_REFUSES);
    assert_eq!((fate.verdict, fate.status.to_string()), (Verdict::Bounced, "5.7.1".to_owned()));
    for reply in [table::FILTER_DEFERS, table::FILTER_CLOSES, table::NO_ROOM, table::TAKEN] {
        let fate = said(&reply);
        assert_eq!((fate.verdict, fate.status.class), (Verdict::Deferred, 4), "{reply}");
    }
}
