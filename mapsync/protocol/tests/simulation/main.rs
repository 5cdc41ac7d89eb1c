//! Hosts and hubs in a made world: every run is a seed, and the same seed is the same run.
//!
//! Messages are lost, doubled, late and out of order; hubs lag, are cut off, and one of them lies and holds a release
//! key; hosts crash between any two actions, their clocks jump by years, their daemons die, their disks fill; admins sign
//! twins. What must hold all the time stands in [`world::Host::moved`] and [`world::Host::staged`]; in the end, when
//! the trouble is over, every host must run the last generation.
//!
//! `SWITCHYARD_LONG=1` runs 10,000 seeds instead of 500; `SEED=n` runs one.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(clippy::print_stdout)] // What was seen is what a long run is read for.

mod admin;
mod world;

use world::World;

#[test]
fn y1_y3_y7_y13_no_host_goes_back_mixes_or_is_lost_whatever_happens() {
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = if std::env::var_os("SWITCHYARD_LONG").is_some() { 10_000 } else { 500 };
    let seeds = one.map_or(1..=seeds, |seed: u64| seed..=seed);
    let mut all = world::Seen::default();
    for seed in seeds {
        let seen = World::new(seed).run();
        all.add(&seen);
    }
    println!("{all:?}");
    // A world in which nothing happens shows nothing.
    if one.is_none() {
        let world::Seen { flips, back, crashes, refusals, forks, rests } = all;
        let least = [flips, back, crashes, refusals, forks, rests].into_iter().min();
        assert!(least > Some(50), "{all:?}");
    }
}
