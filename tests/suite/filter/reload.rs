//! New settings and new keys for a filter that runs: an MTA's connection goes on, and its next message meets them.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;

use switchyard_milter_protocol::response::Action;
use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::mta::{Heard, Mail, Mta};
use switchyard_tests::site::{Site, quoted};

use super::key;
use crate::change::reload;

const MESSAGE: &str = "From: a@example.org\nSubject: x\n\nx\n";

fn tell(mta: &mut Mta, client: &str) -> Heard {
    mta.next_session();
    mta.tell(&Mail {
        client: client.parse().expect("an address"),
        hello: "client.example",
        sender: "a@example.org",
        recipient: "bob@ours.example",
        message: MESSAGE,
    })
}

#[test]
fn a_filter_takes_new_settings_whole_or_not_at_all() {
    let records = Records::default().txt("_dmarc.example.org", "v=DMARC1; p=reject");
    let dns = Knot::start(&records);
    let site = Site::new();
    let mut filter = site.filter("mx", dns.address());
    filter.settings.set("verify", "authserv_id", "\"one.example\"");
    filter.start();
    let mut mta = Mta::connect(filter.address());
    let said = |heard: &Heard| heard.added("Authentication-Results").concat();
    assert!(said(&tell(&mut mta, "192.0.2.1")).contains("one.example;"));

    filter.settings.set("verify", "authserv_id", "\"two.example\"");
    let good = filter.settings.clone();
    filter.settings.set("maps", "sender_headers", "\"gone\"");
    reload(&filter, "refused");
    assert!(said(&tell(&mut mta, "192.0.2.1")).contains("one.example;"), "none of it holds");

    filter.settings = good;
    reload(&filter, "taken");
    assert!(said(&tell(&mut mta, "192.0.2.1")).contains("two.example;"), "on the connection that was open");
    filter.settings.set("verify", "dmarc", "\"obey\"");
    filter.settings.set("sign", "networks", "[\"192.0.2.7/32\"]");
    reload(&filter, "taken");
    assert!(matches!(tell(&mut mta, "192.0.2.1").action, Action::Reply(_)), "it is refused now");
    let ours = tell(&mut mta, "192.0.2.7");
    assert!(ours.action == Action::Continue && said(&ours).is_empty(), "and that is mail of ours: {ours:?}");
    assert_eq!(filter.metric("switchyard_milter_sessions"), 1.0);
    assert!(filter.terminate().success(), "{}", filter.log_end());
}

#[test]
fn keys_are_changed_by_map_and_by_file_under_open_connections() {
    let site = Site::new();
    let keys = site.path("keys");
    fs::create_dir(&keys).expect("a folder for keys");
    let (one, two) = (key(&keys, "one.pem", "ED25519"), key(&keys, "two.pem", "ED25519"));
    let records =
        Records::default().txt("one._domainkey.example.org", &one).txt("two._domainkey.example.org", &two);
    let dns = Knot::start(&records);
    site.write("maps/signing_keys", "example.org one:one.pem\n");
    let mut filter = site.filter("filter", dns.address());
    filter.settings.set("sign", "networks", "[\"192.0.2.0/24\"]");
    filter.settings.set("sign", "keys", &quoted(keys.display()));
    filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    filter.start();
    let mut mta = Mta::connect(filter.address());
    let mut signed_by = |selector: &str| {
        let signatures = tell(&mut mta, "192.0.2.7").added("DKIM-Signature");
        signatures.len() == 1 && signatures[0].contains(&format!("s={selector};"))
    };
    assert!(signed_by("one"));
    site.write("maps/signing_keys", "example.org one:one.pem:retired two:two.pem\n");
    expect::holds("the next step of a rotation", || signed_by("two"));

    // The same name, another key: one that the DNS does not show.
    fs::copy(keys.join("one.pem"), keys.join("two.pem")).expect("a key in another's place");
    reload(&filter, "taken");
    expect::holds("no signature by a key that is another's", || !signed_by("two"));
    assert!(filter.log().contains("the DNS shows another key there"), "{}", filter.log_end());
}

#[test]
fn sockets_and_the_limit_change_while_a_filter_runs() {
    let dns = Knot::start(&Records::default());
    let site = Site::new();
    let mut filter = site.filter("filter", dns.address());
    filter.start();
    let gone = filter.address();
    let mut old = Mta::connect(gone);
    let _heard = tell(&mut old, "192.0.2.1");

    let (comes, file) = (site.free_address(), site.path("filter.socket"));
    let unix = format!("unix:{}", file.display());
    let listen = |sockets: &[String]| {
        let tables: Vec<String> = sockets.iter().map(|on| format!("{{ socket = {} }}", quoted(on))).collect();
        format!("[{}]", tables.join(", "))
    };
    filter.settings.drop_table("[listen.milter]");
    filter.settings.set("", "listen.milter", &listen(&[comes.to_string(), unix]));
    filter.settings.set("limits", "sessions", "1");
    reload(&filter, "taken");
    expect::holds("the old socket to be closed, and its connection between two messages", || {
        TcpStream::connect(gone).is_err() && filter.metric("switchyard_milter_sessions") == 0.0
    });
    let mut first = Mta::connect(comes);
    let _heard = tell(&mut first, "192.0.2.1");
    let second = thread::spawn(move || Mta::connect(comes));
    filter.settings.set("limits", "sessions", "2");
    reload(&filter, "taken");
    let _heard = tell(&mut second.join().expect("a place"), "192.0.2.1");
    assert!(UnixStream::connect(&file).is_ok());

    filter.settings.set("", "listen.milter", &listen(&[comes.to_string()]));
    reload(&filter, "taken");
    expect::holds("the file of a socket to go with it", || !file.exists());
    let _heard = tell(&mut first, "192.0.2.1");
    assert!(filter.terminate().success(), "{}", filter.log_end());
}
