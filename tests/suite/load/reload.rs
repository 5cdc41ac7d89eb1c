//! SIGHUP with settings that are wrong: the old ones hold, and the log says where the fault is.

use switchyard_tests::expect;
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;

use super::Client;

#[test]
fn a_router_goes_on_with_its_settings() {
    let site = Site::new();
    goes_on(site.router("router1", site.free_address()));
}

#[test]
fn an_mx_goes_on_with_its_settings() {
    let site = Site::new();
    goes_on(site.mx("mx1", &[site.free_address()]));
}

fn goes_on(mut daemon: Daemon) {
    daemon.settings.set("limits", "recipients", "100");
    daemon.start();
    let mut client = Client::connect(daemon.address());
    assert!(client.reply().starts_with("220 "));
    let good = daemon.settings.clone();

    daemon.settings.set("limits", "recipients", "\"many\"");
    daemon.settings.set("limits", "recipents", "200");
    daemon.write_settings();
    daemon.reload();
    let text = daemon.settings.to_string();
    let line = |key: &str| text.lines().position(|line| line.starts_with(key)).expect("it is there") + 1;
    for key in ["recipients", "recipents"] {
        let place = format!("{}:{}:", daemon.file().display(), line(key));
        expect::holds(&format!("a fault at {place}"), || daemon.log().contains(&place));
    }
    expect::holds("the verdict", || daemon.log().contains("settings not reloaded; the old ones hold"));
    client.say("EHLO client.example\r\n", "250");
    assert_eq!(recipients_offered(&daemon), 100, "to new sessions too");

    daemon.settings = good;
    daemon.settings.set("limits", "recipients", "200");
    daemon.write_settings();
    daemon.reload();
    expect::holds("new settings", || recipients_offered(&daemon) == 200);
    client.say("QUIT\r\n", "221");
    assert!(daemon.terminate().success(), "{}", daemon.log_end());
}

/// RCPTMAX as EHLO tells it (RFC 9422).
fn recipients_offered(daemon: &Daemon) -> usize {
    let mut client = Client::connect(daemon.address());
    client.reply();
    std::io::Write::write_all(&mut client.stream, b"EHLO client.example\r\n").expect("a server");
    let mut line = String::new();
    while std::io::BufRead::read_line(&mut client.reader, &mut line).is_ok_and(|octets| octets > 0) {
        if let Some(number) = line.split("RCPTMAX=").nth(1) {
            return number.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        }
        if line.starts_with("250 ") {
            break;
        }
        line.clear();
    }
    0
}
