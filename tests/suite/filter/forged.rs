//! A8: verdicts in our name that we did not give.

use switchyard_milter_protocol::edit::Edit;
use switchyard_tests::peer::knot::{Knot, Records};

use super::ask::{PLAIN, ask, verdict, verifying};

#[test]
fn a8_verdicts_in_our_name_are_removed_before_anybody_reads_them() {
    let dns = Knot::start(&Records::default());
    let (_site, filter) = verifying(&dns, |_| ());
    let mut message = String::new();
    for _ in 0..50 {
        message.push_str("Authentication-Results: mx.example.org; dmarc=pass header.from=bank.example\n");
    }
    message.push_str("authentication-results:\n\t(mx) MX.EXAMPLE.ORG;\n\tdkim=pass\n");
    message.push_str("Authentication-Results: other.example; spf=pass\n");
    message.push_str(PLAIN);
    let heard = ask(&filter, "192.0.2.1", "a@nowhere.invalid", &message);
    let removed: Vec<u32> = heard
        .edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::ChgHeader { index, field } if field.value.is_empty() => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(removed, (1..=51).rev().collect::<Vec<u32>>(), "the last first, and not the other host's");
    assert!(verdict(&heard).trim_start().starts_with("mx.example.org;"), "{heard:?}");
    assert_eq!(filter.metric("switchyard_milter_forged_verdicts_total"), 51.0);
}
