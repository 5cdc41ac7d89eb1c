//! What a behaviour that can't be run gets: file and line, what would be right, and exit code 2.

use std::path::Path;

use switchyard_tests::peer::free_address;
use switchyard_tests::tool::{example, switchyard, write};

#[test]
fn a_behaviour_that_is_none_is_told_with_its_place() {
    let (_folder, site) = example();
    let file = Path::new(&site).join("behaviours/more.toml");
    write(&file, "[[behaviour]]\nname = 'n'\nfrom = ''\nto = 'a@b.example'\nrepyl = 250\n");
    let fault =
        format!("{}:5:1: unknown key `repyl` in [[behaviour]]; did you mean `reply`?\n", file.display());
    let told = switchyard(["behave", &site]);
    assert_eq!((told.code, told.data.as_str(), told.speech.as_str()), (Some(2), "", fault.as_str()));
    let checked = switchyard(["check", &site]);
    assert_eq!((checked.code, checked.speech.as_str()), (Some(1), fault.as_str()), "{checked:?}");
}

#[test]
fn a_run_that_can_ask_nothing_is_a_slip() {
    let (_folder, site) = example();
    let nowhere = free_address();
    for (arguments, why) in [
        (vec!["--only", "no such*"], "no behaviour has this role and a name that fits".to_owned()),
        (vec!["--role", "hub"], "no mail passes a host of the role `hub`".to_owned()),
        (vec!["--against", "mx"], "`mx` is no server: write HOST:PORT".to_owned()),
        (vec!["--catch", "127.0.0.1:1"], "--against".to_owned()),
        (vec!["--against", "old=127.0.0.1:1"], "old: nobody answers at 127.0.0.1:1".to_owned()),
    ] {
        let told = switchyard(["behave", &site].iter().chain(&arguments));
        assert_eq!((told.code, told.data.as_str()), (Some(2), ""), "{arguments:?}: {told:?}");
        assert!(told.speech.contains(&why), "{arguments:?}: {told:?}");
    }
    let against = format!("new={nowhere}");
    let told = switchyard(["behave", &site, "--against", &against]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.speech.contains(&format!("new: nobody answers at {nowhere}")), "{told:?}");
    write(&Path::new(&site).join("behaviours/mx.toml"), "");
    let told = switchyard(["behave", &site]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.speech.contains("mx.toml: no behaviour stands here"), "{told:?}");
}
