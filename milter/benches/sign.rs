//! What signing costs: `cargo bench -p switchyard-milter --bench sign`.
//!
//! The filter, as the program that it is, signs messages of 4 KiB with an RSA key of 2048 bits; several MTAs tell them
//! over a unix socket at once, so that it has work at any time, as a filter has that is asked for its rate. The figure is
//! all processor time of that program, system calls and all, beside that of a loop that does nothing but sign the same
//! octets: the best that could be. Both are taken in turn, and both with all cores at work, since cores share more than
//! memory. What the MTAs take is not counted.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

mod house;

use std::path::Path;
use std::{fs, thread};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use rustix::time::{ClockId, clock_gettime};

use crate::house::{Filter, Mta, body};

/// MTAs at once.
const LINES: usize = 8;
/// Of each of them, in a round.
const MESSAGES: usize = 100;
const ROUNDS: usize = 9;

fn main() {
    let (filter, key) = Filter::start();
    let body = body();
    let mut lines: Vec<Mta> = (0..LINES).map(|_| Mta::connect(&filter.socket())).collect();
    let mut tell = || {
        thread::scope(|scope| {
            for mta in &mut lines {
                scope.spawn(|| {
                    for _ in 0..MESSAGES {
                        mta.begin(&body);
                        assert!(mta.end(), "it does not sign");
                    }
                });
            }
        });
    };
    tell();

    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let bare = signing(&key, &body);
        let before = worked(&filter.process());
        tell();
        let whole = (worked(&filter.process()) - before) / (LINES * MESSAGES) as f64;
        ratios.push((bare / whole, bare, whole));
    }
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, bare, whole) = ratios[ROUNDS / 2];
    let (least, most) = (ratios[0].0, ratios[ROUNDS - 1].0);
    println!(
        "signing, RSA-2048, 4 KiB: bare {:.0} µs, filter {:.0} µs; {ratio:.2} of the bare rate [{least:.2}, {most:.2}]",
        bare * 1e6,
        whole * 1e6
    );
}

/// Seconds of a bare signature, on each of all cores at once.
fn signing(key: &KeyPair, octets: &[u8]) -> f64 {
    let cores = thread::available_parallelism().unwrap().get();
    let took: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| signing_here(key, octets))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    took.iter().sum::<f64>() / cores as f64
}

/// The same, on this thread.
fn signing_here(key: &KeyPair, octets: &[u8]) -> f64 {
    const SIGNATURES: usize = 500;
    let random = SystemRandom::new();
    let mut signature = vec![0; key.public_modulus_len()];
    let before = clock();
    for _ in 0..SIGNATURES {
        key.sign(&RSA_PKCS1_SHA256, &random, octets, &mut signature).unwrap();
    }
    (clock() - before) / SIGNATURES as f64
}

/// Seconds this thread has had of a processor.
fn clock() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Seconds all threads of a process have had of one.
fn worked(process: &Path) -> f64 {
    let threads = fs::read_dir(process.join("task")).unwrap();
    let of_thread = |thread: fs::DirEntry| {
        let told = fs::read_to_string(thread.path().join("schedstat")).unwrap();
        told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    };
    threads.map(|thread| of_thread(thread.unwrap())).sum()
}
