//! A push that was cut off, or has nothing new to say: the next one does what is left to do.

use switchyard_tests::tool::write;

use super::world::World;

/// The admin's settings, with other words in them.
fn with(world: &World, old: &str, new: &str) {
    let settings = world.log("push.toml");
    assert!(settings.contains(old), "{settings}");
    write(&world.site.path("push.toml"), &settings.replace(old, new));
}

#[test]
fn a_site_that_nobody_changes_is_signed_anew_before_it_expires() {
    let world = World::new();
    with(&world, "author = ", "days = 1\nauthor = ");
    assert_eq!(world.push(&[]).code, Some(0));
    let told = world.push(&[]);
    assert_eq!((told.code, told.data.as_str()), (Some(0), "generation 1 says the same\n"), "{told:?}");
    with(&world, "days = 1\n", "days = 14\n");
    let told = world.push(&[]);
    assert!(told.code == Some(0) && told.speech.contains("signed anew for 14 days"), "{told:?}");
    assert!(told.data.contains("generation 2: ") && told.data.contains("(release 2)"), "{told:?}");
    assert_eq!(world.push(&[]).data, "generation 2 says the same\n");
}

#[test]
fn what_was_pushed_and_not_released_is_released_by_the_next_push() {
    let world = World::new();
    with(&world, "release.key", "ann.key");
    let told = world.push(&[]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.data.contains("generation 1: "), "{told:?}");
    assert!(told.speech.contains("generation 1 is pushed, and as far as is known not released"), "{told:?}");
    with(&world, "[\"ann.key\"]\n[tls]", "[\"release.key\"]\n[tls]");
    let told = world.push(&[]);
    assert!(told.code == Some(0) && told.data.starts_with("generation 1 says the same\n"), "{told:?}");
    assert!(told.data.contains("generation 1: released to all hosts"), "{told:?}");
    let told = world.push(&[]);
    assert_eq!((told.code, told.data.as_str()), (Some(0), "generation 1 says the same\n"), "{told:?}");
    let halted = world.admin(&["release", "1", "--halt"]);
    assert_eq!(halted.code, Some(0), "{halted:?}");
    let told = world.push(&[]);
    assert!(told.code == Some(1) && told.speech.contains("it is halted: switchyard release 1"), "{told:?}");
}
