//! A generation that does what the site says, and yet refuses mail: the host that has it first says so, and it is undone
//! before another one has it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use switchyard_tests::expect;
use switchyard_tests::peer::process::Process;
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Told, write};

use super::world::{HOST, World};

const OTHER: &str = "mx2.example.org";
/// No behaviour of the site speaks of Alice.
const WITH_ALICE: &str = "postmaster@example.org\nalice@example.org\n";
pub(super) const WITHOUT: &str = "postmaster@example.org\n";
/// Questions of one session, and the pause after it: mail as a busy host has it, on a machine that has other things to do.
const SESSION: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// A second host of the same role.
pub(super) struct Second {
    // The daemon ends before its agent, and both before the world that they are in.
    _mx: Process,
    _agent: Process,
    pub(super) smtp: SocketAddr,
}

impl Second {
    /// It goes by generation 1 and the hub knows it.
    fn start(world: &World, smtp: SocketAddr) -> Self {
        world.certificates.add("mx2", &format!("URI:spiffe://live/agent/{OTHER},IP:{}", world.site.ip()));
        let settings = world.log("agent.toml").replace(HOST, OTHER).replace("tls/mx1", "tls/mx2");
        let settings = settings.replace("/agent\"", "/agent2\"");
        let metrics = format!("metrics.socket = \"{}\"", world.site.free_address());
        let lines = settings.lines();
        let settings: Vec<_> =
            lines.map(|line| if line.starts_with("metrics.socket") { &metrics } else { line }).collect();
        world.site.write("agent2.toml", &settings.join("\n"));
        let agent = world.start("switchyard-mapsync", &["agent", "--config"], "agent2.toml");
        let current = world.site.path("agent2/current/mx.toml");
        expect::holds("the second host to have a set in use", || current.exists());
        let mx = world.start("switchyard-mx", &["--config"], "agent2/current/mx.toml");
        expect::holds("the second mx to listen", || TcpStream::connect(smtp).is_ok());
        expect::holds("the hub to know it", || {
            let fleet = world.admin(&["fleet"]).data;
            fleet.lines().any(|line| line.contains(OTHER) && line.contains("uses    1"))
        });
        Self { _mx: mx, _agent: agent, smtp }
    }
}

/// Two front hosts that take mail for Alice by generation 1, with what else the site is to have.
pub(super) fn two_hosts(more: impl FnOnce(&World)) -> (World, Second) {
    let world = World::with_hub("[rollout]\nbake = \"1h\"\nsilence = \"3s\"\n");
    let smtp = world.site.free_address();
    let site = world.log("live/site.toml");
    let host =
        format!("[[host]]\nname = \"{OTHER}\"\nrole = \"mx\"\naddresses = [\"{}\"]\n", world.site.ip());
    write(&world.site.path("live/site.toml"), &format!("{site}{host}"));
    fs::create_dir(world.site.path("live/host")).expect("a folder");
    world.site.write(
        &format!("live/host/{OTHER}.toml"),
        &format!(
            "[[listen.smtp]]\nsocket = \"{smtp}\"\n[metrics]\nsocket = \"{}\"\n[control]\nsocket = \"{}\"\n",
            world.site.free_address(),
            world.site.path("mx2.sock").display()
        ),
    );
    more(&world);
    let world = world.with_first(WITH_ALICE);
    let second = Second::start(&world, smtp);
    (world, second)
}

/// Mail for Alice to one host until it ends: how often she was there, and how often not.
#[derive(Default)]
struct Load {
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Load {
    fn send(&self, smtp: SocketAddr, ends: &AtomicBool) {
        while !ends.load(Ordering::Acquire) {
            let mut talk = Talk::hello(smtp);
            for _ in 0..SESSION {
                assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
                let counter = match talk.say("RCPT TO:<alice@example.org>").code {
                    250 => &self.taken,
                    550 => &self.refused,
                    other => panic!("{other}"),
                };
                counter.fetch_add(1, Ordering::AcqRel);
                assert_eq!(talk.say("RSET").code, 250);
            }
            thread::sleep(PAUSE);
        }
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }
}

#[test]
fn y14_what_makes_its_first_host_refuse_mail_is_undone_by_itself_and_no_other_has_it() {
    let (world, second) = two_hosts(|_| {});
    let (loads, ends) = ([Load::default(), Load::default()], AtomicBool::new(false));
    let (told, took): (Told, Duration) = thread::scope(|scope| {
        for (load, smtp) in loads.iter().zip([world.mx_address, second.smtp]) {
            let ends = &ends;
            scope.spawn(move || load.send(smtp, ends));
        }
        // Those who send end in any case.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.write_recipients(WITHOUT);
            let start = Instant::now();
            (world.push(&["--staged"]), start.elapsed())
        }));
        ends.store(true, Ordering::Release);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("generation 2: undone after "), "{told:?}");
    assert!(told.speech.contains("hosts of role mx refused "), "{told:?}");
    assert!(!told.data.contains("step 2 of"), "{told:?}");
    // One host had it, the other never.
    let [first, other] = loads.each_ref().map(Load::refused);
    println!("undone {took:.1?} after the push began: {first} and {other} of Alice's messages refused");
    assert!((first == 0) != (other == 0), "{first} and {other}");
    for smtp in [world.mx_address, second.smtp] {
        expect::holds("Alice to be there again", || {
            let mut talk = Talk::hello(smtp);
            assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
            talk.say("RCPT TO:<alice@example.org>").code == 250
        });
    }
}
