//! Random addresses to a table of a million networks, ours and a prefix trie's, in alternating rounds:
//! `cargo bench -p switchyard-maps --bench cidr [-- --quick]`.
//!
//! The networks stand with the longest first, so that the first that matches is the longest, which is what a
//! trie gives: each answer is compared once. A figure is the median of the rounds, in this thread's own time. `chained`: the next address
//! is known only with the answer before it, so that no time is hidden.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

use std::collections::HashSet;
use std::env;
use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use ipnet::{Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use rustix::time::{ClockId, clock_gettime};
use switchyard_maps::artifact::{Bytes, Container};
use switchyard_maps::cidr::{Cidr, compile_untyped};

const ROUNDS: usize = 9;

fn main() {
    let quick = env::args().any(|word| word == "--quick");
    let sizes: &[usize] = if quick { &[100_000] } else { &[100_000, 1_000_000] };
    for size in sizes {
        v4(*size);
        v6(*size);
    }
}

fn v4(size: usize) {
    let mut random = fastrand::Rng::with_seed(4);
    let mut networks = HashSet::new();
    while networks.len() < size {
        // As in lists of clients: many hosts and /24s, some larger.
        let length = *[16, 20, 22, 23, 24, 24, 24, 26, 28, 32, 32, 32].get(random.usize(..12)).unwrap();
        networks.insert(Ipv4Net::new(Ipv4Addr::from_bits(random.u32(..)), length).unwrap().trunc());
    }
    let mut networks: Vec<_> = networks.into_iter().collect();
    networks.sort_unstable_by_key(|network| (u8::MAX - network.prefix_len(), *network));
    let mut text = String::new();
    let mut trie = PrefixMap::new();
    for (number, network) in (1u32..).zip(&networks) {
        writeln!(text, "{network} v{}", number % 200).unwrap();
        trie.insert(*network, number);
    }
    let questions: Vec<_> = (0..size.max(1_000_000))
        .map(|number| match number % 2 {
            0 => Ipv4Addr::from_bits(random.u32(..)),
            _ => Ipv4Addr::from_bits(networks[random.usize(..size)].network().to_bits() | random.u32(..16)),
        })
        .collect();
    let table = build("IPv4", size, &text);
    let ours = |address: Ipv4Addr| table.find(IpAddr::V4(address)).unwrap().map_or(0, |found| found.line);
    let theirs = |address: Ipv4Addr| {
        trie.get_lpm(&Ipv4Net::new(address, 32).unwrap()).map_or(0, |(_, number)| *number)
    };
    compare(&questions, |address, hint| Ipv4Addr::from_bits(address.to_bits() ^ hint), ours, theirs);
}

fn v6(size: usize) {
    let mut random = fastrand::Rng::with_seed(6);
    let mut networks = HashSet::new();
    // Providers have a /32 each, out of what the registries have given out.
    let providers: Vec<u128> = (0..20_000)
        .map(|_| {
            let registry = *[0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00].get(random.usize(..6)).unwrap();
            ((registry | random.u128(..16)) << 112) | (random.u128(..1 << 16) << 96)
        })
        .collect();
    while networks.len() < size {
        let provider = providers[random.usize(..providers.len())];
        let length = *[32, 40, 48, 48, 56, 64, 64, 128].get(random.usize(..8)).unwrap();
        let address = provider | (random.u128(..1 << 32) << 64) | random.u128(..1 << 8);
        networks.insert(Ipv6Net::new(Ipv6Addr::from_bits(address), length).unwrap().trunc());
    }
    let mut networks: Vec<_> = networks.into_iter().collect();
    networks.sort_unstable_by_key(|network| (u8::MAX - network.prefix_len(), *network));
    let mut text = String::new();
    let mut trie = PrefixMap::new();
    for (number, network) in (1u32..).zip(&networks) {
        writeln!(text, "{network} v{}", number % 200).unwrap();
        trie.insert(*network, number);
    }
    let questions: Vec<_> = (0..size.max(1_000_000))
        .map(|number| match number % 2 {
            0 => Ipv6Addr::from_bits(providers[random.usize(..providers.len())] | random.u128(..1 << 96)),
            _ => Ipv6Addr::from_bits(networks[random.usize(..size)].network().to_bits() | random.u128(..16)),
        })
        .collect();
    let table = build("IPv6", size, &text);
    let ours = |address: Ipv6Addr| table.find(IpAddr::V6(address)).unwrap().map_or(0, |found| found.line);
    let theirs = |address: Ipv6Addr| {
        trie.get_lpm(&Ipv6Net::new(address, 128).unwrap()).map_or(0, |(_, number)| *number)
    };
    compare(
        &questions,
        |address, hint| Ipv6Addr::from_bits(address.to_bits() ^ u128::from(hint)),
        ours,
        theirs,
    );
}

fn build(family: &str, size: usize, text: &str) -> Cidr {
    let start = Instant::now();
    let (bytes, _) = compile_untyped(text.as_bytes()).unwrap();
    let built = start.elapsed();
    let octets = bytes.len();
    // As a daemon keeps what it compiles.
    let bytes = Bytes::kept(bytes);
    let start = Instant::now();
    let table = Cidr::open(Container::open(bytes).unwrap()).unwrap();
    let opened = start.elapsed();
    table.verify().unwrap();
    println!(
        "\n{family}, {size} networks: built from text in {:.0} ms, {:.1} MB, opened in {:.1} µs",
        built.as_secs_f64() * 1e3,
        octets as f64 / 1e6,
        opened.as_secs_f64() * 1e6
    );
    table
}

fn compare<A: Copy>(
    questions: &[A],
    disturb: impl Fn(A, u32) -> A,
    ours: impl Fn(A) -> u32,
    theirs: impl Fn(A) -> u32,
) {
    assert!(questions.iter().all(|question| ours(*question) == theirs(*question)));
    let hits = questions.iter().filter(|question| ours(**question) > 0).count();
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(nanoseconds(questions, &ours));
        times[1].push(nanoseconds(questions, &theirs));
        let mut before = 0;
        times[2].push(nanoseconds(questions, |question| {
            before = ours(disturb(question, black_box(before & 1)));
            before
        }));
    }
    let [ours, theirs, chained] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    println!("{:.0} % hits", 100.0 * hits as f64 / questions.len() as f64);
    println!("ours {ours:>14.0} ns   chained {chained:.0} ns");
    println!("prefix-trie {theirs:>7.0} ns   {:.1} times ours", theirs / ours);
}

fn nanoseconds<A: Copy>(questions: &[A], mut ask: impl FnMut(A) -> u32) -> f64 {
    let start = cpu();
    for question in questions {
        black_box(ask(*question));
    }
    (cpu() - start) * 1e9 / questions.len() as f64
}

/// Seconds this thread has had of a processor.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
