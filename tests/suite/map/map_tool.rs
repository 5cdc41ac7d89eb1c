//! `switchyard map`, as a person runs it: on files, and on running daemons.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use switchyard_tests::expect;
use switchyard_tests::tool::{example, switchyard, switchyard_reads, write};
use switchyard_tests::up::Up;

#[test]
fn a_running_daemon_shows_its_maps_and_goes_back_to_the_set_before() {
    let up = Up::start();
    let socket = up.control("router");
    let mode = fs::symlink_metadata(&socket).expect("a control socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else may ask");

    let socket = socket.to_str().expect("a plain path");
    let stat = || switchyard(["map", "stat", "--daemon", socket, "--json"]).json();
    let shown = stat();
    assert_eq!(shown["generation"], 1, "{shown}");
    let before = shown["maps"].clone();
    let entries = |shown: &serde_json::Value| {
        let maps = shown["maps"].as_array().expect("a list").clone();
        maps.iter().find(|map| map["map"] == "recipients").map(|map| map["entries"].clone())
    };
    assert_eq!(entries(&shown), Some(3.into()), "{shown}");

    let nothing = switchyard(["map", "rollback", "--daemon", socket]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    assert!(nothing.speech.contains("there is no set before the one in use"), "{nothing:?}");

    up.edit("recipients", "alice@example.org OK\n");
    expect::holds("the edit to be live", || entries(&stat()) == Some(1.into()));
    let back = switchyard(["map", "rollback", "--daemon", socket]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert!(back.data.starts_with("the set before is in use again"), "{back:?}");
    assert_eq!(stat()["maps"], before);

    up.edit("recipients", "two words@example.org OK\n");
    let bad = expect::until("the bad edit to be told", || {
        let told = switchyard(["map", "stat", "--daemon", socket]);
        (told.code == Some(1)).then_some(told)
    });
    assert!(bad.speech.contains("not in use: ") && bad.speech.contains("recipients:1:"), "{bad:?}");
}

#[test]
fn a_socket_that_nobody_answers_is_told_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("control.sock");
    let nowhere = nowhere.to_str().expect("a plain path");
    let told = switchyard(["map", "stat", "--daemon", nowhere]);
    assert_eq!((told.code, told.data.as_str()), (Some(2), ""), "{told:?}");
    assert!(told.speech.contains("no such socket"), "{told:?}");
    drop(std::os::unix::net::UnixListener::bind(nowhere).expect("a socket"));
    let told = switchyard(["map", "stat", "--daemon", nowhere]);
    assert!(told.code == Some(2) && told.speech.contains("no daemon listens there any more"), "{told:?}");
}

#[test]
fn a_table_is_asked_as_postmap_asks_it() {
    let (_folder, site) = example();
    let table = format!("hash:{site}/maps/recipients");
    let one = switchyard(["map", "query", &table, "Alice@example.org"]);
    assert_eq!((one.code, one.data.as_str()), (Some(0), "OK\n"), "{one:?}");
    let keys = "alice@example.org\nnobody@example.org\r\nBOB@example.org\n";
    let many = switchyard_reads(["map", "query", &table, "-"], keys);
    let answers = "alice@example.org\tOK\nBOB@example.org\tOK\n";
    assert_eq!((many.code, many.data.as_str()), (Some(0), answers), "{many:?}");
    let none = switchyard(["map", "query", &table, "nobody@example.org"]);
    assert_eq!((none.code, none.data.as_str()), (Some(1), ""), "{none:?}");
    let failing = switchyard(["map", "query", "fail:closed", "key"]);
    assert!(failing.code == Some(2) && failing.speech.contains("closed"), "{failing:?}");
}

#[test]
fn a_map_of_a_site_is_asked_in_postfixs_order() {
    let (_folder, site) = example();
    let told = switchyard(["map", "query", &site, "virtual_alias", "Team+x@example.org", "--json"]);
    let json = told.json();
    assert_eq!(json["value"], "alice@example.org, bob@example.org", "{told:?}");
    assert_eq!((&json["answer"], &json["line"]), (&"found".into(), &4.into()), "{told:?}");
    let told = switchyard(["map", "query", &site, "transport", "alice@example.org"]);
    assert_eq!((told.code, told.data.as_str()), (Some(0), "lmtp:@mailboxes\n"), "{told:?}");
    for (arguments, why) in [
        (vec!["map", "query", &site, "transport"], "a map and a key belong behind it"),
        (vec!["map", "query", &site, "transports", "key"], "the maps are: transport, "),
        (vec!["map", "query", &site, "relocated", "a@b.example"], "no host of the site has a relocated map"),
        (vec!["map", "query", &site, "transport", "a b"], "is no key of the transport map"),
        (vec!["map", "query", "nosuch:table", "key"], "`nosuch:table` is no table"),
    ] {
        let told = switchyard(&arguments);
        assert!(told.code == Some(2) && told.speech.contains(why), "{arguments:?}: {told:?}");
    }
}

#[test]
fn entries_are_written_counted_and_found() {
    let (_folder, site) = example();
    let dump = switchyard(["map", "dump", &site, "virtual_alias"]);
    let expected =
        "abuse@example.org\tpostmaster@example.org\nteam@example.org\talice@example.org, bob@example.org\n";
    assert_eq!((dump.code, dump.data.as_str()), (Some(0), expected), "{dump:?}");
    let grep = switchyard(["map", "grep", "^BOB@|lmtp", &site]);
    let lines = format!(
        "{site}/maps/transport:4: example.org  lmtp:@mailboxes\n{site}/maps/recipients:4: bob@example.org  OK\n"
    );
    assert_eq!((grep.code, grep.data.as_str()), (Some(0), lines.as_str()), "{grep:?}");
    assert_eq!(switchyard(["map", "grep", "nowhere", &site]).code, Some(1));
    assert_eq!(switchyard(["map", "grep", "(", &site]).code, Some(2));
    let stat = switchyard(["map", "stat", &site, "--json"]).json();
    let recipients = stat.as_array().expect("a list").iter().find(|table| table["map"] == "recipients");
    let recipients = recipients.expect("the recipients").clone();
    assert_eq!((&recipients["entries"], &recipients["values"]), (&3.into(), &1.into()), "{recipients}");

    write(&Path::new(&site).join("maps/transport"), "example.org lmtp:\"x\n");
    let bad = switchyard(["map", "dump", &site, "transport"]);
    assert_eq!(bad.code, Some(0), "only a key's quotes are the text's own: {bad:?}");
    write(&Path::new(&site).join("maps/transport"), "\"x lmtp:\n");
    let bad = switchyard(["map", "dump", &site, "transport"]);
    assert!(bad.code == Some(2) && bad.speech.contains("maps/transport:1:1: "), "{bad:?}");
}

#[test]
fn two_states_of_a_site_are_compared() {
    let ((_one, old), (_other, new)) = (example(), example());
    let same = switchyard(["map", "diff", &old, &new]);
    assert_eq!((same.code, same.data.as_str()), (Some(0), "0 added, 0 removed, 0 changed\n"), "{same:?}");
    let maps = Path::new(&new).join("maps");
    write(&maps.join("recipients"), "ALICE@example.org yes\npostmaster@example.org\ncarol@example.org OK\n");
    write(&maps.join("transport"), "example.org smtp:[127.0.0.1]\n");
    let told = switchyard(["map", "diff", &old, &new]);
    let expected = format!(
        "~ transport  example.org  lmtp:@mailboxes -> smtp:[127.0.0.1]  ({new}/maps/transport:1)\n\
         + recipients  carol@example.org  OK  ({new}/maps/recipients:3)\n\
         - recipients  bob@example.org  OK  ({old}/maps/recipients:4)\n\
         1 added, 1 removed, 1 changed\n"
    );
    assert_eq!((told.code, told.data), (Some(1), expected), "a list's values say nothing");
    let json = switchyard(["map", "diff", &old, &new, "transport", "--json"]).json();
    let difference = &json["differences"][0];
    assert_eq!((&json["changed"], &difference["kind"]), (&1.into(), &"changed".into()), "{json}");
    assert_eq!(
        (&difference["old"], &difference["new"]),
        (&"lmtp:@mailboxes".into(), &"smtp:[127.0.0.1]".into())
    );
    let counted = switchyard(["map", "diff", &old, &new, "recipients", "--count"]);
    assert_eq!(counted.data, "1 added, 1 removed, 0 changed\n", "{counted:?}");
}

#[test]
fn a_compiled_set_is_the_same_twice_and_never_written_over() {
    let (folder, site) = example();
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let (one, other) = (path("one"), path("other"));
    for set in [&one, &other] {
        let told = switchyard(["map", "compile", &site, "--out", set]);
        assert_eq!((told.code, told.speech.as_str()), (Some(0), ""), "{told:?}");
    }
    let files = |set: &str| {
        let mut names: Vec<_> =
            fs::read_dir(set).expect("a set").map(|entry| entry.expect("a file")).collect();
        names.sort_by_key(fs::DirEntry::file_name);
        let read = |entry: &fs::DirEntry| (entry.file_name(), fs::read(entry.path()).expect("a file"));
        names.iter().map(read).collect::<Vec<_>>()
    };
    assert!(files(&one).len() == 5 && files(&one) == files(&other), "four maps and the manifest");
    let stat = switchyard(["map", "stat", &one]);
    assert!(stat.code == Some(0) && stat.data.contains("recipients"), "{stat:?}");
    let dump = switchyard(["map", "dump", &one, "recipients"]);
    let recipients: Vec<&str> = dump.data.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(recipients, ["alice@example.org", "bob@example.org", "postmaster@example.org"], "{dump:?}");
    let same = switchyard(["map", "diff", &one, &other]);
    assert_eq!((same.code, same.data.as_str()), (Some(0), "0 added, 0 removed, 0 changed\n"), "{same:?}");
    let again = switchyard(["map", "compile", &site, "--out", &one]);
    assert!(again.code == Some(2) && again.speech.contains("not empty"), "{again:?}");

    write(&Path::new(&site).join("maps/transport"), "example.org lmtp:@nowhere\n");
    let bad = switchyard(["map", "compile", &site, "--out", &path("bad")]);
    assert!(bad.code == Some(1) && bad.speech.contains("maps/transport:1:"), "{bad:?}");
    assert!(!Path::new(&path("bad/manifest.json")).exists(), "no set without a manifest");
}
