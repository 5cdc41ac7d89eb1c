//! Hosts and hubs in a made world: every run is a seed, and the same seed is the same run.
//!
//! Messages are lost, doubled, late and out of order; hubs lag, are cut off, and one of them lies and holds a release
//! key; hosts crash between any two actions, their clocks jump by years, their daemons die, their disks fill; admins sign
//! twins. What must hold all the time stands in [`host::Host`]: never older than acknowledged (`remembers`), never mixed
//! (`staged`), back only by an admin or by dying daemons (`moves`), never more sets than a disk is to hold (`reports`). In
//! the end, when the trouble is over, every host must run the last generation.
//!
//! [`fleet`] is a site whose hubs bring it generations by rollouts, good and bad ones.
//!
//! `SWITCHYARD_LONG=1` runs 10,000 seeds instead of 500; `SEED=n` runs one.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(clippy::print_stdout)] // What was seen is what a long run is read for.

mod admin;
mod chance;
mod fleet;
mod host;
mod trouble;
mod wire;
mod world;

use std::thread;

use chance::Seen;
use fleet::{Fleet, Kind};
use world::World;

#[test]
fn y1_y3_y7_y13_no_host_goes_back_mixes_or_is_lost_whatever_happens() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        println!("{:?}", World::new(seed).run());
        return;
    }
    let seeds = if std::env::var_os("SWITCHYARD_LONG").is_some() { 10_000 } else { 500 };
    // Worlds share nothing: each core has its own.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let all = thread::scope(|scope| {
        let run = |first| (first..=seeds).step_by(threads).map(one).fold(Seen::default(), Seen::and);
        let running: Vec<_> = (1..=threads as u64).map(|first| scope.spawn(move || run(first))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).fold(Seen::default(), Seen::and)
    });
    println!("{all:?}");
    // A world in which nothing happens shows nothing.
    let Seen { flips, back, crashes, refusals, forks, rests } = all;
    let least = [flips, back, crashes, refusals, forks, rests].into_iter().min();
    assert!(least > Some(50), "{all:?}");
}

#[test]
fn y14_a_bad_generation_never_leaves_its_first_step() {
    let seeds = if std::env::var_os("SWITCHYARD_LONG").is_some() { 2000 } else { 60 };
    let mut complete = 0;
    for seed in 1..=seeds {
        let kind = Kind::ALL[seed as usize % Kind::ALL.len()];
        let ended = std::panic::catch_unwind(|| Fleet::new(seed, kind).run());
        complete += u64::from(ended.unwrap_or_else(|_| panic!("seed {seed}, {kind:?}")));
    }
    println!("{complete} of {} good generations went everywhere", seeds / Kind::ALL.len() as u64);
    assert!(complete * 2 > seeds / Kind::ALL.len() as u64);
}

/// One world; if it panics, its seed is told.
fn one(seed: u64) -> Seen {
    std::panic::catch_unwind(|| World::new(seed).run()).unwrap_or_else(|_| panic!("SEED={seed}"))
}
