//! Whole addresses against whole sets: Postfix's rules, as a site's maps hold them.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeSet;

use switchyard_maps::{
    Answer, ExpandError, Found, MapHandle, MapName, MapOptions, MapSet, Resolved, Route, Snapshot,
};
use switchyard_smtp::address::{Domain, Mailbox};

fn snapshot(options: &MapOptions, texts: &[(MapName, &str)]) -> Snapshot {
    match MapSet::from_texts(options, texts) {
        Ok(set) => MapHandle::new(set).snapshot(),
        Err(faults) => panic!("{faults}"),
    }
}

fn options() -> MapOptions {
    MapOptions {
        recipient_delimiter: "+".to_owned(),
        origin: Some(Domain::parse("here.example").unwrap()),
        pools: BTreeSet::from(["inside".to_owned()]),
        ..MapOptions::default()
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

/// The value with its line, or the answer's name.
fn say<T>(answer: Answer<Found<T>>, write: impl Fn(T) -> String) -> String {
    match answer {
        Answer::Found(found) => format!("{} ({})", write(found.value), found.place.line),
        other => other.label().to_owned(),
    }
}

fn list(mailboxes: &[Mailbox]) -> String {
    mailboxes.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn transport_routes_whole_addresses() {
    let text = "\
# a site's transport map
user+urgent@a.example   lmtp:[fast.example]:24
user@a.example          lmtp:[slow.example]:24
a.example               smtp:[192.0.2.1], [192.0.2.2]
.a.example              relay:
deep.a.example
                        :[gw.example]
old.example             error:5.1.6 moved to new.example
[192.0.2.9]             smtp:[gw.example]
\"joe user\"@q.example  lmtp:@inside
Bücher.example          retry:4.3.2 later
quiet.example           discard:
stop.example            hold:ask the postmaster
*                       :
";
    let maps = snapshot(&options(), &[(MapName::Transport, text)]);
    for (address, expected) in [
        ("User+Urgent@A.example", "lmtp:[fast.example]:24 (2)"),
        ("user+other@a.example", "lmtp:[slow.example]:24 (3)"),
        ("user@a.example", "lmtp:[slow.example]:24 (3)"),
        ("other@a.example", "smtp:[192.0.2.1], [192.0.2.2] (4)"),
        ("other@b.a.example", "smtp: (5)"),
        ("other@c.b.a.example", "smtp: (5)"),
        ("other@deep.a.example", ":[gw.example] (6)"),
        ("other@below.deep.a.example", "smtp: (5)"),
        ("other@nota.example", ": (14)"),
        ("any@old.example", "error:5.1.6 moved to new.example (8)"),
        ("any@[192.0.2.9]", "smtp:[gw.example] (9)"),
        ("any@[192.0.2.8]", ": (14)"),
        ("\"joe user\"@q.example", "lmtp:@inside (10)"),
        ("\"Joe User\"@q.example", "lmtp:@inside (10)"),
        ("any@xn--bcher-kva.example", "retry:4.3.2 later (11)"),
        ("any@quiet.example", "discard: (12)"),
        ("any@stop.example", "hold:ask the postmaster (13)"),
        ("any@elsewhere.example", ": (14)"),
    ] {
        assert_eq!(
            say(maps.route(&mailbox(address)), |route: Route| route.to_string()),
            expected,
            "{address}"
        );
    }
}

#[test]
fn recipients_domains_and_absent_maps() {
    let recipients =
        "user@a.example OK\nlist@a.example\n@all.example x\nlocaluser OK\nplus+tag@a.example 1\n";
    let domains = "a.example\n.b.example OK\n";
    let texts = [(MapName::Recipients, recipients), (MapName::RelayDomains, domains)];
    let maps = snapshot(&options(), &texts);
    let nothing = |()| "yes".to_owned();
    for (address, expected) in [
        ("user@a.example", "yes (1)"),
        ("USER+x@A.EXAMPLE", "yes (1)"),
        ("list@a.example", "yes (2)"),
        ("nobody@a.example", "not_found"),
        ("whoever@all.example", "yes (3)"),
        ("whoever@x.all.example", "not_found"),
        ("localuser@here.example", "yes (4)"),
        ("localuser@a.example", "not_found"),
        ("plus+tag@a.example", "yes (5)"),
        ("plus@a.example", "not_found"),
    ] {
        assert_eq!(say(maps.recipient(&mailbox(address)), nothing), expected, "{address}");
    }
    for (domain, expected) in [
        ("a.example", "yes (1)"),
        ("x.a.example", "not_found"),
        ("x.b.example", "yes (2)"),
        ("b.example", "not_found"),
    ] {
        assert_eq!(say(maps.is_relay_domain(&Domain::parse(domain).unwrap()), nothing), expected, "{domain}");
    }
    assert!(
        maps.has(MapName::Recipients) && !maps.has(MapName::VirtualAlias) && !maps.has(MapName::Transport)
    );
    assert_eq!(maps.alias(&mailbox("user@a.example")), Answer::NotFound);
    assert_eq!(maps.entries(MapName::Recipients), 5);
}

const ALIASES: &str = "\
virtual.example            anything at all
postmaster                 ops@a.example
user@virtual.example       one@a.example, Two@B.example
user+tag@virtual.example   tagged@a.example
keep@virtual.example       keep@virtual.example, copy@a.example
@moved.example             @new.example
\"odd, name\"@virtual.example  \"a, b\"@a.example, plain
@rest.example              all@a.example
chain@virtual.example      user@virtual.example, keep@virtual.example, two@b.example
\"bob@x.example\"@virtual.example  bob@a.example
full@virtual.example       0123456789012345678901234567890123456789012345678901234567890123@a.example
";

#[test]
fn virtual_aliases_answer_as_postfix_does() {
    let maps = snapshot(&options(), &[(MapName::VirtualAlias, ALIASES)]);
    for (address, expected) in [
        ("user@virtual.example", "one@a.example Two@b.example (3)"),
        ("User+Ext@virtual.example", "one+Ext@a.example Two+Ext@b.example (3)"),
        ("user+tag@virtual.example", "tagged@a.example (4)"),
        ("Any+Ext@moved.example", "Any+Ext@new.example (6)"),
        ("\"odd, name\"@virtual.example", "\"a, b\"@a.example plain@here.example (7)"),
        ("any+ext@rest.example", "all@a.example (8)"),
        ("postmaster@here.example", "ops@a.example (2)"),
        ("postmaster@virtual.example", "not_found"),
        ("bob@x.example", "not_found"),
        ("nobody@virtual.example", "not_found"),
        ("virtual.example@here.example", "not_found"),
        // The extension does not fit any more.
        (
            "full+ext@virtual.example",
            "0123456789012345678901234567890123456789012345678901234567890123@a.example (11)",
        ),
    ] {
        assert_eq!(say(maps.alias(&mailbox(address)), |targets| list(&targets)), expected, "{address}");
    }
    let alias_domain =
        |domain| say(maps.is_alias_domain(&Domain::parse(domain).unwrap()), |()| "yes".to_owned());
    assert_eq!(
        (alias_domain("virtual.example"), alias_domain("a.example")),
        ("yes (1)".into(), "not_found".into())
    );
    assert_eq!(say(maps.postmaster(), |targets| list(&targets)), "ops@a.example (2)");

    let plain = MapOptions { propagate_unmatched_extensions: false, ..options() };
    let maps = snapshot(&plain, &[(MapName::VirtualAlias, ALIASES)]);
    let user = maps.alias(&mailbox("user+ext@virtual.example"));
    assert_eq!(say(user, |targets| list(&targets)), "one@a.example Two@b.example (3)");
}

#[test]
fn the_bare_postmaster_needs_no_origin() {
    let text = "postmaster ops@a.example, @b.example\n";
    let refused = MapSet::from_texts(&MapOptions::default(), &[(MapName::VirtualAlias, text)]);
    assert!(refused.unwrap_err().to_string().contains("may only stand first"));
    let maps = snapshot(
        &MapOptions::default(),
        &[(MapName::VirtualAlias, "postmaster @b.example, ops@a.example\n")],
    );
    assert_eq!(say(maps.postmaster(), |targets| list(&targets)), "postmaster@b.example ops@a.example (1)");
    assert_eq!(maps.postmaster_address(), None);
}

#[test]
fn expanding_follows_aliases_to_their_ends() {
    let maps = snapshot(&options(), &[(MapName::VirtualAlias, ALIASES)]);
    for (address, expected) in [
        ("nobody@a.example", "nobody@a.example"),
        ("keep@virtual.example", "keep@virtual.example copy@a.example"),
        ("chain@virtual.example", "one@a.example Two@b.example keep@virtual.example copy@a.example"),
    ] {
        assert_eq!(list(&maps.expand(&mailbox(address)).unwrap()), expected, "{address}");
    }
}

#[test]
fn l2_a_fan_of_fans_has_an_end() {
    // 101 lists of 100 addresses each are over the limit, 100 are not.
    let fan = |lists: usize| {
        let names: Vec<String> = (0..lists).map(|list| format!("list{list}@v.example")).collect();
        let mut text = format!("all@v.example {}\n", names.join(","));
        for (list, name) in names.iter().enumerate() {
            let members: Vec<String> = (0..100).map(|member| format!("m{list}-{member}@a.example")).collect();
            text.push_str(&format!("{name} {}\n", members.join(", ")));
        }
        snapshot(&options(), &[(MapName::VirtualAlias, &text)]).expand(&mailbox("all@v.example"))
    };
    assert_eq!(fan(100).unwrap().len(), 10_000);
    assert_eq!(fan(101), Err(ExpandError::TooMany));
}

#[test]
fn l2_a_diamond_of_aliases_is_asked_once_each() {
    // 2^30 ways lead to the end, over 30 × 2 addresses.
    let mut text = String::new();
    for step in 0..30 {
        for side in ["a", "b"] {
            text.push_str(&format!("{side}{step}@v.example a{0}@v.example, b{0}@v.example\n", step + 1));
        }
    }
    let maps = snapshot(&options(), &[(MapName::VirtualAlias, &text)]);
    assert_eq!(list(&maps.expand(&mailbox("a0@v.example")).unwrap()), "a30@v.example b30@v.example");
}

#[test]
fn what_the_map_leaves_open_comes_from_the_default() {
    let text = "a.example :\nb.example smtp:\nc.example error:no\n";
    let maps = snapshot(&options(), &[(MapName::Transport, text)]);
    let default = Route::parse("lmtp:@inside", &options().pools).unwrap();
    let resolve = |address: &str| {
        let mailbox = mailbox(address);
        let route = match maps.route(&mailbox) {
            Answer::Found(found) => found.value,
            Answer::NotFound => default.clone(),
            Answer::Unavailable(unavailable) => panic!("{unavailable}"),
        };
        match route.resolve(&default, &mailbox.host) {
            Resolved::Deliver(destination) => destination.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(resolve("x@a.example"), "lmtp:@inside");
    assert_eq!(resolve("x@b.example"), "smtp:b.example");
    assert_eq!(resolve("x@unlisted.example"), "lmtp:@inside");
    assert!(resolve("x@c.example").starts_with("Refuse"));
}
