//! Settings that come with a generation: who has to have the daemon read them is told.

use switchyard_tests::expect;

use super::world::World;

#[test]
fn a_setting_that_the_daemon_has_not_read_is_said_until_it_starts_anew() {
    let mut world = World::new();
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    world.start_mx();
    expect::holds("the agent to see the mx", || world.metric("daemon_seen") == Some(1));
    world.write_mx_settings("level = \"debug\"\n");
    assert_eq!(world.push(&[]).code, Some(0));
    let word = "well: mx has not read log.level yet: systemctl reload switchyard-mx.service";
    let told = expect::until("it to be said", || {
        let told = world.admin(&["fleet"]);
        told.data.contains(word).then_some(told)
    });
    assert!(told.code == Some(0) && told.data.contains("uses    2"), "{told:?}");

    let told = world.admin(&["diff", "1", "2"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let lines: Vec<&str> = told.data.lines().collect();
    assert!(lines[0].starts_with("~ role/mx.toml ("), "{told:?}");
    assert_eq!(lines[1..], ["    + level = \"debug\""], "{told:?}");
    let told = world.admin(&["diff", "2"]);
    assert_eq!((told.code, told.data.as_str()), (Some(0), ""), "{told:?}");

    // Who starts anew has not forgotten it: the hub knows only what is said now.
    world.kill_hub();
    world.kill_agent();
    world.start_hub();
    world.start_agent();
    expect::holds("it to be said again", || world.admin(&["fleet"]).data.contains(word));
    expect::holds("the agent to see the mx", || world.metric("daemon_seen") == Some(1));

    world.kill_mx();
    world.start_mx();
    expect::holds("it to be said no more", || !world.admin(&["fleet"]).data.contains("has not read"));
}
