//! Keys to tables of patterns, ours and the `regex` crate's set's, in alternating rounds:
//! `cargo bench -p switchyard-maps --bench pattern [-- --quick]`.
//!
//! A set tells all patterns that match, and the first of them is the answer: each answer is compared once. A
//! figure is the median of the rounds, in this thread's own time. Then what an admin may do by mistake: ten times as
//! many patterns, more than there is room for, and patterns that would keep a backtracking engine busy for ever
//! (reliability: G1).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

use regex::bytes::{RegexSet, RegexSetBuilder};
use rustix::time::{ClockId, clock_gettime};
use switchyard_maps::artifact::Container;
use switchyard_maps::pattern::{Dialect, Patterns, compile_untyped};

const ROUNDS: usize = 9;

fn main() {
    let quick = env::args().any(|word| word == "--quick");
    let sizes: &[usize] = if quick { &[1_000] } else { &[100, 1_000, 5_000] };
    for size in sizes {
        compare(*size);
    }
    if !quick {
        many(50_000);
    }
    long_keys();
}

/// What people write into such tables.
fn patterns(size: usize) -> Vec<String> {
    (0..size)
        .map(|number| match number % 5 {
            0 => format!(r"^user{number}(\+[^@]*)?@mail\.example\.com$"),
            1 => format!(r"@([a-z0-9-]+\.)*dept{number}\.example\.(com|org|net)$"),
            2 => format!(r"^(bounce|return)-{number}-[0-9a-f]{{8,32}}@"),
            3 => format!(r"newsletter{number}\."),
            _ => format!(r"^.*[.-]host{number}[.-].*\.example$"),
        })
        .collect()
}

/// Keys that the pattern of a number matches, and keys that look like one but are none.
fn keys(size: usize, hit: bool) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(5);
    (0..2_000)
        .map(|_| {
            let number = if hit { random.usize(..size) } else { size + random.usize(..size) };
            let dash = if hit { "." } else { "_" };
            match number % 5 {
                0 => format!("user{number}+list@mail.example.com"),
                1 => format!("someone@a.b.dept{number}.example.org"),
                2 => format!("return-{number}-0123456789abcdef@example.net"),
                3 => format!("info@newsletter{number}{dash}example"),
                _ => format!("x{dash}host{number}{dash}y.example"),
            }
        })
        .collect()
}

fn compare(size: usize) {
    let patterns = patterns(size);
    let before = resident();
    let table = build(&patterns);
    println!("  {:.1} MB more in memory, text and artifact with it", resident() - before);
    let start = Instant::now();
    let set = RegexSetBuilder::new(&patterns)
        .case_insensitive(true)
        .unicode(false)
        .size_limit(1 << 30)
        .dfa_size_limit(64 << 20)
        .build()
        .unwrap();
    println!("  RegexSet: built in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    for (name, keys) in [("hits", keys(size, true)), ("misses", keys(size, false))] {
        // The first pass fills both sides' caches, and shows that they agree.
        for key in &keys {
            assert_eq!(ours(&table, key), theirs(&set, key), "{key}");
        }
        let mut times: [Vec<f64>; 2] = Default::default();
        for _ in 0..ROUNDS {
            times[0].push(microseconds(&keys, |key| ours(&table, key)));
            times[1].push(microseconds(&keys, |key| theirs(&set, key)));
        }
        let [ours, theirs] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        });
        println!(
            "  {name:<7} ours {ours:>6.2} µs   RegexSet {theirs:>8.2} µs, {:.1} times ours",
            theirs / ours
        );
    }
    println!("  {:.1} MB in memory after all", resident() - before);
}

fn many(size: usize) {
    let before = resident();
    let table = build(&patterns(size));
    let keys = keys(size, true);
    let time = microseconds(&keys, |key| ours(&table, key));
    println!("  hits {time:.2} µs, {:.1} MB more in memory", resident() - before);
    let text: String = patterns(8 * size).iter().map(|pattern| format!("/{pattern}/ v\n")).collect();
    let start = Instant::now();
    let refused = compile_untyped(text.as_bytes(), Dialect::Pcre).map(drop).expect_err("no room for so many");
    println!("  eight times as many are refused in {:.1} s: {refused}", start.elapsed().as_secs_f64());
}

fn long_keys() {
    let table = build(&[r"^(a+)+$", r"(a*)*b$", r"^((a|a)*)*$", r"(x+x+)+y"].map(String::from));
    for length in [1 << 10, 50_000] {
        let key = "a".repeat(length) + "!";
        let time = microseconds(&[key], |key| ours(&table, key));
        println!("  `(a+)+$` and the like, a key of {length} octets: {:.3} ms", time / 1e3);
    }
}

fn build(patterns: &[String]) -> Patterns {
    let mut text = String::new();
    for (number, pattern) in patterns.iter().enumerate() {
        writeln!(text, "/{pattern}/ v{}", number % 100).unwrap();
    }
    let start = Instant::now();
    let (bytes, dead) = compile_untyped(text.as_bytes(), Dialect::Pcre).unwrap();
    assert_eq!(dead, "");
    let built = start.elapsed();
    let start = Instant::now();
    let table = Patterns::open(Container::open(bytes.into()).unwrap()).unwrap();
    println!(
        "\n{} patterns: checked in {:.0} ms, opened in {:.0} ms",
        patterns.len(),
        built.as_secs_f64() * 1e3,
        start.elapsed().as_secs_f64() * 1e3
    );
    table
}

fn ours(table: &Patterns, key: &str) -> Option<usize> {
    table.find(key).unwrap().map(|found| found.line as usize - 1)
}

fn theirs(set: &RegexSet, key: &str) -> Option<usize> {
    set.matches(key.as_bytes()).iter().next()
}

fn microseconds(keys: &[String], ask: impl Fn(&str) -> Option<usize>) -> f64 {
    let start = cpu();
    for key in keys {
        black_box(ask(key));
    }
    (cpu() - start) * 1e6 / keys.len() as f64
}

/// Seconds this thread has had of a processor.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Megabytes of memory this process has.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
