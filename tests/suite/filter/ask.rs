//! One question to a filter: a message, and what it says of it.

use switchyard_tests::peer::knot::Knot;
use switchyard_tests::peer::mta::{Heard, Mail, Mta};
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;

/// A message that proves nothing.
pub(super) const PLAIN: &str = "From: a@nowhere.invalid\nSubject: x\n\nx\n";

/// What a filter says about one message.
pub(super) fn ask(filter: &Daemon, client: &str, sender: &str, message: &str) -> Heard {
    let mail = Mail {
        client: client.parse().expect("an address"),
        hello: "mail.client.invalid",
        sender,
        recipient: "bob@ours.example",
        message,
    };
    Mta::connect(filter.address()).tell(&mail)
}

pub(super) fn verdict(heard: &Heard) -> String {
    let mut verdicts = heard.added("Authentication-Results");
    assert_eq!(verdicts.len(), 1, "{heard:?}");
    verdicts.remove(0)
}

pub(super) fn verifying(dns: &Knot, more: impl FnOnce(&mut Daemon)) -> (Site, Daemon) {
    let site = Site::new();
    let mut filter = site.filter("mx", dns.address());
    more(&mut filter);
    filter.start();
    (site, filter)
}
