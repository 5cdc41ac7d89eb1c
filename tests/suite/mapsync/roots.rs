//! Keys are replaced: the next root comes to the hub by hand of an admin, and from then on other keys count everywhere.

use switchyard_tests::expect;
use switchyard_tests::tool::switchyard;

use super::world::World;

#[test]
fn keys_that_are_replaced_count_no_more_and_the_new_ones_do() {
    let mut world = World::new();
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));

    let path = |name: &str| world.site.path(name).to_str().expect("a plain path").to_owned();
    let told = switchyard(["key", "new", &path("bob.key")]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let next = |push: &str, sign: &str, out: &str| {
        let [old, push, sign, out] = ["root.json", push, sign, out].map(path);
        switchyard([
            "key",
            "root",
            "--after",
            &old,
            "--push",
            &push,
            "--root-threshold",
            "1",
            "--sign",
            &sign,
            "--out",
            &out,
        ])
    };
    assert_eq!(next("bob.key", "root.key", "root.2.json").code, Some(0));
    assert_eq!(next("bob.key", "ann.key", "forged.json").code, Some(1), "one signature is missing");

    let as_boss = world.log("push.toml").replace("tls/ann", "tls/boss").replace("\"ann.key\"", "\"bob.key\"");
    world.site.write("boss.toml", &as_boss);
    let boss = |words: &[&str]| {
        let with = path("boss.toml");
        switchyard(words.iter().copied().chain(["--with", with.as_str()]))
    };
    let told = world.admin(&["key", "bring", &path("root.2.json")]);
    assert!(told.code == Some(2) && told.speech.contains("has no right to POST"), "{told:?}");
    let told = boss(&["key", "bring", &path("forged.json")]);
    assert!(told.code == Some(2) && told.speech.contains("no host would take it"), "{told:?}");
    let told = boss(&["key", "bring", &path("root.2.json")]);
    assert!(told.code == Some(0) && told.data.starts_with("root 2 is in force, until "), "{told:?}");

    world.write_recipients("postmaster@example.org\nnew@example.org\n");
    let told = world.push(&[]);
    assert_eq!(told.code, Some(2), "{told:?}");
    let told = boss(&["push", &path("live"), "--accept"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    expect::holds("what the new key signed in use", || world.recipients_in_use().contains("new@example.org"));
}
