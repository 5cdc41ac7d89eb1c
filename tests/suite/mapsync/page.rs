//! The page of the fleet in a browser: it says what hosts do while they do it.

use switchyard_tests::expect;
use switchyard_tests::peer::browser::{Mutual, Page};

use super::world::World;

#[test]
fn a_browser_sees_a_push_arrive() {
    let mut world = World::new();
    let hub = Mutual::start(world.hub_address, &world.site.path("tls"), "ann");
    let page = Page::open(&format!("http://{}/", hub.address()));
    let says = |title: &str| {
        expect::holds(&format!("the page to say `{title}`"), || page.title().as_deref() == Some(title));
    };
    says("0 of 0 use nothing – live");
    world.start_agent();
    let told = world.push(&[]);
    assert_eq!(told.code, Some(0), "{told:?}");
    says("1 of 1 use 1 – live");
    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    let told = world.push(&["--no-release"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(world.admin(&["release", "2"]).code, Some(0));
    says("1 of 1 use 2 – live");
}

#[test]
fn a_browser_sees_where_a_rollout_stands() {
    // Longer than any scenario: no step is passed by the clock.
    let mut world = World::with_hub("[rollout]\nbake = \"1h\"\nsilence = \"3s\"\n");
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("uses    1"));
    let hub = Mutual::start(world.hub_address, &world.site.path("tls"), "ann");
    let page = Page::open(&format!("http://{}/", hub.address()));
    let says = |title: &str| {
        expect::holds(&format!("the page to say `{title}`"), || page.title().as_deref() == Some(title));
    };
    says("1 of 1 use 1 – live");
    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    let mut pushed = world.begin_push(&["--staged"]);
    says("step 1 of 2, 1 of 1 use 2 – live");
    assert_eq!(world.admin(&["release", "2", "--halt"]).code, Some(0));
    says("halted, 1 of 1 use 2 – live");
    let told = pushed.told();
    assert!(told.data.contains("generation 2: overtaken after "), "{told:?}");
}
