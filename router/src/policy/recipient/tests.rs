//! Who is taken at RCPT by a router, and who is told what.

use std::io::Write;

use super::*;
use switchyard_maps::{MapHandle, MapOptions, MapSet};

fn maps(options: &MapOptions, texts: &[(MapName, &str)]) -> Snapshot {
    MapHandle::new(MapSet::from_texts(options, texts).unwrap()).snapshot()
}

fn site() -> Snapshot {
    let options = MapOptions::default()
        .with_file(MapName::Recipients, "recipients")
        .with_file(MapName::VirtualAlias, "virtual_alias")
        .with_file(MapName::RelayDomains, "relay_domains");
    maps(
        &options,
        &[
            (MapName::Recipients, "alice@example.org ok\nuser%other.org@example.org ok\n"),
            (MapName::VirtualAlias, "info@example.org alice@example.org\n"),
            (MapName::RelayDomains, "example.org ok\n"),
        ],
    )
}

fn asked(maps: &Snapshot, may_relay: bool, path: &ForwardPath) -> Judged {
    let question = Question { may_relay, sender: &ReversePath::Null, path };
    judge(maps, &routes(), &question)
}

fn routes() -> RouteOptions {
    RouteOptions::new(Domain::parse("origin.example").unwrap())
}

#[test]
fn b2_what_the_transport_map_refuses_is_refused_at_rcpt() {
    let options = MapOptions::default()
        .with_file(MapName::Transport, "transport")
        .with_file(MapName::VirtualAlias, "virtual_alias")
        .with_file(MapName::RelayDomains, "relay_domains");
    let maps = maps(
        &options,
        &[
            (
                MapName::Transport,
                "gone@example.org error:5.1.6 has moved\nlater@example.org retry:4.3.2 later\n",
            ),
            (MapName::VirtualAlias, "team@example.org gone@example.org, bob@example.org\n"),
            (MapName::RelayDomains, "example.org ok\n"),
        ],
    );
    for (path, expected) in [
        ("<gone@example.org>", "550 5.1.6 has moved"),
        ("<later@example.org>", "451 4.3.2 later"),
        ("<team@example.org>", "ok"),
        ("<bob@example.org>", "ok"),
    ] {
        let judged = asked(&maps, true, &ForwardPath::parse(path).unwrap());
        let told = judged.verdict().map_or_else(|reply| reply.to_string(), |()| "ok".into());
        assert_eq!(told, expected, "{path}");
    }
}

#[test]
fn a1_a2_b2_who_is_taken_and_who_is_not() {
    let maps = site();
    for (path, stranger, relayed) in [
        ("<postmaster>", "accepted", "accepted"),
        ("<Alice@EXAMPLE.org.>", "accepted", "accepted"),
        ("<info@example.org>", "accepted", "accepted"),
        ("<nobody@example.org>", "unknown_user", "unknown_user"),
        ("<user%other.org@example.org>", "accepted", "accepted"),
        ("<user%else.org@example.org>", "unknown_user", "unknown_user"),
        ("<other!user@example.org>", "unknown_user", "unknown_user"),
        ("<\"user@other.org\"@example.org>", "unknown_user", "unknown_user"),
        ("<@example.org:user@other.org>", "relay_denied", "accepted"),
        ("<alice@other.org>", "relay_denied", "accepted"),
        ("<alice@[127.0.0.1]>", "relay_denied", "refused_by_map"),
    ] {
        let parsed = ForwardPath::parse(path).unwrap();
        assert_eq!(asked(&maps, false, &parsed).as_str(), stranger, "{path}");
        assert_eq!(asked(&maps, true, &parsed).as_str(), relayed, "{path}");
    }
}

#[test]
fn a_map_that_cannot_be_asked_is_never_a_no() {
    let folder = tempfile::tempdir().unwrap();
    let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() }
        .with_file(MapName::Recipients, "missing")
        .with_file(MapName::RelayDomains, "relay_domains");
    let mut domains = std::fs::File::create(folder.path().join("relay_domains")).unwrap();
    domains.write_all(b"# none\n").unwrap();
    let (set, faults) = MapSet::start(&options);
    assert!(!faults.is_empty());
    let maps = MapHandle::new(set).snapshot();
    let path = ForwardPath::parse("<alice@example.org>").unwrap();
    assert_eq!(asked(&maps, false, &path), Judged::RelayDenied, "the domains are known");
    let all_gone = options.with_file(MapName::RelayDomains, "gone");
    let maps = MapHandle::new(MapSet::start(&all_gone).0).snapshot();
    assert_eq!(asked(&maps, false, &path), Judged::Unavailable);
    assert_eq!(asked(&maps, true, &path), Judged::Unavailable);
}

#[test]
fn who_has_moved_is_told_where_to_and_who_is_written_otherwise_is_known() {
    let options = MapOptions::default();
    let maps = maps(
        &options,
        &[
            (MapName::RelayDomains, "example.org ok\n"),
            (MapName::Recipients, "alice@example.org ok\nbob@example.org ok\n"),
            (MapName::VirtualAlias, "bob@example.org alice@example.org\n"),
            (MapName::RecipientCanonical, "a.user@example.org alice@example.org\n"),
            (MapName::Relocated, "carol@example.org carol@new.example\nbob@example.org away\n"),
        ],
    );
    for (path, expected) in [
        ("<carol@example.org>", "550 5.1.6 User has moved to carol@new.example"),
        ("<bob@example.org>", "ok"),
        ("<a.user@example.org>", "ok"),
        ("<dave@example.org>", "550 5.1.1 User unknown"),
    ] {
        let judged = asked(&maps, false, &ForwardPath::parse(path).unwrap());
        let told = judged.verdict().map_or_else(|reply| reply.to_string(), |()| "ok".into());
        assert_eq!(told, expected, "{path}");
    }
}
