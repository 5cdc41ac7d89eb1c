//! Each thing that can be wanted, held against what each kind of run can see.

use switchyard_config::Place;

use super::*;
use crate::language::{Arrives, FieldWanted, Wanted, What};
use crate::pattern::{Heard, Pattern, ReplyPattern};
use crate::seen::{After, Answered, Caught, Routed, Stage, Went};

fn judged(what: What, after: After, reply: &str) -> Holds {
    let answers = vec![Answered { reply: Heard::read(reply).unwrap(), stage: Stage::Content }];
    finding(&Wanted { place: Place::whole("b.toml"), what }, &Seen { answers, after }).holds
}

fn routed(to: &str, route: &str) -> Routed {
    let went = Went::To { route: route.into(), hops: vec!["[192.0.2.1]:24".into()] };
    Routed { to: to.into(), from: "a@b.example".into(), went }
}

fn maps() -> After {
    After::Maps(vec![routed("x@c.example", "lmtp:@boxes"), routed("y@c.example", "lmtp:@boxes")])
}

/// A copy's place, recipient and header fields.
type Copy<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn caught(mail: &[Copy<'_>]) -> After {
    let copy = |(place, to, header): &Copy<'_>| Caught {
        place: (*place).into(),
        from: "a@b.example".into(),
        to: (*to).into(),
        header: header.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    After::Caught { places: vec!["boxes".into(), "world".into()], mail: mail.iter().map(copy).collect() }
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text)).collect()
}

fn at(places: &[&str]) -> What {
    What::Arrives(Arrives::At(places.iter().map(|place| (*place).to_owned()).collect()))
}

#[test]
fn maps_say_route_addresses_and_place() {
    for (what, holds) in [
        (What::Route(patterns(&["lmtp:@boxes"])), true),
        (What::Route(patterns(&["lmtp:@boxes", "smtp:*"])), false),
        (What::Becomes(patterns(&["y@c.example", "x@c.example"])), true),
        (What::Becomes(patterns(&["*@c.example"])), true),
        (What::Becomes(patterns(&["x@c.example"])), false),
        (What::Becomes(patterns(&["x@c.example", "x@c.example"])), false),
        (What::SenderBecomes(Pattern::new("a@b.example")), true),
        (What::SenderBecomes(Pattern::new("")), false),
        (at(&["boxes"]), true),
        (at(&["@boxes"]), true),
        (at(&["lmtp:@boxes"]), true),
        (at(&["[192.0.2.1]:24"]), true),
        (at(&["boxes", "world"]), false),
        (at(&["box"]), false),
        (What::Arrives(Arrives::Somewhere), true),
        (What::Arrives(Arrives::Nowhere), false),
    ] {
        let expected = if holds { Holds::Yes } else { Holds::No };
        assert_eq!(judged(what.clone(), maps(), "250 2.0.0 Ok"), expected, "{what:?}");
    }
}

#[test]
fn a_catcher_says_addresses_header_and_place() {
    let mail: &[Copy<'_>] =
        &[("boxes", "x@c.example", &[("Received", "by one"), ("received", "by two"), ("Subject", "Hi")])];
    let field = |name: &str, wanted| What::Field(name.into(), wanted);
    for (what, holds) in [
        (What::Becomes(patterns(&["X@C.example"])), true),
        (at(&["boxes"]), true),
        (at(&["world"]), false),
        (at(&["boxes", "world"]), false),
        (What::Arrives(Arrives::Nowhere), false),
        (field("subject", FieldWanted::Values(patterns(&["hi"]))), true),
        (field("Subject", FieldWanted::Values(patterns(&["h"]))), false),
        (field("Received", FieldWanted::Values(patterns(&["*two", "by one"]))), true),
        (field("Received", FieldWanted::Count(2)), true),
        (field("Received", FieldWanted::Count(1)), false),
        (field("X-Spam", FieldWanted::Present(false)), true),
        (field("Subject", FieldWanted::Present(false)), false),
    ] {
        let expected = if holds { Holds::Yes } else { Holds::No };
        assert_eq!(judged(what.clone(), caught(mail), "250 2.0.0 Ok"), expected, "{what:?}");
    }
    let nothing = || caught(&[]);
    assert_eq!(judged(What::Arrives(Arrives::Nowhere), nothing(), "250 Ok"), Holds::Yes);
    assert_eq!(judged(field("X", FieldWanted::Present(false)), nothing(), "250 Ok"), Holds::No);
}

#[test]
fn what_a_run_cannot_see_is_never_fine() {
    let field = What::Field("Subject".into(), FieldWanted::Present(true));
    for (what, after) in [
        (What::Route(patterns(&["*"])), After::NoCatcher),
        (What::Route(patterns(&["*"])), caught(&[])),
        (What::Route(patterns(&["*"])), After::NoRouter),
        (What::Becomes(patterns(&["*"])), After::NoCatcher),
        (What::SenderBecomes(Pattern::new("*")), After::NoCatcher),
        (field.clone(), After::NoCatcher),
        (field, maps()),
        (What::Arrives(Arrives::Nowhere), After::NoCatcher),
        (at(&["elsewhere"]), caught(&[])),
    ] {
        let holds = judged(what.clone(), after, "250 2.0.0 Ok");
        assert!(matches!(&holds, Holds::NotAsked(needs) if needs.contains("needs")), "{what:?}: {holds:?}");
    }
}

#[test]
fn the_reply_is_that_of_every_recipient() {
    let answered = |reply, stage| Answered { reply: Heard::read(reply).unwrap(), stage };
    let answers = vec![answered("250 2.0.0 Ok", Stage::Content), answered("550 5.1.1 no", Stage::Rcpt)];
    let seen = Seen { answers, after: After::NoCatcher };
    let wanted = |what| Wanted { place: Place::whole("b.toml"), what };
    let look = finding(&wanted(What::Reply(ReplyPattern::parse("250").unwrap())), &seen);
    assert_eq!((look.holds, &*look.seen), (Holds::No, "250 2.0.0 Ok at content; 550 5.1.1 no at rcpt"));
    assert_eq!(finding(&wanted(What::At(Stage::Rcpt)), &seen).holds, Holds::No);
    assert_eq!(judged(What::At(Stage::Content), After::NoCatcher, "250 2.0.0 Ok"), Holds::No);
    assert_eq!(judged(What::At(Stage::Content), After::NoCatcher, "554 5.7.1 no"), Holds::Yes);
}
