//! The books themselves: a load straight into the sink comes out even, and what is amiss is told.

use switchyard_tests::expect;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::ledger::{Audit, Ledger};
use switchyard_tests::site::Site;

#[test]
fn the_books_tell_what_is_amiss() {
    let site = Site::new();
    let sink = Sink::start(site.ip());
    let ledger = Ledger::new();
    let load = Load::start(&ledger, sink.address(), 4);
    ledger.await_acknowledged(300);
    load.stop();
    let copies = sink.copies();
    let even = ledger.audit(&copies);
    assert_eq!(even, Audit { acknowledged: even.acknowledged, ..Audit::default() }, "{even}");
    assert!(even.acknowledged >= 300 + 300 / 4, "some have two recipients: {even}");
    assert!(copies.iter().all(|copy| copy.settled), "every session said QUIT");
    expect::holds("every connection to be over", || sink.under_way() == 0);

    // Three different copies, each with one fault: which comes first is the clients' race.
    let doubled = copies.iter().position(|copy| copy.recipients.len() == 2).expect("one with two recipients");
    let mut others = (0..copies.len()).filter(|&copy| copy != doubled);
    let (torn, strange) = (others.next().expect("a second copy"), others.next().expect("a third copy"));
    let mut amiss = copies.clone();
    amiss.push(copies[doubled].clone());
    amiss[torn].digest[31] ^= 1;
    amiss[strange].id = None;
    let told = ledger.audit(&amiss);
    let lost = copies[strange].recipients.len() as u64;
    assert_eq!((told.doubled, told.without_excuse, told.torn, told.strange, told.lost), (1, 1, 1, 1, lost));
}
