//! A map that the daemon may not read any more: it says so and where, and the old answers go on. One that was
//! never read is unavailable, which is no answer at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use switchyard_tests::expect;
use switchyard_tests::peer::free_address;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Told, switchyard};

/// Starts a daemon without what lets root read any file, as its unit does. Who is not root reads none anyway.
fn without_privilege() -> Vec<String> {
    let words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
    let is_root = rustix::process::geteuid().is_root();
    words.into_iter().filter(|_| is_root).map(str::to_owned).collect()
}

#[test]
fn a_map_made_unreadable_is_told_and_its_old_answers_go_on() {
    let site = Site::new();
    let mut router = site.router("router", free_address());
    router.wrapper = without_privilege();
    let socket = site.path("run/router.sock").display().to_string();
    router.settings.set("maps", "folder", &quoted(site.path("maps").display()));
    router.settings.set("maps", "relay_domains", &quoted("relay_domains"));
    router.settings.set("relay", "networks", "[]");
    router.settings.set("control", "socket", &quoted(&socket));
    router.start();

    let address = router.address();
    let file = site.path("maps/relay_domains");
    let allow = |mode| fs::set_permissions(&file, Permissions::from_mode(mode)).expect("our own file");
    let stat = || switchyard(["map", "stat", "--daemon", &socket]);
    let told = |told: &Told| {
        let line = format!("not in use: {}: cannot be read: Permission denied", file.display());
        told.code == Some(1) && told.speech.contains(&line)
    };
    let hear = |to: &str| {
        let mut talk = Talk::hello(address);
        assert_eq!(talk.say("MAIL FROM:<a@client.example>").code, 250);
        let heard = talk.say(&format!("RCPT TO:<{to}>"));
        (heard.code, heard.text)
    };
    allow(0o000);
    expect::holds("the unreadable file to be told", || told(&stat()));
    assert_eq!(hear("bob@example.org").0, 250, "the old answers go on");
    assert_eq!(hear("bob@other.example").0, 554);
    allow(0o644);
    expect::holds("the readable file to be in use", || stat().code == Some(0));

    allow(0o000);
    router.terminate();
    router.start();
    assert!(told(&stat()), "{:?}", stat());
    let (code, text) = hear("bob@example.org");
    assert!(code == 451 && text.starts_with("4.3.0"), "never a no: {code} {text}");
    allow(0o644);
    expect::holds("the map to answer", || hear("bob@example.org").0 == 250);
    assert_eq!(stat().code, Some(0));
}
