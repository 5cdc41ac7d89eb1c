//! To all hosts at once: what one admin begins, another one signs as well, and the hub takes nothing else past the steps.

use std::fs;

use switchyard_tests::expect;
use switchyard_tests::tool::switchyard;

use super::world::World;

#[test]
fn past_every_step_goes_only_what_two_admins_have_signed() {
    let mut world = World::with_hub("[rollout]\nsecond_signature = true\n");
    let told = world.push(&[]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("that needs a second signature here (--all-at-once)"), "{told:?}");
    assert_eq!(world.admin(&["release", "1", "--canary", "elsewhere.example.org"]).code, Some(0));

    // Begun by one: nothing is in force, and nothing is lost.
    let told = world.admin(&["release", "1", "--all-at-once"]);
    assert!(told.code == Some(1) && told.speech.contains("it needs one more signature"), "{told:?}");
    let files = fs::read_dir(world.site.path("")).expect("a folder").flatten();
    let mut files = files.filter(|file| file.file_name().to_string_lossy().starts_with("release-1-"));
    let waiting = files.next().expect("a release that waits").path();
    let waiting = waiting.to_str().expect("a plain path");
    world.start_agent();
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("ready    1"));
    assert_eq!(world.in_use(), None);

    // The same admin once more is no second one, and neither is who means another generation.
    let told = world.admin(&["release", "1", "--countersign", waiting]);
    assert!(told.code == Some(2) && told.speech.contains("somebody else's is needed"), "{told:?}");
    world.site.write("bob.toml", &world.log("push.toml").replace("release.key", "second.key"));
    let with = world.site.path("bob.toml");
    let bob = |words: &[&str]| {
        let with = with.to_str().expect("a plain path");
        switchyard(words.iter().copied().chain(["--with", with]))
    };
    let told = bob(&["release", "2", "--countersign", waiting]);
    assert!(told.code == Some(2) && told.speech.contains("it is of generation 1"), "{told:?}");

    let told = bob(&["release", "1", "--countersign", waiting]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for line in [
        "generation 1 by ann, ",
        ": all hosts at once, until ",
        "generation 1: released to all hosts at once",
    ] {
        assert!(told.data.contains(line), "{line:?} in {told:?}");
    }
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    let told = bob(&["release", "1", "--countersign", waiting]);
    assert!(told.code == Some(2) && told.speech.contains("it is to be begun anew"), "{told:?}");

    // With both keys at hand it is one word.
    let both = world.log("push.toml").replace("\"release.key\"", "\"release.key\", \"second.key\"");
    world.site.write("push.toml", &both);
    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    let told = world.push(&["--all-at-once"]);
    assert!(told.code == Some(0) && told.data.contains("released to all hosts at once"), "{told:?}");
    expect::holds("generation 2 in use", || world.in_use() == Some(2));
}
