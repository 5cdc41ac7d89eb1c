//! A set that waits on a host is asked beside the one in use, by the questions of real mail: where it says what
//! nobody meant, its rollout is undone before that host has it. What was mended goes the same steps, is asked the
//! same, and comes to be in use.

use std::fs;
use std::net::SocketAddr;

use switchyard_tests::expect;
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Running, switchyard, write};

use super::rejects::{WITHOUT, two_hosts};
use super::world::World;

/// The folder of each host's agent, and its mx's control socket.
const HOSTS: [(&str, &str); 2] = [("agent", "mx.sock"), ("agent2", "mx2.sock")];
/// A mailbox of the organisation has a list of its name, and after a slip none has.
const LISTS: &str = "/^list-(.*)@example\\.org$/ $1@example.org\n";
const SLIP: &str = "/^(list-.*@example\\.org)$/ $1@example.org\n";

/// Whether each host goes by a generation.
fn by(world: &World, generation: u64) -> [bool; 2] {
    let name = format!("{generation}-");
    HOSTS.map(|(agent, _)| {
        let set = fs::read_link(world.site.path(agent).join("current")).unwrap_or_default();
        set.file_name().is_some_and(|set| set.to_string_lossy().starts_with(&name))
    })
}

/// Waits until one host goes by a generation and the other asks it beside its own: the number of that other, and its
/// socket.
fn one_waits(world: &World, pushed: &mut Running, generation: u64) -> (usize, String) {
    let first = pushed.until("the first host to have it", || by(world, generation).iter().position(|is| *is));
    let waits = 1 - first;
    let socket = world.site.path(HOSTS[waits].1).display().to_string();
    pushed.holds("the other host to ask it beside its own", || {
        switchyard(["map", "shadow", "--daemon", &socket]).code == Some(0)
    });
    (waits, socket)
}

/// Mail for somebody, and for a list, that the set in use has both.
fn ask(smtp: SocketAddr) {
    let mut talk = Talk::hello(smtp);
    assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
    assert_eq!(talk.say("RCPT TO:<alice@example.org>").code, 250, "the set in use decides");
    assert_eq!(talk.say("RCPT TO:<list-postmaster@example.org>").code, 250, "the set in use decides");
}

#[test]
fn y14_a_set_that_would_answer_what_nobody_meant_is_undone_where_it_only_waits() {
    let (mut world, second) = two_hosts(|world| {
        world.write_mx_settings("[maps]\nvirtual_alias = [\"virtual_alias\", \"regexp:lists\"]\n");
        world.site.write("live/maps/lists", LISTS);
    });
    let smtp = [world.mx_address, second.smtp];
    // What is meant is no reason to stop: Alice goes. What is not: no list has an address any more.
    world.write_recipients(WITHOUT);
    write(&world.site.path("live/maps/lists"), SLIP);
    let mut pushed = world.begin_push(&["--staged"]);
    let (waits, socket) = one_waits(&world, &mut pushed, 2);
    ask(smtp[waits]);
    let report = switchyard(["map", "shadow", "--daemon", &socket, "--json"]);
    let differing = &report.json()["differing"];
    assert!(differing["verdict"]["intended"].as_u64() >= Some(1), "{report:?}");
    assert!(differing["unavailable"]["unexpected"].as_u64() >= Some(1), "{report:?}");
    let told = pushed.told();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("generation 2: undone after "), "{told:?}");
    assert!(told.speech.contains(" answers differ on mx"), "{told:?}");
    assert!(!told.data.contains("step 2 of"), "{told:?}");
    expect::holds("both to go by generation 1", || by(&world, 2) == [false; 2]);

    // Mended, it is asked the same where it waits, and only Alice makes a difference, who goes.
    write(&world.site.path("live/maps/lists"), LISTS);
    let mut pushed = world.begin_push(&["--staged"]);
    let (waits, socket) = one_waits(&world, &mut pushed, 3);
    pushed.holds("mail to make no difference but the one that is meant", || {
        ask(smtp[waits]);
        let told = switchyard(["map", "shadow", "--daemon", &socket, "--json"]);
        told.code == Some(0) && told.json()["differing"]["verdict"]["intended"].as_u64() >= Some(1)
    });

    // A hub that is less patient takes it up where it is, and it passes every step.
    world.kill_hub();
    let told = pushed.told();
    assert_eq!(told.code, Some(3), "its end was not heard: {told:?}");
    let patient = world.log("hub.toml");
    write(&world.site.path("hub.toml"), &patient.replace("bake = \"1h\"", "bake = \"1s\""));
    world.start_hub();
    let line = "generation 3: complete: it is everywhere\n";
    expect::holds("it to be everywhere", || world.admin(&["rollout"]).data.starts_with(line));
    assert_eq!(by(&world, 3), [true; 2]);
    for smtp in smtp {
        let mut talk = Talk::hello(smtp);
        assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
        assert_eq!(talk.say("RCPT TO:<list-postmaster@example.org>").code, 250);
        assert_eq!(talk.say("RCPT TO:<alice@example.org>").code, 550);
    }
}
