//! What open connections hold: `cargo bench -p switchyard-milter --bench connections`.
//!
//! A thousand MTAs connect to the filter, as the program that it is, and each tells it of a client; then each tells all
//! of a message of 4 KiB but its end, and then the end, and that several times. Each waits until the filter has read what
//! it was told. The figures are the most that the program's resident memory grew by, for each of them. A message before
//! makes the program hold what it holds once.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

mod house;

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::house::{Filter, Mta, body};

const CONNECTIONS: usize = 1000;
/// Messages over each of them.
const ROUNDS: usize = 5;

fn main() {
    // Ours, and the program's that we start.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let (filter, _key) = Filter::start();
    let body = body();
    let mut first = Mta::connect(&filter.socket());
    first.begin(&body);
    assert!(first.end(), "it does not sign");

    let before = resident(&filter.process());
    let each = |now: usize| now.saturating_sub(before) as f64 / CONNECTIONS as f64;
    let mut open: Vec<Mta> = (0..CONNECTIONS).map(|_| Mta::waiting(&filter.socket())).collect();
    let idle = resident(&filter.process());
    let (mut busy, mut over) = (0, 0);
    for _ in 0..ROUNDS {
        open.iter_mut().for_each(|mta| mta.begin(&body));
        busy = busy.max(resident(&filter.process()));
        open.iter_mut().for_each(|mta| assert!(mta.end(), "it does not sign"));
        over = over.max(resident(&filter.process()));
    }
    println!("{CONNECTIONS} open connections: {before} KB before them");
    println!("a client told:            {:.1} KB each", each(idle));
    println!("in the midst of a message: {:.1} KB each", each(busy));
    println!("between two messages:     {:.1} KB each", each(over));
}

/// Kilobytes.
fn resident(process: &Path) -> usize {
    let status = fs::read_to_string(process.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
