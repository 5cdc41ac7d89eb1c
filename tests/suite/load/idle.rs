//! Ten thousand clients that do nothing (R1): what they cost.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use switchyard_tests::expect;
use switchyard_tests::site::Site;

use super::Client;
use crate::crash::alone;

const CLIENTS: usize = 10_000;
/// Resident, of the whole process, as it is delivered.
const MOST: u64 = 40_000_000;
/// Of that its own; the program's pages are more in a build that was made to be looked into.
const MOST_OWN: u64 = 30_000_000;

#[test]
fn r1_ten_thousand_idle_connections() {
    let _turn = alone();
    // Each end has a descriptor for each, and the daemon inherits our limit. Ours has two.
    let hard = getrlimit(Resource::Nofile).maximum;
    let wanted = 2 * CLIENTS as u64;
    if hard.is_some_and(|hard| hard < wanted) {
        println!("10,000 IDLE CONNECTIONS NOT TESTED: {hard:?} open files are allowed, {wanted} are needed");
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(hard.unwrap_or(wanted)), maximum: hard })
        .expect("a limit");

    let site = Site::new();
    let mut mx = site.mx("mx1", &[site.free_address()]);
    mx.settings.set("limits", "sessions", "20000");
    mx.start();
    let bare = mx.resident();
    let idle: Vec<_> = (0..CLIENTS).map(|client| greeted(&mx, client)).collect();
    expect::holds("as many sessions", || mx.metric("switchyard_smtp_server_sessions") == CLIENTS as f64);
    let full = mx.resident();
    println!(
        "{CLIENTS} idle connections: {:.1} MB resident, {:.1} MB without, {} octets each",
        full as f64 / 1e6,
        bare as f64 / 1e6,
        full.saturating_sub(bare) / CLIENTS as u64
    );
    let own = mx.resident_own();
    assert!(own <= MOST_OWN, "{own} octets of its own resident");
    assert!(cfg!(debug_assertions) || full <= MOST, "{full} octets resident");
    drop(idle);
    expect::holds("no sessions", || mx.metric("switchyard_smtp_server_sessions") == 0.0);
}

/// A client that was greeted; every second one has said EHLO, so that its session has had work to do.
fn greeted(mx: &switchyard_tests::site::daemon::Daemon, client: usize) -> std::net::TcpStream {
    let mut session = Client::connect(mx.address());
    let greeting = session.reply();
    assert!(greeting.starts_with("220 "), "client {client}: {greeting:?}\n{}", mx.log_end());
    if client.is_multiple_of(2) {
        session.say("EHLO client.example\r\n", "250");
    }
    session.stream
}
