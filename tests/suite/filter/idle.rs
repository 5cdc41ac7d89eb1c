//! A thousand MTAs that keep their connections open: what they cost.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::mta::{Mail, Mta};
use switchyard_tests::site::Site;

const CONNECTIONS: usize = 1_000;
/// Octets of memory for each.
const MOST: u64 = 20_000;

#[test]
fn a_thousand_connections_of_mtas_cost_little() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("a limit");
    let dns = Knot::start(&Records::default());
    let site = Site::new();
    let mut filter = site.filter("filter", dns.address());
    filter.settings.set("limits", "sessions", "2000");
    filter.start();
    let message = format!("From: a@nowhere.invalid\nSubject: x\n\n{}", "0123456789 0123456789\n".repeat(500));
    let mail = Mail {
        client: "192.0.2.7".parse().expect("an address"),
        hello: "client.example",
        sender: "a@nowhere.invalid",
        recipient: "b@ours.example",
        message: &message,
    };
    // One has done its work before we look, so that what is made once is made.
    let first = Mta::connect(filter.address()).tell(&mail);
    assert!(!first.edits.is_empty());
    let bare = filter.resident_own();
    let open: Vec<Mta> = (0..CONNECTIONS)
        .map(|number| {
            let mut mta = Mta::connect(filter.address());
            // Every tenth has had a message to look at.
            if number.is_multiple_of(10) {
                let _heard = mta.tell(&mail);
            }
            mta
        })
        .collect();
    expect::holds("as many sessions", || filter.metric("switchyard_milter_sessions") == CONNECTIONS as f64);
    let each = filter.resident_own().saturating_sub(bare) / CONNECTIONS as u64;
    println!("{CONNECTIONS} connections of MTAs: {each} octets each, {bare} without");
    assert!(each <= MOST, "{each} octets each");
    drop(open);
    expect::holds("no sessions", || filter.metric("switchyard_milter_sessions") == 0.0);
}
