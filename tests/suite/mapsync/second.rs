//! To all hosts at once: what one admin begins, another one signs as well, and the hub takes nothing else past the
//! steps.

use std::fs;

use switchyard_tests::expect;
use switchyard_tests::tool::{Told, switchyard};

use super::credentials::make_root;
use super::world::World;

/// What begins so beside the admin's settings, and waits for somebody's signature.
fn waiting(world: &World, start: &str) -> String {
    let files = fs::read_dir(world.site.path("")).expect("a folder").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let name = names.into_iter().find(|name| name.starts_with(start)).expect("what waits");
    world.file(name)
}

/// How many begin so.
fn count(world: &World, start: &str) -> usize {
    let files = fs::read_dir(world.site.path("")).expect("a folder").flatten();
    files.filter(|file| file.file_name().to_string_lossy().starts_with(start)).count()
}

/// A verb of another admin's, who has the second key for releases.
fn bob(world: &World, words: &[&str]) -> Told {
    with_keys(world, "bob.toml", "\"second.key\"", words)
}

/// Somebody who has other keys to release with, or none.
fn with_keys(world: &World, file: &str, keys: &str, words: &[&str]) -> Told {
    world.site.write(file, &world.log("push.toml").replace("\"release.key\"", keys));
    let with = world.file(file);
    switchyard(words.iter().copied().chain(["--with", with.as_str()]))
}

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
    let waiting = waiting(&world, "release-1-");
    let waiting = waiting.as_str();
    world.start_agent();
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("ready    1"));
    assert_eq!(world.in_use(), None);

    // The same admin once more is no second one, and neither is who means another generation.
    let told = world.admin(&["release", "1", "--countersign", waiting]);
    assert!(told.code == Some(2) && told.speech.contains("somebody else's is needed"), "{told:?}");
    let told = bob(&world, &["release", "2", "--countersign", waiting]);
    assert!(told.code == Some(2) && told.speech.contains("it is of generation 1"), "{told:?}");

    let told = bob(&world, &["release", "1", "--countersign", waiting]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for line in [
        "generation 1 by ann, ",
        ": released to all hosts at once, until ",
        "generation 1: released to all hosts at once",
    ] {
        assert!(told.data.contains(line), "{line:?} in {told:?}");
    }
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    let told = bob(&world, &["release", "1", "--countersign", waiting]);
    assert!(told.code == Some(2) && told.speech.contains("it is to be begun anew"), "{told:?}");

    // With both keys at hand it is one word.
    let both = world.log("push.toml").replace("\"release.key\"", "\"release.key\", \"second.key\"");
    world.site.write("push.toml", &both);
    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    let told = world.push(&["--all-at-once"]);
    assert!(told.code == Some(0) && told.data.contains("released to all hosts at once"), "{told:?}");
    expect::holds("generation 2 in use", || world.in_use() == Some(2));
}

#[test]
fn where_the_root_asks_for_two_every_release_is_begun_by_one_and_signed_by_another() {
    let mut world = World::with_hub("[rollout]\nbake = \"1s\"\nsilence = \"3s\"\n");
    fs::remove_file(world.site.path("root.json")).expect("a root");
    make_root(&world.site, &["--release-threshold", "2"]);
    world.empty_hub();
    let waits = |told: &Told| {
        assert!(told.code == Some(1) && told.speech.contains("it needs one more signature"), "{told:?}");
    };
    waits(&world.push(&[]));
    // A timer that pushes again signs no second one, and one that is for other hosts is another.
    let file = waiting(&world, "release-1-");
    let told = world.push(&[]);
    waits(&told);
    assert!(told.speech.contains(&file), "{told:?}");
    assert_eq!(count(&world, "release-1-"), 1);
    waits(&world.admin(&["release", "1", "--canary", "elsewhere.example.org"]));
    assert_eq!(count(&world, "release-1-"), 2);
    let told = bob(&world, &["release", "1", "--countersign", &file]);
    assert!(
        told.code == Some(0) && told.data.contains("generation 1: released to all hosts, until "),
        "{told:?}"
    );
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));
    world.start_mx();
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("uses    1"));

    // All steps of a rollout at once, and its ends.
    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    waits(&world.push(&["--staged"]));
    waits(&world.push(&["--staged"]));
    assert_eq!(count(&world, "rollout-2-"), 1);
    assert_eq!(world.admin(&["rollout"]).data, "no rollout\n");
    let plan = waiting(&world, "rollout-2-");
    let told = world.admin(&["release", "2", "--countersign", &plan]);
    assert!(told.code == Some(2) && told.speech.contains("somebody else's is needed"), "{told:?}");
    let told = bob(&world, &["release", "2", "--countersign", &plan]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for line in [
        "generation 2 by ann, ",
        "the first step: released to mx1.example.org, ",
        "generation 2: complete after ",
    ] {
        assert!(told.data.contains(line), "{line:?} in {told:?}");
    }
    assert_eq!(world.in_use(), Some(2));

    let told = world.admin(&["release", "2", "--undo"]);
    assert!(told.data.starts_with("back to generation 1: mx1.example.org\n"), "{told:?}");
    waits(&told);
    assert_eq!(world.in_use(), Some(2));
    // The second one sees who goes back as the first one did, and may leave it at that.
    let undoing = waiting(&world, "release-2-");
    let told = bob(&world, &["release", "2", "--countersign", &undoing, "--dry-run"]);
    assert!(told.code == Some(0) && told.data.contains("undone: who uses it goes back"), "{told:?}");
    assert!(told.data.ends_with("\nback to generation 1: mx1.example.org\n"), "{told:?}");
    assert_eq!(world.in_use(), Some(2));
    // Looking takes no key.
    let mut words = vec!["release", "2", "--countersign", &undoing];
    let refused = with_keys(&world, "eve.toml", "", &words);
    words.push("--dry-run");
    let looked = with_keys(&world, "eve.toml", "", &words);
    assert_eq!((looked.code, looked.data), (told.code, told.data));
    assert!(refused.code == Some(2) && refused.speech.contains("somebody else releases"), "{refused:?}");
    let told = bob(&world, &["release", "2", "--countersign", &undoing]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.data.contains("\nback to generation 1: mx1.example.org\ngeneration 2: undone: "),
        "{told:?}"
    );
    expect::holds("generation 1 in use again", || world.in_use() == Some(1));
}
