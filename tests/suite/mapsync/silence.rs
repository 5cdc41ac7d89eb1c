//! All hubs are gone, for a week and for a month: mail goes by what is in use, and how old that is is said aloud.
//!
//! The clock of host and daemon is libfaketime's; it jumps while they run.

use switchyard_tests::expect;
use switchyard_tests::tool::write;

use super::world::World;
use crate::load::faketime;

const DAY: u64 = 24 * 3600;

/// The agent says that what is in use is so old, and the mx takes mail by it.
fn days_pass(world: &World, days: u64) {
    write(&world.site.path("clock"), &format!("+{days}d\n"));
    let is_old = |age| (days * DAY..(days + 1) * DAY).contains(&age);
    expect::holds("the age to be told", || world.metric("age_seconds").is_some_and(is_old));
    mail_flows(world);
}

fn mail_flows(world: &World) {
    assert_eq!(world.answer("postmaster@example.org"), 250);
    assert_eq!(world.answer("nobody@example.org"), 550);
    assert_eq!(world.in_use(), Some(1));
}

#[test]
fn hubs_are_gone_for_thirty_days_and_mail_flows() {
    let library = faketime().expect("libfaketime: run `cargo xtask peers`");
    let mut world = World::with_hub("");
    world.site.write("clock", "+0\n");
    world.environment = vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", world.site.path("clock").display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let mut world = world.with_first("postmaster@example.org\n");
    world.kill_hub();

    // A week of silence: signed for two, nothing has expired, and the age rises.
    days_pass(&world, 7);
    assert_eq!((world.metric("expired"), world.metric("alarms")), (Some(0), Some(0)));

    // Thirty days: what is in use has expired, stays in use, and people are told.
    days_pass(&world, 30);
    expect::holds("the end to be told", || world.metric("expired") == Some(1));
    expect::holds("an alarm", || world.metric("alarms") > Some(0));
    let said = "the generation in use expired at ";
    expect::holds("the log to say it", || world.log("agent.log").contains(said));

    // Both begin anew on that day, and nobody is there to ask.
    world.kill_agent();
    world.kill_mx_alone();
    world.start_agent();
    world.start_mx();
    expect::holds("the end to be told again", || world.metric("expired") == Some(1));
    mail_flows(&world);
}
