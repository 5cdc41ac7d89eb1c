//! A set that waits on a host is asked beside the one in use, by the questions of real mail: where it says what nobody meant,
//! its rollout is undone before that host has it.

use std::fs;
use std::thread;

use switchyard_tests::expect;
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::switchyard;

use super::rejects::{WITHOUT, two_hosts};
use super::world::World;

/// The folder of each host's agent, and its mx's control socket.
const HOSTS: [(&str, &str); 2] = [("agent", "mx.sock"), ("agent2", "mx2.sock")];

/// The number of a host that goes by a generation.
fn one_by(world: &World, generation: u64) -> Option<usize> {
    let name = format!("{generation}-");
    HOSTS.iter().position(|(agent, _)| {
        let set = fs::read_link(world.site.path(agent).join("current")).unwrap_or_default();
        set.file_name().is_some_and(|set| set.to_string_lossy().starts_with(&name))
    })
}

#[test]
fn y14_a_set_that_would_answer_what_nobody_meant_is_undone_where_it_only_waits() {
    let (world, second) = two_hosts(|world| {
        world.write_mx_settings("[maps]\nvirtual_alias = [\"virtual_alias\", \"regexp:lists\"]\n");
        world.site.write("live/maps/lists", "/^list-(.*)@example\\.org$/ $1@example.org\n");
    });
    // What is meant is no reason to stop: Alice goes. What is not: no list has an address any more.
    world.write_recipients(WITHOUT);
    world.site.write("live/maps/lists", "/^(list-.*@example\\.org)$/ $1@example.org\n");
    let told = thread::scope(|scope| {
        let (live, with) = (world.site.path("live"), world.site.path("push.toml"));
        let pushed = scope.spawn(move || World::push_with(&live, &with, &["--staged"]));
        let first = expect::until("the first host to have it", || one_by(&world, 2));
        let waits = 1 - first;
        let socket = world.site.path(HOSTS[waits].1).display().to_string();
        expect::holds("the other host to ask it beside its own", || {
            switchyard(["map", "shadow", "--daemon", &socket]).code == Some(0)
        });
        let smtp = [world.mx_address, second.smtp][waits];
        let mut talk = Talk::hello(smtp);
        assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
        assert_eq!(talk.say("RCPT TO:<alice@example.org>").code, 250, "the set in use decides");
        assert_eq!(talk.say("RCPT TO:<list-postmaster@example.org>").code, 250, "the set in use decides");
        let report = switchyard(["map", "shadow", "--daemon", &socket, "--json"]);
        let differing = &report.json()["differing"];
        assert!(differing["verdict"]["intended"].as_u64() >= Some(1), "{report:?}");
        assert!(differing["unavailable"]["unexpected"].as_u64() >= Some(1), "{report:?}");
        pushed.join().expect("a push")
    });
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("generation 2: undone after "), "{told:?}");
    assert!(told.speech.contains(" answers differ on mx"), "{told:?}");
    assert!(!told.data.contains("step 2 of"), "{told:?}");
    expect::holds("both to go by generation 1", || one_by(&world, 2).is_none());
}
