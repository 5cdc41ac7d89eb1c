//! The example site: its behaviours hold in its folder and at work.

use std::fs;

use switchyard_tests::tool::{example, switchyard};
use switchyard_tests::up::Up;

use super::{states, unasked};

#[test]
fn the_examples_behaviours_hold_in_its_folder() {
    let (_folder, site) = example();
    let told = switchyard(["behave", &site]);
    assert_eq!((told.code, told.speech.as_str()), (Some(0), ""), "{told:?}");
    assert!(
        told.data.ends_with("maps: 9 behaviours hold; 3 things that they want not asked here\n"),
        "{told:?}"
    );
    assert!(!told.data.contains('\u{1b}'), "no colours where no terminal is: {told:?}");
    let strict = switchyard(["behave", "--strict", &site]);
    assert_eq!(
        (strict.code, &strict.data),
        (Some(1), &told.data),
        "what is not asked counts, and looks the same"
    );
}

#[test]
fn they_hold_at_work_and_what_arrives_is_looked_at() {
    let up = Up::start();
    let site = up.site().display().to_string();
    let mx = format!("mx={}", up.mx());
    let told = switchyard(["behave", &site, "--against", &mx, "--json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(unasked(&told, "mx") > 0, "nobody looks at what arrives: {told:?}");

    let catch = format!("mailboxes={}", up.mail_folder().display());
    let junit = up.site().join("run.xml");
    let told = switchyard([
        "behave",
        &site,
        "--against",
        &mx,
        "--maildir",
        &catch,
        "--json",
        "--junit",
        junit.to_str().expect("a plain path"),
    ]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let states = states(&told, "mx");
    assert!(states.len() == 9 && states.iter().all(|(_, state)| state == "holds"), "{states:?}");
    // The maps' own words for a route are not to be seen from outside.
    assert_eq!(unasked(&told, "mx"), 4, "{told:?}");
    let xml = fs::read_to_string(junit).expect("a JUnit file");
    assert!(
        xml.contains("<testsuite name=\"mx\" tests=\"9\" failures=\"0\" errors=\"0\" skipped=\"0\">"),
        "{xml}"
    );
    assert!(up.interrupt().success());
}
