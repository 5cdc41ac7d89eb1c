//! The order of the maps that decide on a next hop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet};
use switchyard_smtp::address::Domain;

use super::*;
use crate::deliver::Pools;

fn options(default_route: &str) -> RouteOptions {
    let mut options = RouteOptions::new(Domain::parse("origin.example").unwrap());
    options.default_route = Route::parse(default_route, &BTreeSet::new()).unwrap();
    options
}

fn resolved(snapshot: &Snapshot, default_route: &str, path: &str) -> String {
    resolved_from(snapshot, default_route, "<>", path)
}

fn resolved_from(snapshot: &Snapshot, default_route: &str, sender: &str, path: &str) -> String {
    let (sender, path) = (ReversePath::parse(sender).unwrap(), ForwardPath::parse(path).unwrap());
    match resolve(snapshot, &options(default_route), &sender, &path) {
        Ok(Resolved::Deliver(destination)) => destination.to_string(),
        Ok(Resolved::Refuse(notice)) => format!("refuse {}", notice.status),
        Ok(Resolved::Defer(notice)) => format!("defer {}", notice.status),
        Ok(Resolved::Discard(why)) => format!("discard {why}"),
        Ok(Resolved::Hold(why)) => format!("hold {why}"),
        Err(unavailable) => unavailable.map.to_string(),
    }
}

#[test]
fn the_map_first_then_the_default() {
    let maps = MapOptions::default()
        .with_file(MapName::Transport, "transport")
        .with_file(MapName::VirtualAlias, "virtual");
    let texts = [
        (
            MapName::Transport,
            "in.example lmtp:[127.0.0.1]:24\nno.example error:5.1.6 gone\nlater.example retry:4.3.2 wait\n\
             sink.example discard:test\nwait.example hold:look\nmx.example smtp:\norigin.example lmtp:unix:/run/lmtp\n",
        ),
        (MapName::VirtualAlias, "alias.example anything\nuser@alias.example user@in.example\n"),
    ];
    let snapshot = MapHandle::new(MapSet::from_texts(&maps, &texts).unwrap()).snapshot();
    for (path, default_route, expected) in [
        ("<a@in.example>", "smtp:[gw.example]", "lmtp:[127.0.0.1]:24"),
        ("<a@mx.example>", "smtp:[gw.example]", "smtp:mx.example"),
        ("<a@else.example>", "smtp:[gw.example]", "smtp:[gw.example]"),
        ("<a@else.example>", ":", "smtp:else.example"),
        ("<a@no.example>", ":", "refuse 5.1.6"),
        ("<a@later.example>", ":", "defer 4.3.2"),
        ("<a@sink.example>", ":", "discard test"),
        ("<a@wait.example>", ":", "hold look"),
        ("<postmaster>", ":", "lmtp:unix:/run/lmtp"),
        ("<nobody@alias.example>", "smtp:[gw.example]", "refuse 5.1.1"),
        ("<a@[127.0.0.1]>", ":", "refuse 5.1.2"),
        ("<a@[127.0.0.1]>", "smtp:[gw.example]", "smtp:[gw.example]"),
    ] {
        assert_eq!(resolved(&snapshot, default_route, path), expected, "{path}");
    }
}

#[test]
fn a_map_that_cannot_be_read_never_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let maps = MapOptions { folder: folder.path().to_owned(), ..MapOptions::default() }
        .with_file(MapName::Transport, "missing");
    let snapshot = MapHandle::new(MapSet::start(&maps).0).snapshot();
    assert_eq!(resolved(&snapshot, ":", "<a@in.example>"), "transport");
}

fn site(options: &MapOptions, texts: &[(MapName, &str)]) -> Snapshot {
    MapHandle::new(MapSet::from_texts(options, texts).unwrap()).snapshot()
}

#[test]
fn transport_says_whether_and_backend_says_which_server() {
    let snapshot = site(
        &MapOptions { recipient_delimiter: "+".into(), ..MapOptions::default() },
        &[
            (
                MapName::Transport,
                "in.example lmtp:[proxy.example]\nboss@in.example error:5.1.6 gone\nfar.example :\n",
            ),
            (
                MapName::Backend,
                "john@in.example lmtp:[server-j]\nk*@in.example lmtp:[server-k]:24\nboss@in.example lmtp:[server-b]\n\
                 @far.example lmtp:[far.in.example]\nann@else.example lmtp:[server-a]\n",
            ),
            (MapName::SenderRoute, "@from.example smtp:[by-sender.example]\n"),
        ],
    );
    for (path, expected) in [
        ("<john@in.example>", "lmtp:[server-j]"),
        ("<john+lists@in.example>", "lmtp:[server-j]"),
        ("<karl@in.example>", "lmtp:[server-k]:24"),
        ("<ann@in.example>", "lmtp:[proxy.example]"),
        ("<boss@in.example>", "refuse 5.1.6"),
        ("<whoever@far.example>", "lmtp:[far.in.example]"),
        ("<ann@else.example>", "lmtp:[server-a]"),
        ("<bob@else.example>", "smtp:[by-sender.example]"),
    ] {
        assert_eq!(resolved_from(&snapshot, ":", "<a@from.example>", path), expected, "{path}");
    }
}

#[test]
fn a_sender_has_its_route_to_the_world_and_nowhere_else() {
    let snapshot = site(
        &MapOptions::default(),
        &[
            (MapName::Transport, "mapped.example smtp:[mapped.example]\n"),
            (MapName::RelayDomains, "relay.example x\n"),
            (
                MapName::SenderRoute,
                "vip@from.example smtp:[vip.example]\n@from.example smtp:[from.example]\n<> smtp:[reports.example]\n",
            ),
        ],
    );
    for (sender, path, expected) in [
        ("<vip@from.example>", "<a@world.example>", "smtp:[vip.example]"),
        ("<VIP@From.example>", "<a@world.example>", "smtp:[vip.example]"),
        ("<a@from.example>", "<a@world.example>", "smtp:[from.example]"),
        ("<a@other.example>", "<a@world.example>", "smtp:[gw.example]"),
        ("<>", "<a@world.example>", "smtp:[reports.example]"),
        ("<vip@from.example>", "<a@mapped.example>", "smtp:[mapped.example]"),
        ("<vip@from.example>", "<a@relay.example>", "smtp:[gw.example]"),
        ("<vip@from.example>", "<a@origin.example>", "smtp:[gw.example]"),
    ] {
        let found = resolved_from(&snapshot, "smtp:[gw.example]", sender, path);
        assert_eq!(found, expected, "{sender} {path}");
    }
}

#[test]
fn who_has_moved_is_refused_before_all_else() {
    let snapshot = site(
        &MapOptions::default(),
        &[
            (MapName::Transport, "in.example lmtp:[in.example]\n"),
            (MapName::Relocated, "joe@in.example joe@new.example\n@gone.example nowhere\n"),
        ],
    );
    let path = ForwardPath::parse("<Joe@in.example>").unwrap();
    let Ok(Resolved::Refuse(notice)) = resolve(&snapshot, &options(":"), &ReversePath::Null, &path) else {
        panic!("he has moved")
    };
    assert_eq!(
        (&*notice.text, notice.status.to_string()),
        ("User has moved to joe@new.example", "5.1.6".into())
    );
    assert_eq!(resolved(&snapshot, ":", "<ann@in.example>"), "lmtp:[in.example]");
    assert_eq!(resolved(&snapshot, ":", "<ann@gone.example>"), "refuse 5.1.6");
}

#[test]
fn a_user_keeps_his_member_of_a_pool_whatever_his_extension() {
    let maps = MapOptions {
        pools: BTreeSet::from(["mailboxes".to_owned()]),
        recipient_delimiter: "+".into(),
        ..MapOptions::default()
    };
    let snapshot = site(&maps, &[(MapName::Backend, "@in.example lmtp:hash:@mailboxes\n")]);
    let members: Vec<Hop> = (0..4).map(|number| format!("[m{number}.in.example]").parse().unwrap()).collect();
    let pools = BTreeMap::from([("mailboxes".to_owned(), members.clone())]);
    let mut options = options(":");
    options.recipient_delimiter = "+".into();
    options.pools = Arc::new(Pools::new(pools));
    let member = |path: &str| {
        let path = ForwardPath::parse(path).unwrap();
        match resolve(&snapshot, &options, &ReversePath::Null, &path) {
            Ok(Resolved::Deliver(Destination { nexthop: Nexthop::Hashed { member, .. }, .. })) => {
                member.unwrap()
            }
            other => panic!("{other:?}"),
        }
    };
    let mut used = BTreeSet::new();
    for user in 0..50 {
        let hop = member(&format!("<user{user}@in.example>"));
        assert_eq!(member(&format!("<User{user}+lists@in.example>")), hop);
        used.insert(hop);
    }
    assert_eq!(used, members.into_iter().collect());
}
