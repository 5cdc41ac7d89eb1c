//! A table of clients chooses the filters that are asked about a client's mail, and `explain` says whom.

use switchyard_tests::expect;
use switchyard_tests::peer::milter::Filter;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::switchyard;

use super::router::{ask, sink, unix};

#[test]
fn a_table_of_clients_chooses_for_those_who_connect_after_it_was_saved() {
    let (site, sink) = (Site::new(), sink());
    let (usual, other) = (Filter::libmilter(), Filter::libmilter());
    let mut router = site.router("router", sink.address());
    ask(&mut router, &[("usual", &[unix(&usual)]), ("other", &[unix(&other)])]);
    router.settings.set("accept", "milters", "[\"usual\"]");
    router.settings.set("relay", "xforward_networks", "[]");
    router.settings.set("maps", "folder", &quoted(site.path("maps").display()));
    router.settings.set("maps", "client_access", &quoted("clients"));
    router.settings.set("control", "socket", &quoted(site.path("control.sock").display()));
    site.write("maps/clients", "192.0.2 MILTERS other\n");
    router.start();
    let code = || Talk::hello(router.address()).say("MAIL FROM:<at-envfrom-reject@example.org>").code;
    let explained = || {
        let control = site.path("control.sock");
        let daemon = ["explain", "--daemon", control.to_str().expect("a plain path")];
        let question = ["--to", "bob@example.net", "--client", "127.0.0.1"];
        switchyard(daemon.iter().chain(&question)).data
    };
    // Whoever sends so is refused by either of them.
    assert_eq!(code(), 550);
    assert!(explained().contains("usual") && !explained().contains("other"), "{}", explained());

    site.write("maps/clients", "127 MILTERS none\n");
    expect::holds("nobody to be asked", || code() == 250);
    assert!(explained().contains("none is asked about this client's mail"), "{}", explained());

    let heard = |filter: &Filter| filter.told().iter().filter(|line| line.starts_with("envfrom ")).count();
    let before = heard(&usual);
    site.write("maps/clients", "127 MILTERS other\n");
    expect::holds("the other to be asked", || code() == 550);
    assert!(explained().contains("other"), "{}", explained());
    assert_eq!((heard(&usual), heard(&other)), (before, 1));

    // A name that nobody knows is refused with the table, which stays as it was.
    site.write("maps/clients", "127 MILTERS nobody\n");
    expect::holds("the table to be refused", || {
        router.log().contains("unknown filter `nobody`; the settings name other, usual")
    });
    assert_eq!(code(), 550);
}
