//! Checks that all hosts are asked at once: what they say, who says otherwise, and who says nothing.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use switchyard_tests::expect;

use super::world::World;

#[test]
fn hosts_are_asked_and_answer_by_what_they_have_in_use() {
    let mut world = World::new();
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("the hub to know the host", || world.admin(&["fleet"]).data.contains("uses    1"));

    // It ends with the last answer: the wait is for a machine that has much else to do.
    let ask = |words: &[&str]| world.admin(&[&["fleet", "query", "--wait", "60"], words].concat());
    let told = ask(&[
        "generation",
        "state",
        "behaviours",
        "mail=postmaster@example.org",
        "mail=nobody@example.org,ann@client.example",
        "file=maps/recipients",
    ]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for line in [
        "generation\n      1 mx: 1 (mx1.example.org)\n",
        "state\n      1 mx: settled (mx1.example.org)\n",
        "behaviours\n      1 mx: 1 hold (mx1.example.org)\n",
        "mail=postmaster@example.org\n      1 mx: 250 ",
        "mail=nobody@example.org,ann@client.example\n      1 mx: refused: 550 ",
        "file=maps/recipients\n      1 mx: blake3-",
        "1 of 1 hosts answered within ",
    ] {
        assert!(told.data.contains(line), "{line:?} in {told:?}");
    }

    // What lies on the disk is looked at anew, each time.
    let recipients = world.site.path("agent/current/site/maps/recipients");
    fs::set_permissions(&recipients, fs::Permissions::from_mode(0o644)).expect("to spoil it");
    File::create(&recipients).and_then(|mut file| file.write_all(b"eve@example.org\n")).expect("to spoil it");
    let told = ask(&["file=maps/recipients", "--json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let told: serde_json::Value = serde_json::from_str(&told.data).expect("JSON");
    assert_eq!(told["hosts"][0]["findings"][0]["outcome"], "wrong", "{told}");

    let told = world.admin(&["fleet", "query", "generation", "--host", "gone.example.org", "--wait", "1"]);
    assert!(told.code == Some(1) && told.data.ends_with("silent: gone.example.org\n"), "{told:?}");
    assert_eq!(ask(&["weather"]).code, Some(2));
    assert!(world.log("hub.log").contains("hosts are asked"), "who asked what is to be found again");
}
