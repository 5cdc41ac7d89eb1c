//! An aliases(5) file as a map of a site: its names are users of the local domains.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test's helpers")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use switchyard_maps::{Answer, MapHandle, MapName, MapOptions, MapSet, Snapshot, TableSpec};
use switchyard_smtp::address::{Domain, Mailbox};

fn site(folder: &Path, aliases: &str) -> Result<Snapshot, String> {
    fs::create_dir_all(folder.join("lists")).unwrap();
    fs::write(folder.join("aliases"), aliases).unwrap();
    let table = TableSpec::parse("aliases:aliases").unwrap();
    let maps = [MapName::VirtualAlias, MapName::Recipients];
    let options = MapOptions {
        folder: folder.to_path_buf(),
        tables: BTreeMap::from(maps.map(|map| (map, vec![table.clone()]))),
        origin: Some(Domain::parse("here.example").unwrap()),
        recipient_delimiter: "+".to_owned(),
        ..MapOptions::default()
    };
    MapSet::load(&options).map(|set| MapHandle::new(set).snapshot()).map_err(|faults| faults.to_string())
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

#[test]
fn names_stand_for_users_of_the_local_domains() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lists")).unwrap();
    fs::write(folder.path().join("lists/team"), "# who we are\nann, Bob <bob@b.example>\n").unwrap();
    let aliases = "\
postmaster: root
root: ann@a.example
Team: :include:lists/team
\"joe user\": joe@a.example
owner-team: root
";
    let maps = site(folder.path(), aliases).unwrap();
    let expand = |text: &str| {
        let ends = maps.expand(&mailbox(text)).unwrap();
        ends.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(" ")
    };
    for (asked, ends) in [
        ("postmaster@here.example", "ann@a.example"),
        ("TEAM@here.example", "ann@here.example bob@b.example"),
        ("team+news@here.example", "ann+news@here.example bob+news@b.example"),
        ("\"Joe User\"@here.example", "joe@a.example"),
        ("owner-team@here.example", "ann@a.example"),
        ("team@other.example", "team@other.example"),
    ] {
        assert_eq!(expand(asked), ends, "{asked}");
    }
    let Answer::Found(found) = maps.alias(&mailbox("owner-team@here.example")) else { panic!("not found") };
    assert_eq!(found.place.line, 5);
    // As a list of users, only the names count.
    assert!(matches!(maps.recipient(&mailbox("root@here.example")), Answer::Found(_)));
    assert!(matches!(maps.recipient(&mailbox("ann@here.example")), Answer::NotFound));
}

#[test]
fn all_faults_are_told_at_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists");
    fs::create_dir(&lists).unwrap();
    fs::write(lists.join("team"), "ann\nan n\n").unwrap();
    let aliases = "\
a: |/bin/vacation a
b: c,
  :include:lists/team
d: e
d: f
g h: i
j: :include:/etc/passwd
k: k2
k2: k
";
    let faults = site(folder.path(), aliases).unwrap_err();
    assert!(faults.contains("aliases:1:4: `|/bin/vacation a`: no commands are run here"), "{faults}");
    assert!(faults.contains("lists/team:2:1: `an n`"), "{faults}");
    assert!(faults.contains("aliases:5:1: `d` stands in line 4 already"), "{faults}");
    assert!(faults.contains("aliases:6:1: `g h`: a name with blanks stands in double quotes"), "{faults}");
    assert!(faults.contains("aliases:7:4: `:include:/etc/passwd`: only files below"), "{faults}");
    // The list of users has the same faults, but for the two that are about targets.
    assert_eq!(faults.lines().count(), 5 + 3, "{faults}");

    let faults = site(folder.path(), "k: k2\nk2: k\n").unwrap_err();
    assert!(faults.contains("k2@here.example"), "{faults}");
    assert!(site(folder.path(), "").unwrap_err().contains("the file is empty"));
}
