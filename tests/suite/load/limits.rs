//! Clients that dawdle (R1), give up (R8), or are more than there are descriptors (R9).

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use switchyard_tests::expect;
use switchyard_tests::ledger::Ledger;
use switchyard_tests::ledger::load::Load;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::Site;

use super::Client;
use crate::crash::{alone, await_empty, long};

/// R1: a deadline is for the whole command, so that dripping gains nothing.
#[test]
fn r1_a_dripping_client() {
    let site = Site::new();
    let mut mx = site.mx("mx1", &[site.free_address()]);
    mx.settings.set("limits", "command_timeout", "\"1s\"");
    mx.start();
    let mut silent = Client::connect(mx.address());
    let mut dripping = Client::connect(mx.address());
    assert!(silent.reply().starts_with("220 ") && dripping.reply().starts_with("220 "));
    let mut drip = dripping.stream.try_clone().expect("one more descriptor");
    let (over, is_over) = mpsc::channel::<()>();
    // Were there a deadline for each drop, it would never pass.
    let dropper = thread::spawn(move || {
        while is_over.recv_timeout(DRIP) == Err(RecvTimeoutError::Timeout) && drip.write_all(b"N").is_ok() {}
    });
    for client in [&mut silent, &mut dripping] {
        let farewell = client.reply();
        assert!(farewell.starts_with("421 4.4.2 "), "{farewell:?}");
        assert_eq!(client.reply(), "", "and then it is over");
    }
    drop(over);
    dropper.join().expect("the dropper ends");
}

/// A drop's distance from the next: a fifth of the deadline.
const DRIP: Duration = Duration::from_millis(200);

/// R8: a message given up just before its end leaves nothing on the disk, and costs no sync.
#[test]
fn r8_messages_given_up_before_their_end() {
    let _turn = alone();
    let times = if long() { 1000 } else { 100 };
    let site = Site::new();
    let mut router = site.router("router1", site.free_address());
    router.start();
    let spool = site.path("router1-spool");
    // The log gets its reserve after the start: its head, the next, and two more.
    expect::holds("the reserve", || router.metric("switchyard_spool_segments") >= 4.0);
    let before = (usage(&spool), router.metric("switchyard_spool_syncs_total"));
    let content = "Subject: given up\r\n\r\n".to_owned() + &"All but the last line.\r\n".repeat(6000);
    for time in 0..times {
        let mut client = Client::connect(router.address());
        client.reply();
        client.say("EHLO client.example\r\n", "250");
        client.say("MAIL FROM:<a@example.org>\r\n", "250");
        client.say("RCPT TO:<b@example.net>\r\n", "250");
        if time % 2 == 0 {
            client.say("DATA\r\n", "354");
            client.stream.write_all(content.as_bytes()).expect("room for content");
        } else {
            let announced = format!("BDAT {} LAST\r\n", content.len() + 1000);
            client.stream.write_all((announced + &content).as_bytes()).expect("room for content");
        }
    }
    expect::holds("no sessions", || router.metric("switchyard_smtp_server_sessions") == 0.0);
    let after = (usage(&spool), router.metric("switchyard_spool_syncs_total"));
    assert_eq!(before.0, after.0, "octets and files on disk");
    // One may be the start's own, and late.
    assert!(after.1 <= before.1 + 1.0, "{} syncs for {times} messages given up", after.1 - before.1);
    let ((octets, files), syncs) = (after.0, after.1 - before.1);
    println!("{times} messages given up: {octets} octets in {files} files, as before, and {syncs} syncs");
}

/// Octets that the files of a folder take, and how many they are.
fn usage(folder: &Path) -> (u64, u64) {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.fold((0, 0), |(octets, files), entry| {
        let meta = entry.metadata().expect("a file that stays");
        let within = if meta.is_dir() { usage(&entry.path()) } else { (meta.blocks() * 512, 1) };
        (octets + within.0, files + within.1)
    })
}

/// R9: out of descriptors, newcomers are told so, nothing spins, and all is well once somebody goes.
#[test]
fn r9_more_clients_than_descriptors() {
    let _turn = alone();
    let site = Site::new();
    let sink = Sink::start(site.ip());
    let mut router = site.router("router1", sink.address());
    router.wrapper = ["prlimit", "--nofile=64"].map(str::to_owned).to_vec();
    router.settings.set("limits", "command_timeout", "\"3s\"");
    router.start();

    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(router.address())).collect();
    let greetings: Vec<String> = clients.iter_mut().map(Client::reply).collect();
    let count = |code| greetings.iter().filter(|greeting| greeting.starts_with(code)).count();
    let (greeted, refused) = (count("220 "), count("421 4.3.2 "));
    assert!(greeted >= 20 && refused >= 20, "{greetings:?}");

    // From here until the first of them is told that it took too long, there is nothing to do.
    let (start, cpu) = (Instant::now(), router.cpu());
    let last = greetings.iter().rposition(|greeting| greeting.starts_with("220 ")).expect("one was greeted");
    let farewell = clients[last].reply();
    let (elapsed, used) = (start.elapsed(), router.cpu() - cpu);
    assert!(farewell.starts_with("421 4.4.2 "), "{farewell:?}");
    println!("out of descriptors: {greeted} greeted, {refused} refused; CPU {used:?} of {elapsed:?}");
    assert!(used <= elapsed / 20, "CPU {used:?} of {elapsed:?}");

    drop(clients);
    let ledger = Ledger::new();
    let load = Load::start(&ledger, router.address(), 4);
    ledger.await_acknowledged(100);
    load.stop();
    await_empty(&router);
    let audit = ledger.audit(&sink.copies());
    audit.demand(0);
    assert!(router.runs());
}
