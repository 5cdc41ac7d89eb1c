//! A hub that sends a file drop by drop keeps a host from nothing else: it hears that nobody is to move.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;
use switchyard_tests::expect;

use super::world::World;

/// Between a host and its hub: while it is shut, no connection brings more than [`Self::MOST`] octets to the host.
#[derive(Default)]
struct Tap {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Tap {
    /// More than any message has, and less than the table.
    const MOST: usize = 32 << 10;

    fn start(self: &Arc<Self>, at: SocketAddr, hub: SocketAddr) {
        let listener = TcpListener::bind(at).expect("an address");
        let tap = Arc::clone(self);
        thread::spawn(move || {
            for host in listener.incoming().flatten() {
                let Ok(hub) = TcpStream::connect(hub) else { continue };
                let (Ok(to_host), Ok(from_hub)) = (host.try_clone(), hub.try_clone()) else { continue };
                thread::spawn(move || pass(host, hub, |_| ()));
                let tap = Arc::clone(&tap);
                thread::spawn(move || pass(from_hub, to_host, |octets| tap.hold(octets)));
            }
        });
    }

    fn hold(&self, octets: usize) {
        let mut is_shut = self.is_shut.lock().expect("a tap");
        while *is_shut && octets > Self::MOST {
            is_shut = self.opened.wait(is_shut).expect("a tap");
        }
    }

    fn shut(&self) {
        *self.is_shut.lock().expect("a tap") = true;
    }

    fn open(&self) {
        *self.is_shut.lock().expect("a tap") = false;
        self.opened.notify_all();
    }
}

/// Passes on what comes, and says each time how much it was by then.
fn pass(mut from: TcpStream, mut to: TcpStream, passed: impl Fn(usize)) {
    let (mut piece, mut octets) = ([0; 4096], 0);
    while let Ok(read @ 1..) = from.read(&mut piece) {
        octets += read;
        passed(octets);
        if to.write_all(&piece[..read]).is_err() {
            return;
        }
    }
    // The other end may have gone first.
    let _gone = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn y10_a_host_that_a_hub_drips_at_hears_of_a_halt() {
    let mut world = World::new();
    let tap = Arc::new(Tap::default());
    tap.start(world.hear_through(), world.hub());
    assert_eq!(world.push(&[]).code, Some(0));
    world.start_agent();
    expect::holds("generation 1 in use", || world.in_use() == Some(1));

    tap.shut();
    // What travels packed is as long all the same: nothing in these names comes twice.
    let mut chance = fastrand::Rng::with_seed(7);
    let alias = |_| format!("user{:032x}@example.org postmaster@example.org\n", chance.u128(..));
    world.write_aliases(&(0..6000).map(alias).collect::<String>());
    assert_eq!(world.push(&["--accept", "--no-release"]).code, Some(0));
    let progress = |world: &World| world.admin(&["fleet", "--json"]).json()["hosts"][0]["progress"].clone();
    let is = |progress: &Value, state: &str, release: u64| {
        progress["state"] == state && progress["release"] == release
    };
    expect::holds("the host to fetch", || is(&progress(&world), "fetching", 1));
    assert_eq!(world.admin(&["release", "2", "--halt"]).code, Some(0));
    expect::holds("it to hear meanwhile", || is(&progress(&world), "fetching", 2));
    tap.open();
    expect::holds("generation 2 to be ready", || world.is_ready(2));
    expect::holds("the hub to know", || is(&progress(&world), "staged", 2));
    assert_eq!(world.in_use(), Some(1), "it is halted");
}
