//! An upgrade that makes sets in another way: what is in use is made again, before a daemon needs it.

use std::fs;
use std::os::unix::fs::symlink;

use switchyard_tests::expect;
use switchyard_tests::tool::write;

use super::world::World;

#[test]
fn a_set_that_another_version_made_is_made_again() {
    let mut world = World::on_the_first("", "postmaster@example.org\n");
    world.kill_agent();
    world.kill_mx_alone();
    // Nobody to ask.
    world.kill_hub();

    // As it was left by a version that knew nothing of this one's tables.
    let link = world.site.path("agent/current");
    let set = fs::read_link(&link).expect("a set in use");
    let name = set.file_name().and_then(|name| name.to_str()).expect("a set's name").to_owned();
    let (before, _) = name.rsplit_once('-').expect("how it is made");
    let sets = world.site.path("agent/sets");
    fs::rename(sets.join(&name), sets.join(before)).expect("its name of before");
    let manifest = sets.join(before).join("maps/manifest.json");
    fs::remove_file(&manifest).expect("a manifest");
    write(&manifest, "{\"format\":1,\"maps\":{}}");
    fs::remove_file(&link).expect("a link");
    symlink(set.with_file_name(before), &link).expect("a link to it");

    world.start_agent();
    let is_made = || fs::read_link(&link).is_ok_and(|set| set.ends_with(&name));
    expect::holds("this version's set in use", is_made);
    expect::holds("what was before to go", || !sets.join(before).exists());
    world.start_mx();
    assert_eq!(world.answer("postmaster@example.org"), 250);
    assert_eq!(world.answer("nobody@example.org"), 550);
}
