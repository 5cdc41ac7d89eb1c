//! The one step back: a host makes it by itself when its daemon dies, and all make it when a release is undone.

use switchyard_tests::expect;

use super::world::World;

const ONE: &str = "postmaster@example.org\n";
const TWO: &str = "postmaster@example.org\nnew@example.org\n";

/// A host that uses generation 2, and used 1 before; its mx runs.
fn on_the_second() -> World {
    let world = World::on_the_first("", ONE);
    world.write_recipients(TWO);
    let told = world.push(&[]);
    assert!(told.code == Some(0) && told.data.contains("1 host uses it: first after "), "{told:?}");
    expect::holds("the mx to answer by generation 2", || world.answer("new@example.org") == 250);
    world
}

/// Its way back is one step, told, and the next generation is taken.
fn is_back_until_the_third(world: &World, why: &str) {
    expect::holds("generation 1 in use again", || world.in_use() == Some(1));
    expect::holds("the mx to answer as before", || world.answer("new@example.org") == 550);
    let told = expect::until("the fleet to know", || {
        let told = world.admin(&["fleet"]);
        told.data.contains("went back").then_some(told)
    });
    assert!(told.code == Some(1) && told.data.contains(why), "{told:?}");
    let told = world.admin(&["fleet", "--nagios"]);
    let line = "SWITCHYARD WARNING: 1 of 1 hosts unwell, generation 2\n";
    assert_eq!((told.code, told.data.as_str()), (Some(1), line), "{told:?}");
    let told = world.admin(&["release", "2"]);
    assert!(told.code == Some(1) && told.speech.contains("mx1.example.org: went back from it"), "{told:?}");

    world.write_recipients("postmaster@example.org\nthird@example.org\n");
    assert_eq!(world.push(&[]).code, Some(0));
    expect::holds("the mx to answer by generation 3", || world.answer("third@example.org") == 250);
    assert_eq!(world.metric("flips_total{way=\"back\"}"), Some(1));
}

#[test]
fn y14_a_host_whose_daemon_dies_twice_goes_back_by_itself() {
    let mut world = on_the_second();
    world.kill_mx();
    assert_eq!(world.in_use(), Some(2), "once is not enough");
    world.start_mx();
    world.kill_mx();
    expect::holds("generation 1 in use again", || world.in_use() == Some(1));
    world.start_mx();
    is_back_until_the_third(&world, "daemons died 2 times within 60 s of it");
}

#[test]
fn y14_hosts_go_back_from_what_is_undone_and_do_not_take_it_again() {
    let world = on_the_second();
    // Who has it is looked at first.
    let told = world.admin(&["release", "1", "--undo"]);
    assert!(
        told.code == Some(2) && told.speech.starts_with("no host that the hub has heard has generation 1"),
        "{told:?}"
    );
    let back = "back to generation 1: mx1.example.org\n";
    let told = world.admin(&["release", "2", "--undo", "--dry-run"]);
    assert_eq!((told.code, told.data.as_str()), (Some(0), back), "{told:?}");
    assert_eq!(world.in_use(), Some(2));
    let told = world.admin(&["release", "2", "--undo"]);
    assert!(told.data.starts_with(back), "{told:?}");
    // A host that is quick is back before anybody looks.
    let is_said = |what: &str| told.data.contains(what);
    assert!(is_said("\n1 host went back: first after ") || is_said("\nno host used it\n"), "{told:?}");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(world.admin(&["log"]).data.contains("[undone]"));
    is_back_until_the_third(&world, "its release was undone");
}

#[test]
fn what_is_released_is_undone_although_the_hub_has_heard_no_host_yet() {
    let world = World::new();
    assert_eq!(world.push(&[]).code, Some(0));
    let told = world.admin(&["release", "1", "--undo"]);
    assert!(told.code == Some(0) && told.data.contains("undone: who uses it goes back"), "{told:?}");
    assert!(told.speech.contains("no host that the hub has heard has generation 1 yet"), "{told:?}");
    // Once is enough.
    let told = world.admin(&["release", "1", "--undo"]);
    assert!(told.code == Some(2) && told.speech.contains("nothing is undone"), "{told:?}");
}
