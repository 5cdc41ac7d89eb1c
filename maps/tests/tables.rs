//! Maps of several tables, of every kind that needs no server.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use prometheus::Registry;
use switchyard_maps::watch::Reload;
use switchyard_maps::{
    Answer, Found, MapHandle, MapMetrics, MapName, MapOptions, MapSet, Reloader, Side, Snapshot, TableSpec,
    installed,
};
use switchyard_smtp::address::{Mailbox, ReversePath};

fn put(folder: &Path, name: &str, text: &str) {
    File::create(folder.join(name)).unwrap().write_all(text.as_bytes()).unwrap();
}

fn options(folder: &Path, tables: &[(MapName, &[&str])]) -> MapOptions {
    let mut all: BTreeMap<MapName, Vec<TableSpec>> = BTreeMap::new();
    for (map, words) in tables {
        all.insert(*map, words.iter().map(|word| TableSpec::parse(word).unwrap()).collect());
    }
    let recipient_delimiter = "+".to_owned();
    MapOptions { folder: folder.to_owned(), tables: all, recipient_delimiter, ..MapOptions::default() }
}

/// A site with tables of all kinds.
fn site(folder: &Path) -> MapOptions {
    put(folder, "transport", "alice@a.example lmtp:[one.example]\na.example smtp:[two.example]\n");
    put(
        folder,
        "transport.re",
        "/^list-(.*)@a\\.example$/ smtp:[$1.lists.example]\nif /@b\\.example$/\n/^[a-m]/ smtp:[am.b.example]\n/./ smtp:[nz.b.example]\nendif\n",
    );
    put(
        folder,
        "clients",
        "192.0.2.0/28 REJECT not from there\n!192.0.2.0/24 DUNNO\n192.0.2.0/24 450 4.7.1 later\n",
    );
    put(folder, "aliases", "postmaster: root\nroot: alice@a.example, \"bob b\"@a.example\n");
    put(folder, "canonical", "/^(.*)@old\\.example$/ $1@new.example\n");
    let mut options = options(
        folder,
        &[
            (MapName::Transport, &["transport", "regexp:transport.re", "inline:{c.example=error:gone}"]),
            (MapName::ClientAccess, &["cidr:clients", "static:OK"]),
            (MapName::VirtualAlias, &["aliases:aliases"]),
            (MapName::Canonical, &["pcre:canonical"]),
            (MapName::SenderRoute, &["unionmap:{inline:{<>=smtp:[null.example]}}"]),
            (MapName::RelayDomains, &["fail:closed today"]),
        ],
    );
    options.origin = Some(switchyard_smtp::address::Domain::parse("a.example").unwrap());
    options
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn said<T: ToString>(answer: Answer<Found<T>>) -> String {
    match answer {
        Answer::Found(found) => format!("{} ({})", found.value.to_string(), found.place.line),
        other => other.label().to_owned(),
    }
}

fn answers(maps: &Snapshot) -> Vec<String> {
    let mut answers = [
        "Alice+x@a.example",
        "bob@a.example",
        "list-Dev@a.example",
        "adam@b.example",
        "zoe@b.example",
        "x@c.example",
        "x@d.example",
    ]
    .map(|address| said(maps.route(&mailbox(address))))
    .to_vec();
    for address in ["192.0.2.1", "192.0.2.77", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.2"] {
        answers.push(said(maps.access_client(None, address.parse().unwrap())));
    }
    let ends = maps.expand(&mailbox("postmaster@a.example")).unwrap();
    answers.push(ends.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(" "));
    answers.push(said(maps.canonical(&mailbox("Joe@old.example"), Side::Sender)));
    answers.push(said(maps.sender_route(&ReversePath::Null)));
    answers.push(said(
        maps.is_relay_domain(&"a.example".parse().unwrap())
            .map(|found| Found { value: "yes", place: found.place }),
    ));
    answers
}

const EXPECTED: [&str; 16] = [
    "lmtp:[one.example] (1)",
    // A pattern is asked the whole address before any table is asked for its domain.
    "smtp:[two.example] (2)",
    "smtp:[dev.lists.example] (1)",
    "smtp:[am.b.example] (3)",
    "smtp:[nz.b.example] (4)",
    "error:5.0.0 gone (0)",
    "not_found",
    "REJECT 5.7.1 not from there (1)",
    "DEFER 4.7.1 later (3)",
    "DUNNO (2)",
    "OK (0)",
    "REJECT 5.7.1 not from there (1)",
    "alice@a.example \"bob b\"@a.example",
    "Joe@new.example (1)",
    "smtp:[null.example] (0)",
    "unavailable",
];

#[test]
fn each_kind_answers_in_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let set = MapSet::load(&site(folder.path())).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(answers(&MapHandle::new(set).snapshot()), EXPECTED);
}

#[test]
fn an_installed_set_answers_as_its_texts_do() {
    let (texts, sets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = site(texts.path());
    let (one, other) = (sets.path().join("one"), sets.path().join("other"));
    let manifest = installed::install(&options, &one).unwrap();
    installed::verify(&manifest, &one).unwrap();
    assert_eq!(installed::install(&options, &other).unwrap(), manifest, "same input, same octets");
    assert!(installed::install(&options, &one).is_err(), "never written over");

    let from_disk = MapOptions { installed: Some(one.clone()), ..options.clone() };
    let set = MapSet::load(&from_disk).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(set.get().digest(), MapSet::load(&options).unwrap().get().digest());
    assert_eq!(answers(&MapHandle::new(set).snapshot()), EXPECTED);

    // One octet is enough.
    let file = one.join("0.swm");
    let mut octets = std::fs::read(&file).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    std::fs::remove_file(&file).unwrap();
    File::create(&file).unwrap().write_all(&octets).unwrap();
    assert!(installed::verify(&manifest, &one).is_err());
}

#[test]
fn a_link_that_is_moved_puts_another_installed_set_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("current");
    let texts = options(folder.path(), &[(MapName::Transport, &["transport"])]);
    let point_at = |set: &Path| {
        let aside = folder.path().join("aside");
        symlink(set, &aside).unwrap();
        std::fs::rename(aside, &link).unwrap();
    };
    for hop in ["one", "two"] {
        put(folder.path(), "transport", &format!("a.example smtp:[{hop}.example]\n"));
        installed::install(&texts, &folder.path().join(hop)).unwrap();
    }
    point_at(&folder.path().join("one"));
    let options = MapOptions { installed: Some(link.clone()), ..texts };
    let metrics = MapMetrics::register(&Registry::new()).unwrap();
    let (set, faults) = MapSet::start(&options);
    let handle = MapHandle::new(set);
    let reloader = Reloader::new(handle.clone(), options, metrics, &faults);
    let held = handle.snapshot();
    let route = |maps: &Snapshot| said(maps.route(&mailbox("x@a.example")));
    assert_eq!(route(&held), "smtp:[one.example] (1)");

    point_at(&folder.path().join("two"));
    assert_eq!(reloader.reload(), Ok(Reload::Swapped(2)));
    assert_eq!(route(&handle.snapshot()), "smtp:[two.example] (1)");
    // What a transaction holds goes on, though the folder be gone.
    std::fs::remove_dir_all(folder.path().join("one")).unwrap();
    assert_eq!(route(&held), "smtp:[one.example] (1)");

    // A set without its manifest is none: the old one goes on.
    std::fs::create_dir(folder.path().join("three")).unwrap();
    point_at(&folder.path().join("three"));
    assert!(reloader.reload().unwrap_err().to_string().contains("manifest.json: cannot be read"));
    assert_eq!(route(&handle.snapshot()), "smtp:[two.example] (1)");
}

#[test]
fn a_rule_that_never_answers_is_a_fault_unless_it_may_stand_there() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "clients", "192.0.2.0/24 REJECT\n192.0.2.1 OK\n");
    put(folder.path(), "patterns", "/./ REJECT\n/x/ OK\n");
    let tables: [(MapName, &[&str]); 2] =
        [(MapName::ClientAccess, &["cidr:clients"]), (MapName::HeloAccess, &["regexp:patterns"])];
    let options = options(folder.path(), &tables);
    let faults = MapSet::load(&options).unwrap_err();
    let lines: Vec<u32> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 2], "{faults}");
    assert!(MapSet::load(&MapOptions { allow_dead_rules: true, ..options }).is_ok());
}

#[test]
fn what_a_pattern_makes_is_checked_when_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "transport.re", "/^(.*)@a\\.example$/ smtp:[$1.example]\n");
    let options = options(folder.path(), &[(MapName::Transport, &["regexp:transport.re"])]);
    let maps = MapHandle::new(MapSet::load(&options).unwrap()).snapshot();
    assert_eq!(said(maps.route(&mailbox("ok@a.example"))), "smtp:[ok.example] (1)");
    let Answer::Unavailable(why) = maps.route(&mailbox("\"a b\"@a.example")) else { panic!() };
    assert!(why.to_string().contains("transport.re:1: `smtp:[a b.example]`"), "{why}");
}

#[test]
fn an_installed_set_is_proved_again_where_it_is_asked_in_another_way() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "virtual_alias", "ann@a.example ann+list@a.example\n");
    let options = MapOptions { folder: folder.path().to_path_buf(), ..MapOptions::default() }
        .with_file(MapName::VirtualAlias, "virtual_alias");
    let set = folder.path().join("set");
    let manifest = installed::install(&options, &set).unwrap();
    let options = MapOptions { installed: Some(set), ..options };
    let digest = MapSet::load(&options).unwrap().get().digest();
    assert_eq!(manifest.digest, blake3::Hash::from(digest).to_hex().as_str(), "proved when it was installed");

    // With a delimiter the alias leads back to itself.
    let faults = MapSet::load(&MapOptions { recipient_delimiter: "+".to_owned(), ..options }).unwrap_err();
    assert!(faults.to_string().contains("virtual_alias:1:1: alias loop"), "{faults}");
}
