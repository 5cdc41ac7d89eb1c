//! A filter beside the mx and one beside the router, each because a layer of the site says how that host filters.

use std::fs;

use switchyard_tests::expect;
use switchyard_tests::peer::swaks::swaks;
use switchyard_tests::tool::{switchyard, write};
use switchyard_tests::up::Up;

const ALICE: &str = "alice@example.org";

#[test]
fn up_starts_the_filters_that_the_site_has_and_takes_their_new_settings() {
    let up = Up::start();
    let layer = |up: &Up, role: &str, field: &str| {
        let folder = up.site().join("role").join(role);
        fs::create_dir_all(&folder).expect("a folder");
        let table = format!("static:{{add {field}: yes}}");
        write(&folder.join("milter.toml"), &format!("[maps]\nrecipient_headers = \"{table}\"\n"));
    };
    layer(&up, "mx", "X-Edge");
    layer(&up, "router", "X-Inner");
    let checked = switchyard(["check", up.site().to_str().expect("a plain path")]);
    assert_eq!(checked.code, Some(0), "{}", checked.speech);
    let up = up.again();
    let writes = format!("SMTP and LMTP, writes {}\n", up.mail_folder().display());
    // It listens a moment before it says so.
    let says = |line: &str| expect::holds(&format!("`{line}` in its log"), || up.log().contains(line));
    says(&writes);
    for at in [up.mx(), up.router()] {
        says(&format!("filter    asked by {at}, metrics"));
    }
    let messages = |count: usize| {
        let outcome = swaks(up.mx(), ALICE, &[]);
        assert!(outcome.well, "{}", outcome.transcript);
        expect::holds("the message in the Maildir", || up.mail(ALICE).len() == count);
        up.mail(ALICE).concat()
    };
    let has = |messages: &[u8], field: &str| {
        String::from_utf8_lossy(messages).contains(&format!("\r\n{field}: yes\r\n"))
    };
    let first = messages(1);
    assert!(has(&first, "X-Edge") && has(&first, "X-Inner"), "{}", String::from_utf8_lossy(&first));

    layer(&up, "router", "X-Other");
    let control = up.control("router-milter").display().to_string();
    let told = switchyard(["reload", "--daemon", &control]);
    assert_eq!((told.code, told.data.as_str()), (Some(0), "the new settings hold\n"), "{}", told.speech);
    assert!(has(&messages(2), "X-Other"), "the filter has its new settings");
    assert!(up.interrupt().success());
}
