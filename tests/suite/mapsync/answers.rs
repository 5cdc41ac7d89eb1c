//! A push whose answer is lost: it finds what it brought, at the same hub or at another one, and nothing is pushed twice.

use switchyard_tests::expect;
use switchyard_tests::peer::between::{Between, Spoil};
use switchyard_tests::tool::{Told, write};

use super::cluster::Cluster;
use super::world::World;

const HEADS: &str = "POST /v1/generations/";
const RELEASES: &str = "POST /v1/releases/";
const FOUND: &str = "its answer was lost: ";

fn recipients(more: &str) -> String {
    format!("postmaster@example.org\n{more}@example.org\n")
}

fn is_pushed(told: &Told, generation: u64, was_lost: bool) {
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.data.contains(&format!("generation {generation}: ")), "{told:?}");
    assert!(told.data.contains(&format!("(release {generation})")), "{told:?}");
    assert_eq!(told.speech.contains(FOUND), was_lost, "{told:?}");
}

#[test]
fn a_push_whose_answer_is_lost_finds_what_it_brought() {
    let world = World::new();
    let at = world.site.free_address();
    let between = Between::start(at, world.hub(), &world.site.path("tls"), "hub", "ann");
    let through = world.log("push.toml").replace(&world.hub().to_string(), &at.to_string());
    write(&world.site.path("push.toml"), &through);

    is_pushed(&world.push(&[]), 1, false);
    // What is told of a request comes by a pipe, and may be read after the push has ended.
    let posts = |heads, releases| {
        let came = || (between.asked(HEADS).len(), between.asked(RELEASES).len());
        expect::holds("each request to be told", || came() >= (heads, releases));
        assert_eq!(came(), (heads, releases));
    };
    posts(1, 1);

    // The hub has taken it, and nobody says so: it is found, and not brought again.
    between.spoil(Spoil::Lose, HEADS);
    world.write_recipients(&recipients("two"));
    is_pushed(&world.push(&[]), 2, true);
    posts(2, 2);

    between.spoil(Spoil::Lose, RELEASES);
    world.write_recipients(&recipients("three"));
    is_pushed(&world.push(&[]), 3, true);
    posts(3, 3);

    // The hub has never heard of it: the same octets are brought once more.
    between.spoil(Spoil::Drop, HEADS);
    world.write_recipients(&recipients("four"));
    is_pushed(&world.push(&[]), 4, true);
    posts(5, 4);

    let told = world.admin(&["log"]);
    assert_eq!(told.data.lines().count(), 4, "no generation stands there twice: {told:?}");
    assert!(told.data.contains("[released to all hosts]"), "{told:?}");
}

#[test]
fn a_push_whose_hub_dies_before_it_answers_finds_it_at_another_hub() {
    let cluster = Cluster::new();
    let at = cluster.site.free_address();
    let tls = cluster.site.path("tls");
    let between = Between::start(at, cluster.addresses[0], &tls, "hub0", "ann");
    let with = cluster.site.path("push.toml");
    let first = std::fs::read_to_string(&with).expect("settings");
    write(&with, &first.replacen(&cluster.addresses[0].to_string(), &at.to_string(), 1));

    cluster.write_site("one", "new1");
    between.spoil(Spoil::Die, HEADS);
    let told = cluster.push(None, "one");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.speech.contains(&format!("{FOUND}{}", cluster.addresses[1])), "{told:?}");
    cluster.shows(1, 1);
    cluster.shows(0, 1);
}
