//! Settings of which one part cannot be had: none of the others changes either.

use std::net::{SocketAddr, TcpStream};

use switchyard_tests::expect;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};

use super::{listen, recipients_offered, reload, shows};
use crate::tls::certify;

#[test]
fn a_front_refuses_all_of_it_or_none() {
    let site = Site::new();
    let mx = site.mx("mx1", &[site.free_address()]);
    refuses(&site, mx);
}

#[test]
fn a_router_refuses_all_of_it_or_none() {
    let site = Site::new();
    let router = site.router("router1", site.free_address());
    refuses(&site, router);
}

fn refuses(site: &Site, mut daemon: Daemon) {
    let certificates = Certificates::make(&site.path(""), &["one.example", "two.example"]);
    certify(&mut daemon, &certificates, "one.example");
    daemon.settings.set("limits", "recipients", "150");
    let (stays, comes) = (daemon.address(), site.free_address());
    listen(&mut daemon, &[stays]);
    daemon.start();
    let good = daemon.settings.clone();

    type Spoil = fn(&mut Daemon, SocketAddr);
    let spoils: [(&str, Spoil); 4] = [
        // Not one of ours to bind.
        ("cannot listen on 192.0.2.1:25", |daemon, comes| {
            let stays = daemon.address();
            listen(daemon, &[stays, comes, SocketAddr::new([192, 0, 2, 1].into(), 25)]);
        }),
        ("gone.pem", |daemon, _| daemon.settings.set("tls", "certificate", "\"gone.pem\"")),
        ("/proc/control.sock", |daemon, _| {
            daemon.settings.set("control", "socket", "\"/proc/control.sock\"");
        }),
        ("gone_map", |daemon, _| {
            daemon.settings.set("maps", "folder", "\"maps\"");
            daemon.settings.set("maps", "virtual_alias", "\"gone_map\"");
        }),
    ];
    for (says, spoil) in spoils {
        daemon.settings = good.clone();
        listen(&mut daemon, &[stays, comes]);
        certify(&mut daemon, &certificates, "two.example");
        daemon.settings.set("limits", "recipients", "200");
        spoil(&mut daemon, comes);
        reload(&daemon, "refused");
        // It is counted a moment before it is told.
        expect::holds(&format!("`{says}` to be told"), || {
            let log = daemon.log();
            let told = log.lines().rev().find(|line| line.contains("settings not reloaded"));
            told.is_some_and(|line| line.contains(says))
        });
        assert_eq!(daemon.metric("switchyard_settings_refused"), 1.0);
        assert!(TcpStream::connect(comes).is_err(), "{says}: nobody listens there");
        assert!(shows(stays, &certificates, "one.example"), "{says}: the old certificate");
        assert_eq!(recipients_offered(stays), "150", "{says}");
    }
    daemon.settings = good;
    daemon.settings.set("limits", "recipients", "200");
    daemon.settings.set("metrics", "socket", &quoted(comes));
    reload(&daemon, "taken");
    assert_eq!(daemon.metric("switchyard_settings_refused"), 0.0);
    expect::holds("what takes a restart to be named", || {
        daemon.log().contains("takes a restart: the old value holds")
    });
    assert_eq!(recipients_offered(stays), "200");
    assert!(daemon.terminate().success(), "{}", daemon.log_end());
}
