//! `switchyard map`, as a person runs it: on files, and on running daemons.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use switchyard_tests::expect;
use switchyard_tests::tool::switchyard;
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
