//! New settings under load: a certificate, a limit, a listener and a pool change, and no connection is cut but
//! those of a listener that is gone, when its sessions have ended their transactions.

mod mx;
mod refused;
mod router;

use std::fs;
use std::net::{SocketAddr, TcpStream};

use switchyard_tests::expect;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::ledger::{Ledger, Tally};
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::tls::s_client;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::quoted;
use switchyard_tests::talk::Talk;

/// Listens at these addresses from the next start or reload on.
fn listen(daemon: &mut Daemon, sockets: &[SocketAddr]) {
    let tables = sockets.iter().map(|socket| format!("{{ socket = {} }}", quoted(socket)));
    daemon.settings.drop_table("[listen.smtp]");
    daemon.settings.set("", "listen.smtp", &format!("[{}]", tables.collect::<Vec<_>>().join(", ")));
}

/// SIGHUP, and waits until the settings were taken or refused.
pub(crate) fn reload(daemon: &Daemon, result: &str) {
    let name = format!("switchyard_settings_reloads_total{{result=\"{result}\"}}");
    let before = daemon.metric(&name);
    daemon.write_settings();
    daemon.reload();
    expect::holds(&format!("settings are {result}; see {}", daemon.file().display()), || {
        daemon.metric(&name) > before
    });
}

/// Whether a server shows this certificate, of our authority.
fn shows(server: SocketAddr, certificates: &Certificates, name: &str) -> bool {
    let authority = certificates.certificate("authority").display().to_string();
    s_client(server, &["-CAfile", &authority, "-verify_hostname", name, "-verify_return_error"]).0
}

/// Puts another pair under the names that the settings have.
fn renew(certificates: &Certificates, name: &str, by: &str) {
    fs::copy(certificates.certificate(by), certificates.certificate(name)).expect("a certificate");
    fs::copy(certificates.key(by), certificates.key(name)).expect("a key");
}

/// A session in the middle of a message: what is left to say is its last line.
fn in_the_middle(server: SocketAddr, sender: &str) -> Talk {
    let mut talk = Talk::hello(server);
    for (line, code) in [
        (format!("MAIL FROM:<{sender}>"), 250),
        ("RCPT TO:<user@example.org>".to_owned(), 250),
        ("DATA".to_owned(), 354),
    ] {
        let reply = talk.say(&line);
        assert_eq!(reply.code, code, "{reply:?}");
    }
    talk.send(b"Subject: in the middle\r\n\r\n");
    talk
}

/// What EHLO says of recipients (RFC 9422).
fn recipients_offered(server: SocketAddr) -> String {
    let reply = Talk::open(server).say("EHLO client.example");
    let limit = reply.text.split_once("RCPTMAX=").map(|(_, rest)| rest);
    limit.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
}

/// A closed listener: what is under way comes to its end, and then the session; nobody else comes in.
fn ends_in_order(gone: SocketAddr, mut held: Talk) {
    expect::holds("a closed socket", || TcpStream::connect(gone).is_err());
    let reply = held.say("held\r\n.");
    assert_eq!(reply.code, 250, "its transaction ends well: {reply:?}");
    assert!(held.rest().starts_with(b"421 "), "and the session with it");
}

/// The books of a load over a change: everything arrived once, and nobody was cut, refused or put off.
fn demand(scenario: &str, ledger: &Ledger, sinks: &[&Sink]) {
    let copies = sinks.iter().flat_map(|sink| sink.copies());
    // The others are those of the sessions that were held.
    let copies: Vec<_> = copies.filter(|copy| copy.id.is_some()).collect();
    let (audit, tally) = (ledger.audit(&copies), ledger.tally());
    println!("{scenario}: {audit}; {tally:?}");
    assert_eq!(tally, Tally { acknowledged: tally.acknowledged, ..Tally::default() });
    audit.demand(0);
}

/// Waits for the mail of a held session, and says how it came.
fn trace_of(sink: &Sink, sender: &str) -> String {
    expect::until(&format!("mail from {sender}"), || {
        sink.copies().into_iter().find(|copy| copy.sender == sender).map(|copy| copy.trace)
    })
}
