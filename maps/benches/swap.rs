//! A large set swapped for another while every core asks it: `cargo bench -p switchyard-maps --bench swap
//! [-- --full]` (a million entries, or with `--full` ten).
//!
//! Two sets on disk name the same addresses; one leads all of them to pools `a…`, the other to `b…`. Readers take
//! a snapshot, as a transaction does, and ask it twice: an answer must be that address's, and both of the same
//! set. Meanwhile a third thread opens the other set and swaps, again and again. What a reader waits for each
//! pair of questions, snapshot included, goes into a histogram of microseconds; one that was taken off its core
//! by the scheduler waits as long as that takes, so this wants a machine with nothing else to do.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use switchyard_maps::{Answer, MapHandle, MapName, MapOptions, MapSet, Nexthop, Route, Snapshot, installed};
use switchyard_smtp::address::Mailbox;

const POOLS: usize = 4000;
const READERS: u64 = 2;
/// Pairs of questions a reader asks.
const PAIRS: usize = 2_500_000;
/// Between two swaps, so that readers have the cores most of the time.
const PAUSE: Duration = Duration::from_millis(20);
/// Microseconds; what takes longer is counted with the last.
const LONGEST: usize = 100_000;

fn main() {
    let size = if env::args().any(|word| word == "--full") { 10_000_000 } else { 1_000_000 };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("swap");
    let _ = fs::remove_dir_all(&folder);
    let [one, other] = ["a", "b"].map(|letter| make(&folder.join(letter), letter, size));
    let handle = MapHandle::new(MapSet::load(&one).unwrap());
    let done = AtomicBool::new(false);
    let (mut waits, swaps) = thread::scope(|scope| {
        let swapper = scope.spawn(|| swap_until(&done, &handle, [&other, &one]));
        let readers: Vec<_> = (0..READERS)
            .map(|seed| {
                scope.spawn({
                    let handle = &handle;
                    move || read(handle, size, seed)
                })
            })
            .collect();
        let waits: Vec<Vec<u64>> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        (waits, swapper.join().unwrap())
    });
    let mut all = waits.pop().unwrap();
    waits.iter().for_each(|waits| all.iter_mut().zip(waits).for_each(|(all, some)| *all += some));
    let questions = all.iter().sum::<u64>() * 2;
    println!(
        "{size} entries, {questions} questions on {READERS} threads, {swaps} swaps: no wrong or mixed answer"
    );
    for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("longest", 1.0)]
    {
        println!("{name:<10}{:>8} µs a snapshot and two questions", quantile(&all, part));
    }
    let _ = fs::remove_dir_all(&folder);
}

/// Compiles and installs a set whose values start with the letter.
fn make(folder: &Path, letter: &str, size: usize) -> MapOptions {
    fs::create_dir_all(folder).unwrap();
    let mut text = BufWriter::new(File::create(folder.join("transport")).unwrap());
    for number in 0..size {
        writeln!(text, "{} smtp:@{letter}{}", address(number), number % POOLS).unwrap();
    }
    text.into_inner().unwrap();
    let pools: BTreeSet<String> = (0..POOLS).map(|number| format!("{letter}{number}")).collect();
    let options = MapOptions { folder: folder.to_owned(), pools, ..MapOptions::default() };
    let options = options.with_file(MapName::Transport, "transport");
    let installed = folder.join("set");
    installed::install(&options, &installed).unwrap();
    MapOptions { installed: Some(installed), ..options }
}

fn address(number: usize) -> String {
    format!("user.{number}@customer{}.example.org", number * 7919 % 50_000)
}

/// Swaps to the next of the two sets until the readers are done.
fn swap_until(done: &AtomicBool, handle: &MapHandle, sets: [&MapOptions; 2]) -> usize {
    let mut swaps = 0;
    while !done.load(Ordering::Relaxed) {
        handle.swap(MapSet::load(sets[swaps % 2]).unwrap());
        swaps += 1;
        thread::sleep(PAUSE);
    }
    swaps
}

/// Asks in pairs; gives how many pairs took so many microseconds.
fn read(handle: &MapHandle, size: usize, seed: u64) -> Vec<u64> {
    let mut chance = Rng::with_seed(seed);
    let mut waits = vec![0; LONGEST + 1];
    for _ in 0..PAIRS {
        let [one, other] = [chance.usize(..size), chance.usize(..size)];
        let mailboxes = [one, other].map(|number| Mailbox::parse(&address(number)).unwrap());
        let start = Instant::now();
        let snapshot = handle.snapshot();
        let pools = mailboxes.map(|mailbox| pool(&snapshot, &mailbox));
        drop(snapshot);
        waits[(start.elapsed().as_micros() as usize).min(LONGEST)] += 1;
        let [first, second] = pools;
        assert_eq!(first.get(..1), second.get(..1), "one snapshot answered out of two sets");
        assert_eq!([&first[1..], &second[1..]], [one, other].map(|number| (number % POOLS).to_string()));
    }
    waits
}

fn pool(snapshot: &Snapshot, mailbox: &Mailbox) -> Arc<str> {
    let Answer::Found(found) = snapshot.route(mailbox) else { panic!("{mailbox} is not found") };
    let Route::Deliver { nexthop: Nexthop::Pool(pool), .. } = found.value else {
        panic!("{mailbox} leads to no pool")
    };
    pool
}

/// The least number of microseconds that so large a part of the waits stays below.
fn quantile(waits: &[u64], part: f64) -> usize {
    let wanted = (waits.iter().sum::<u64>() as f64 * part).ceil() as u64;
    let mut seen = 0;
    let reached = |count: &u64| {
        seen += count;
        seen >= wanted
    };
    waits.iter().position(reached).unwrap_or(LONGEST) + 1
}
