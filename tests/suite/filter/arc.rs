//! ARC: chains that real hosts sealed, with the keys they had then.

use std::fs;

use switchyard_tests::corpus;
use switchyard_tests::peer::knot::{Knot, Records};

use super::rfc::{ask, verdict, verifying};

#[test]
fn chains_of_real_messages_pass() {
    for name in ["001.txt", "002.txt"] {
        let text = fs::read_to_string(corpus::folder().join("mail-auth/arc").join(name))
            .expect("a message: run `cargo xtask peers`");
        let (keys, message) = text.split_once("\n\n").expect("keys and a message");
        let mut records = Records::default();
        for (name, record) in keys.lines().filter_map(|line| line.split_once(' ')) {
            records = records.txt(name, record);
        }
        let dns = Knot::start(&records);
        let (_site, filter) = verifying(&dns, |_| ());
        let told = verdict(&ask(&filter, "192.0.2.1", "a@nowhere.invalid", message));
        assert!(told.contains("arc=pass") && told.contains("dkim=pass"), "{name}: {told}");
    }
}
