//! A hub that lost what it had, or has an old copy of it, gets no admin to sign a number twice.

use switchyard_tests::expect;
use switchyard_tests::tool::Told;

use super::world::World;

fn recipients(more: &str) -> String {
    format!("postmaster@example.org\n{more}@example.org\n")
}

/// Nothing was signed, and why is said.
fn is_refused(told: &Told, why: &str) {
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.speech.contains(why) && told.speech.contains("push.live.seen.json"), "{told:?}");
}

#[test]
fn y1_y7_a_number_is_signed_once_whatever_a_hub_has_left() {
    let mut world = World::new();
    assert_eq!(world.push(&[]).code, Some(0));
    let copy = world.copy_of_hub();
    world.write_recipients(&recipients("two"));
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("generation 2 in use", || world.in_use() == Some(2));

    world.write_recipients(&recipients("three"));
    world.put_hub_back(&copy);
    is_refused(&world.push(&[]), "it shows generation 1, and 2 was seen from here");
    is_refused(&world.push(&["--hub-lost"]), "it shows generation 1, and 2 was seen from here");
    is_refused(&world.admin(&["rollback", "1"]), "it shows generation 1");

    world.empty_hub();
    is_refused(&world.push(&[]), "it shows no generation, and 2 was seen from here");
    // Who only looks is told, and no more.
    let told = world.admin(&["log"]);
    assert!(told.code == Some(0) && told.speech.contains("it shows no generation"), "{told:?}");
    let told = world.push(&["--hub-lost"]);
    assert!(told.code == Some(0) && told.data.contains("generation 3: "), "{told:?}");
    assert!(told.data.contains("(release 3)"), "releases go on as well: {told:?}");
    expect::holds("generation 3 in use", || world.in_use() == Some(3));
    world.write_recipients(&recipients("four"));
    let told = world.push(&[]);
    assert!(told.code == Some(0) && told.data.contains("generation 4: "), "{told:?}");
}
