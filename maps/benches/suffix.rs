//! Addresses below a million domains, as a router asks for them: `cargo bench -p switchyard-maps --bench suffix`.
//!
//! A transport map has a million keys `.customer….example.org`. Each question is a whole one, a snapshot's
//! `route` of an address whose host has six labels: the address, the host, and one parent after the other. `found`:
//! the parent of three labels is listed; `nowhere`: none is, and all parents and `*` are asked. A figure is the median
//! of the rounds, in this thread's own time.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use fastrand::Rng;
use rustix::time::{ClockId, clock_gettime};
use switchyard_maps::{Answer, MapHandle, MapName, MapOptions, MapSet, Snapshot, installed};
use switchyard_smtp::address::Mailbox;

const DOMAINS: usize = 1_000_000;
const QUESTIONS: usize = 200_000;
const ROUNDS: usize = 9;

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("suffix");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut text = BufWriter::new(File::create(folder.join("transport")).unwrap());
    for number in 0..DOMAINS {
        writeln!(text, ".customer{number}.example.org smtp:@pool{}", number % 4000).unwrap();
    }
    text.into_inner().unwrap();
    let pools: BTreeSet<String> = (0..4000).map(|number| format!("pool{number}")).collect();
    let options = MapOptions { folder: folder.clone(), pools, ..MapOptions::default() };
    let options = options.with_file(MapName::Transport, "transport");
    let set = folder.join("set");
    installed::install(&options, &set).unwrap();
    let options = MapOptions { installed: Some(set), ..options };
    let handle = MapHandle::new(MapSet::load(&options).unwrap());
    let snapshot = handle.snapshot();

    let mut chance = Rng::with_seed(1);
    let mut address = |first: usize| {
        let number = first + chance.usize(..DOMAINS);
        Mailbox::parse(&format!("user@a.b.c.customer{number}.example.org")).unwrap()
    };
    let found: Vec<Mailbox> = (0..QUESTIONS).map(|_| address(0)).collect();
    let nowhere: Vec<Mailbox> = (0..QUESTIONS).map(|_| address(DOMAINS)).collect();
    println!("{DOMAINS} domains, hosts of six labels");
    println!("found      {:>6.0} ns a route", median(&snapshot, &found, true));
    println!("nowhere    {:>6.0} ns a route", median(&snapshot, &nowhere, false));
    let _ = fs::remove_dir_all(&folder);
}

fn median(snapshot: &Snapshot, questions: &[Mailbox], found: bool) -> f64 {
    let mut figures: Vec<f64> = (0..ROUNDS).map(|_| round(snapshot, questions, found)).collect();
    figures.sort_by(f64::total_cmp);
    figures[ROUNDS / 2]
}

fn round(snapshot: &Snapshot, questions: &[Mailbox], found: bool) -> f64 {
    let start = cpu();
    for mailbox in questions {
        let answer = snapshot.route(mailbox);
        assert_eq!(matches!(answer, Answer::Found(_)), found, "{mailbox}");
        let _ = black_box(answer);
    }
    (cpu() - start) / questions.len() as f64
}

/// Nanoseconds this thread has had of a processor.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
