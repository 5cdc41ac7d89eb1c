//! A large text of which a host fetched only what changed: it follows the set, and nobody who reads it finds less than
//! was signed.

use switchyard_tests::expect;

use super::world::World;

/// More than a mebioctet in the spelling that travels as a table; the last line says which it is.
fn aliases(last: &str) -> String {
    let alias = |number| format!("user{number:06}@example.org\tpostmaster@example.org\n");
    (0..30_000).map(alias).chain([format!("{last}@example.org\tpostmaster@example.org\n")]).collect()
}

fn fetched(world: &World, what: &str) -> u64 {
    world.metric(&format!("fetched_bytes_total{{what=\"{what}\"}}")).unwrap_or_default()
}

#[test]
fn a_large_text_that_changed_is_there_for_whoever_reads_it() {
    let mut world = World::new();
    world.write_aliases(&aliases("x1"));
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    world.start_mx();
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("uses    1"));
    let whole = fetched(&world, "whole");
    assert!(whole > 0 && fetched(&world, "change") == 0);
    let (text, later) = ("agent/current/site/maps/virtual_alias", "agent/current/later");
    let is_left = |world: &World| world.site.path(later).exists() && !world.site.path(text).exists();
    // Begins a push, and tells whether its text was left when the host had it in use.
    let begin = |world: &World, generation: u64| {
        world.write_aliases(&aliases(&format!("x{generation}")));
        let push = world.begin_push(&[]);
        expect::holds("a generation in use", || world.in_use() == Some(generation));
        (push, is_left(world))
    };
    let answers = |world: &World, generation: u64| {
        let alias = format!("x{generation}@example.org");
        expect::holds("the mx to answer by it", || world.answer(&alias) == 250);
    };
    // One after the other, which is seldom so late that the text of the one before has been written.
    let mut left = 0;
    for generation in 2..=4 {
        let (mut push, is_left) = begin(&world, generation);
        left += u32::from(is_left);
        let told = world.admin(&["fleet", "query", "--wait", "60", "file=maps/virtual_alias", "behaviours"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        answers(&world, generation);
        assert_eq!(push.told().code, Some(0));
    }
    assert!(left > 0, "no text was left for later");
    assert_eq!(fetched(&world, "whole"), whole, "only what changed came");

    // Nor is it lost when the agent dies before it came to that; on a machine that stood still meanwhile, the next time.
    let mut dies_before = |generation: &u64| {
        let (mut push, is_left) = begin(&world, *generation);
        world.kill_agent();
        world.start_agent();
        assert_eq!(push.told().code, Some(0));
        is_left
    };
    let last = (5..15).find(|generation| dies_before(generation)).expect("an agent that dies at once");
    expect::holds("the text in its place", || world.log(text) == aliases(&format!("x{last}")));
    expect::holds("nothing left for later", || !world.site.path(later).exists());
    let (mut push, _) = begin(&world, last + 1);
    answers(&world, last + 1);
    assert_eq!(push.told().code, Some(0));
    let since_the_start = ["whole", "change"].map(|what| fetched(&world, what));
    assert!(since_the_start[0] == 0 && since_the_start[1] > 0, "{since_the_start:?}");
}
