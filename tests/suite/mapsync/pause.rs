//! A hub that has no time for anybody is asked now and then, and found again by the first question that it answers.

use switchyard_tests::expect;
use switchyard_tests::peer::between::{Between, Request};

use super::world::World;

/// What a host hears by.
const EVENTS: &str = "GET /v1/events/";

/// Requests of a host that are no storm: its ears that ask again, and a word and a question beside them.
const IN_A_SECOND: usize = 12;

/// The most requests within one second of each other.
fn most_in_a_second(asked: &[Request]) -> usize {
    let since =
        |first: &Request| asked.iter().filter(|next| (0.0..1.0).contains(&(next.at - first.at))).count();
    asked.iter().map(since).max().unwrap_or_default()
}

#[test]
fn a_hub_that_is_busy_is_asked_now_and_then_and_found_again() {
    let mut world = World::new();
    let between = Between::start(world.hear_through(), world.hub(), &world.site.path("tls"), "hub", "mx1");
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    let first = between.asked(EVENTS).len();

    // It goes away, and what stands in its place is busy.
    between.set_busy(true);
    let before = between.asked("").len();
    world.kill_hub();
    let refused = || between.asked(EVENTS).len() - first;
    expect::holds("a host that asks again", || refused() >= 5);
    let asked = between.asked("").split_off(before);
    let most = most_in_a_second(&asked);
    assert!(most <= IN_A_SECOND, "{most} requests in a second: {asked:?}");

    // Back again: the next question is answered, and no other is needed.
    world.start_hub();
    between.set_busy(false);
    let refused = refused();
    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    assert_eq!(world.push(&[]).code, Some(0));
    expect::holds("generation 2 in use", || world.in_use() == Some(2));
    let more = between.asked(EVENTS).len() - first - refused;
    assert!(more <= 2, "{more} questions until it was found");
}
