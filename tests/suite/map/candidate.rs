//! A set that changes too much waits for the operator's word, and a candidate is asked beside the maps in use:
//! as `switchyard map` shows them.

use std::fmt::Write as _;

use switchyard_tests::expect;
use switchyard_tests::peer::free_address;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Told, switchyard};

/// A router with a transport map, and its control socket.
fn router(site: &Site) -> (Daemon, String) {
    let mut router = site.router("router", free_address());
    let socket = site.path("run/router.sock").display().to_string();
    for (key, value) in [
        ("folder", site.path("maps").display().to_string()),
        ("candidate", site.path("next").display().to_string()),
    ] {
        router.settings.set("maps", key, &quoted(value));
    }
    for map in ["transport", "relay_domains"] {
        router.settings.set("maps", map, &quoted(map));
    }
    router.settings.set("control", "socket", &quoted(&socket));
    (router, socket)
}

fn ask(verb: &str, socket: &str) -> Told {
    switchyard(["map", verb, "--daemon", socket, "--json"])
}

/// A transport map of so many keys.
fn transport(keys: usize) -> String {
    (0..keys).fold(String::from("example.org smtp:[127.0.0.1]\n"), |mut text, number| {
        let _ = writeln!(text, "host{number}.example smtp:[127.0.0.1]");
        text
    })
}

fn entries(shown: &Told) -> Option<u64> {
    let maps = shown.json()["maps"].clone();
    maps.as_array()?.iter().find(|map| map["map"] == "transport")?["entries"].as_u64()
}

#[test]
fn a_set_that_shrinks_too_much_is_put_in_use_by_the_operators_word_only() {
    let site = Site::new();
    site.write("maps/transport", &transport(2000));
    let (mut router, socket) = router(&site);
    router.start();
    let nothing = ask("accept", &socket);
    assert!(nothing.code == Some(2) && nothing.speech.contains("no set waits to be accepted"), "{nothing:?}");

    site.write("maps/transport", &transport(20));
    let refused = expect::until("the small set to be refused", || {
        Some(ask("stat", &socket)).filter(|told| told.code == Some(1))
    });
    assert_eq!(entries(&refused), Some(2001), "the old set goes on: {refused:?}");
    let fault = refused.json()["faults"][0].to_string();
    assert!(fault.contains("1980 of its 2001 keys would be gone at once"), "{fault}");

    let accepted = ask("accept", &socket);
    assert_eq!((accepted.code, &accepted.json()["generation"]), (Some(0), &2.into()), "{accepted:?}");
    let now = ask("stat", &socket);
    assert_eq!((now.code, entries(&now)), (Some(0), Some(21)), "{now:?}");
}

#[test]
fn a_candidate_is_compared_by_what_real_mail_asks() {
    let site = Site::new();
    site.write("maps/transport", &transport(3));
    let (mut router, socket) = router(&site);
    router.start();
    let none = ask("shadow", &socket);
    assert!(none.code == Some(2) && none.speech.contains("no candidate is asked"), "{none:?}");

    std::fs::create_dir(site.path("next")).expect("a folder for the candidate");
    site.write("next/relay_domains", "example.org\nexample.net\n");
    site.write("next/transport", "example.org error:5.1.6 gone\n");
    expect::holds("the candidate to be asked", || ask("shadow", &socket).code == Some(0));

    let mut talk = Talk::hello(router.address());
    assert_eq!(talk.say("MAIL FROM:<a@client.example>").code, 250);
    assert_eq!(talk.say("RCPT TO:<bob@example.org>").code, 250, "only the set in use decides");
    assert_eq!(talk.say("RCPT TO:<bob@example.net>").code, 250);
    let report = ask("shadow", &socket);
    let json = report.json();
    let verdicts = &json["differing"]["verdict"];
    assert_eq!((&verdicts["intended"], &verdicts["unexpected"]), (&1.into(), &0.into()), "{json}");
    let example = &json["examples"][0];
    assert_eq!(
        (&example["map"], &example["asked"]),
        (&"transport".into(), &"bob@example.org".into()),
        "{json}"
    );
    assert_eq!(report.code, Some(0), "what was meant is no fault: {report:?}");
    let told = switchyard(["map", "shadow", "--daemon", &socket]);
    assert!(told.data.contains("\nintended:\n  transport bob@example.org (verdict)\n"), "{told:?}");
}
