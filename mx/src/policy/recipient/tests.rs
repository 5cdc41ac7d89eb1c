//! Who is taken at RCPT by an mx, and who is told what.

use switchyard_maps::{MapHandle, MapOptions, MapSet};

use super::*;

fn maps(texts: &[(MapName, &str)]) -> Snapshot {
    let options = MapOptions { recipient_delimiter: "+".into(), ..MapOptions::default() };
    MapHandle::new(MapSet::from_texts(&options, texts).unwrap()).snapshot()
}

fn site() -> Snapshot {
    maps(&[
        (MapName::RelayDomains, "example.org x\nall.example x\n"),
        (
            MapName::Recipients,
            "alice@example.org x\npet%cat@example.org x\n@all.example x\nup!down@all.example x\n",
        ),
        (
            MapName::VirtualAlias,
            "alias.example x\nsales@alias.example alice@example.org\ninfo@example.org alice@example.org\n",
        ),
    ])
}

fn said(maps: &Snapshot, path: &str) -> String {
    match judge(maps, &ForwardPath::parse(path).unwrap()) {
        Ok(()) => "ok".into(),
        Err(no) => format!("{} {}", no.reply.code, no.reply.status.unwrap()),
    }
}

#[test]
fn b2_unknown_recipients_are_refused_at_rcpt() {
    let maps = site();
    for (path, answer) in [
        ("<alice@example.org>", "ok"),
        ("<Alice@EXAMPLE.org.>", "ok"),
        ("<alice+lists@example.org>", "ok"),
        ("<info@example.org>", "ok"),
        ("<sales@alias.example>", "ok"),
        ("<anybody@all.example>", "ok"),
        ("<postmaster>", "ok"),
        ("<bob@example.org>", "550 5.1.1"),
        ("<other@alias.example>", "550 5.1.1"),
        ("<alice@example.com>", "554 5.7.1"),
        ("<alice@sub.example.org>", "554 5.7.1"),
        ("<alice@[192.0.2.1]>", "554 5.7.1"),
        ("<@example.org:alice@example.com>", "554 5.7.1"),
    ] {
        assert_eq!(said(&maps, path), answer, "{path}");
    }
}

#[test]
fn a1_routes_in_a_local_part_are_refused_unless_listed() {
    let maps = site();
    for (path, answer) in [
        ("<user%other.org@example.org>", "554 5.7.1"),
        ("<other!user@example.org>", "554 5.7.1"),
        ("<\"user@other.org\"@example.org>", "554 5.7.1"),
        ("<alice+x%other.org@example.org>", "554 5.7.1"),
        ("<user%other.org@all.example>", "554 5.7.1"),
        ("<other.org!user@all.example>", "554 5.7.1"),
        ("<\"user@other.org\"@all.example>", "554 5.7.1"),
        ("<pet%cat@example.org>", "ok"),
        ("<up!down@all.example>", "ok"),
    ] {
        assert_eq!(said(&maps, path), answer, "{path}");
    }
    let open = self::maps(&[(MapName::RelayDomains, "example.org x\n")]);
    assert_eq!(said(&open, "<whoever@example.org>"), "ok", "no list of recipients");
    assert_eq!(said(&open, "<user%other.org@example.org>"), "554 5.7.1");
}

#[test]
fn who_has_moved_is_told_where_to() {
    let maps = maps(&[
        (MapName::RelayDomains, "example.org x\n"),
        (MapName::Recipients, "alice@example.org x\nbob@example.org x\n"),
        (MapName::VirtualAlias, "bob@example.org alice@example.org\n"),
        (
            MapName::Relocated,
            "carol@example.org carol@new.example\nbob@example.org nowhere\nx@else.example y\n",
        ),
    ]);
    for (path, answer) in [
        ("<carol@example.org>", "550 5.1.6"),
        ("<carol+lists@example.org>", "550 5.1.6"),
        ("<bob@example.org>", "ok"),
        ("<x@else.example>", "554 5.7.1"),
    ] {
        assert_eq!(said(&maps, path), answer, "{path}");
    }
}

#[test]
fn recipients_alone_say_what_is_ours() {
    let maps = maps(&[(MapName::Recipients, "alice@example.org x\n")]);
    assert_eq!(said(&maps, "<alice@example.org>"), "ok");
    assert_eq!(said(&maps, "<bob@example.org>"), "554 5.7.1");
}

#[test]
fn a_map_that_cannot_say_is_no_no() {
    let folder = tempfile::tempdir().unwrap();
    let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() }
        .with_file(MapName::Recipients, "recipients")
        .with_file(MapName::RelayDomains, "relay_domains");
    let snapshot = || MapHandle::new(MapSet::start(&options).0).snapshot();
    assert_eq!(said(&snapshot(), "<alice@example.org>"), "451 4.3.0");
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(folder.path().join("relay_domains"), "example.org x\n").unwrap();
    assert_eq!(said(&snapshot(), "<alice@example.org>"), "451 4.3.0");
    assert_eq!(said(&snapshot(), "<alice@example.com>"), "554 5.7.1");
    assert_eq!(said(&snapshot(), "<postmaster>"), "ok");
}
