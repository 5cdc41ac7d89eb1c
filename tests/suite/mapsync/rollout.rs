//! A generation by steps: the hub goes them as long as hosts say that all is well, and undoes what does harm, by
//! itself.

use switchyard_tests::expect;

use super::world::World;

const ONE: &str = "postmaster@example.org\n";
const TWO: &str = "postmaster@example.org\nnew@example.org\n";

/// A hub with these gates, and a host that uses generation 1.
fn world(gates: &str) -> World {
    let world = World::on_the_first(gates, ONE);
    world.write_recipients(TWO);
    world
}

#[test]
fn a_push_by_steps_is_everywhere_when_every_step_was_well() {
    let world = world("[rollout]\nbake = \"1s\"\nsilence = \"3s\"\n");
    assert_eq!(world.admin(&["rollout"]).data, "no rollout\n");
    let told = world.push(&["--staged"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.data.contains("generation 2: 2 steps, as releases 2 to 5\n"), "{told:?}");
    assert!(told.data.contains("generation 2: complete after "), "{told:?}");
    expect::holds("the mx to answer by generation 2", || world.answer("new@example.org") == 250);
    let told = world.admin(&["rollout"]);
    let line = "generation 2: complete: it is everywhere\n";
    assert!(told.code == Some(0) && told.data.starts_with(line), "{told:?}");
    assert!(told.data.contains("step 1 of 2: 1 host, 1 of them with it\n"), "{told:?}");

    // What is pushed after a rollout has a number above all of it.
    world.write_recipients(ONE);
    let told = world.push(&[]);
    assert!(told.code == Some(0) && told.data.contains("(release 6)"), "{told:?}");
    assert_eq!(world.admin(&["rollout"]).code, Some(0));
}

#[test]
fn what_kills_a_daemon_never_leaves_its_first_step_and_is_undone_by_itself() {
    // Longer than any scenario: no step is passed by the clock.
    let mut world = world("[rollout]\nbake = \"1h\"\nsilence = \"3s\"\n");
    let mut pushed = world.begin_push(&["--staged"]);
    pushed.holds("the first step", || world.in_use() == Some(2));
    world.kill_mx();
    let told = pushed.told();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("generation 2: undone after "), "{told:?}");
    assert!(told.speech.contains("daemons died 1 times on mx1.example.org"), "{told:?}");
    assert!(!told.data.contains("step 2 of 2"), "{told:?}");
    expect::holds("generation 1 in use again", || world.in_use() == Some(1));
    world.start_mx();
    assert_eq!(world.answer("new@example.org"), 550);

    // A hub that starts again does not begin with it again, and knows how it ended.
    world.kill_hub();
    world.start_hub();
    let told = expect::until("the hub to know how it ended", || {
        let told = world.admin(&["rollout"]);
        (told.data != "no rollout\n").then_some(told)
    });
    assert!(
        told.code == Some(1) && told.data.starts_with("generation 2: undone: the hub that ended it"),
        "{told:?}"
    );
    world.write_recipients("postmaster@example.org\nthird@example.org\n");
    assert_eq!(world.push(&[]).code, Some(0));
    expect::holds("the mx to answer by generation 3", || world.answer("third@example.org") == 250);
}

#[test]
fn a_push_whose_hub_dies_looks_on_no_more_and_its_rollout_stays_where_it_is() {
    let mut world = world("[rollout]\nbake = \"1h\"\nsilence = \"3s\"\n");
    let mut pushed = world.begin_push(&["--staged"]);
    pushed.holds("the first step", || world.in_use() == Some(2));
    pushed.holds("the hub to know", || world.admin(&["fleet"]).data.contains("uses    2"));
    world.kill_hub();
    let told = pushed.told();
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.speech.contains("the rollout goes on without us: switchyard rollout --watch"), "{told:?}");
    world.start_hub();
    let told = expect::until("the hub to go on with it", || {
        let told = world.admin(&["rollout"]);
        told.data.starts_with("generation 2: step 1 of 2: ").then_some(told)
    });
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!((world.in_use(), world.answer("new@example.org")), (Some(2), 250));
}
