//! A push reaches a host, and its daemon answers by it; a bad one never leaves the admin's machine, or the host's
//! staging; and whatever is killed comes back to the same.

use std::time::Instant;

use switchyard_tests::expect;

use super::world::World;

const ONE: &str = "postmaster@example.org\n";
const TWO: &str = "postmaster@example.org\nnew@example.org\n";

#[test]
fn a_pushed_site_is_what_a_running_mx_answers_by() {
    let mut world = World::new();
    let told = world.push(&["--note", "the first"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.data.contains("generation 1: ") && told.data.contains("released to all hosts"), "{told:?}");
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    world.start_mx();
    assert_eq!((world.answer("postmaster@example.org"), world.answer("new@example.org")), (250, 550));

    // Who has said a word is looked on.
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("mx1.example.org"));
    // Of a large table only what changed travels.
    let change = |world: &World| world.metric("fetched_bytes_total{what=\"change\"}").unwrap_or_default();
    let aliases = |last: &str| -> String {
        let alias = |number| format!("user{number:04}@example.org\tpostmaster@example.org\n");
        (0..2000).map(alias).chain([format!("{last}@example.org\tpostmaster@example.org\n")]).collect()
    };
    world.write_aliases(&aliases("x"));
    assert_eq!(world.push(&["--accept"]).code, Some(0));
    assert_eq!(change(&world), 0, "there was no such table before");
    world.write_aliases(&aliases("y"));
    assert_eq!(world.push(&[]).code, Some(0));
    assert_eq!(world.in_use(), Some(3));
    assert!((1..500).contains(&change(&world)), "{} octets", change(&world));

    world.write_recipients(TWO);
    let start = Instant::now();
    let told = world.push(&[]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.data.starts_with("~ maps/recipients "), "only what differs: {told:?}");
    let pushed = start.elapsed();
    assert!(told.data.contains("\n1 host uses it: first after "), "{told:?}");
    expect::holds("the mx to answer by generation 4", || world.answer("new@example.org") == 250);
    println!("pushed in {pushed:.0?}, answered by {:.0?} after the push began", start.elapsed());
    assert_eq!(world.push(&[]).data, "generation 4 says the same\n");

    let fleet = world.admin(&["fleet", "--json"]).json();
    let host = &fleet["hosts"][0];
    assert_eq!(
        (host["host"].as_str(), host["role"].as_str()),
        (Some("mx1.example.org"), Some("mx")),
        "{fleet}"
    );
    assert_eq!(host["progress"]["active"]["generation"].as_u64(), Some(4), "{fleet}");
    let told = world.admin(&["fleet"]);
    assert!(told.code == Some(0) && told.data.contains("uses    4  ready    4  well"), "{told:?}");

    // What breaks a behaviour is told, and never signed.
    world.write_recipients("new@example.org\n");
    let told = world.push(&[]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("behaviour \"the postmaster is there\" fails"), "{told:?}");

    // The way back is a new generation.
    world.write_recipients(ONE);
    let told = world.admin(&["rollback", "1"]);
    assert!(told.data.starts_with("generation 5 says what 1 said\n"), "{told:?}");
    expect::holds("the mx to answer as before", || world.answer("new@example.org") == 550);
    let told = world.admin(&["log"]);
    let lines: Vec<&str> = told.data.lines().collect();
    assert_eq!(lines.len(), 5, "{told:?}");
    assert!(lines[0].contains("as generation 1  [released to all hosts]"), "{told:?}");
    assert!(lines[4].contains("  ann  the first"), "{told:?}");
}

#[test]
fn y13_a_host_has_it_ready_and_stays_where_it_is_until_it_is_released() {
    let mut world = World::new();
    world.start_agent();
    assert_eq!(world.push(&[]).code, Some(0));
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    world.write_recipients(TWO);
    let told = world.push(&["--canary", "mx7.example.org"]);
    assert!(told.data.contains("released to mx7.example.org"), "{told:?}");
    expect::holds("generation 2 to be ready", || world.is_ready(2));
    assert_eq!(world.in_use(), Some(1));

    // Killed here, it has what it had; and with no hub to hear it stays.
    world.kill_agent();
    world.kill_hub();
    world.start_agent();
    expect::holds("the agent to look for its hub", || {
        world.log("agent.log").matches("is not heard").count() > 0
    });
    assert_eq!(world.in_use(), Some(1));
    world.start_hub();
    let told = world.admin(&["release", "2"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    expect::holds("generation 2 in use", || world.in_use() == Some(2));
}
