//! Random questions to an exact map, ours and LMDB's, in alternating rounds on this machine:
//! `cargo bench -p switchyard-maps --bench lookup [-- --size 1000000] [--rounds 9]`.
//!
//! The same keys, values and questions for all ([`sample`]): mail addresses of a large site and a few thousand
//! routes. In every round each contender has its turn ([`contenders`]); a figure is the median of the rounds,
//! a ratio that of two medians of one run. Ways to ask: one question after the other, as a loop runs them; with
//! the value's text read; each only when the answer before it is known (`chained`), where no time is hidden; six
//! told to the map at once, like the key forms of an address; and for keys that are not there. The building is done by a child process, so that its peak memory is its own ([`build`]).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

mod build;
mod change;
mod contenders;
mod lmdb;
mod sample;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use switchyard_maps::artifact::{Bytes, Container, Exact, Layered};

use contenders::{Contender, Question};
use lmdb::Lmdb;
use sample::{Questions, Site};

const ROUNDS: usize = 9;
const QUESTIONS: usize = 1_000_000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, text, place] = arguments.as_slice()
        && word == "--build"
    {
        build::run(Path::new(text), Path::new(place));
        return;
    }
    let number = |name: &str| {
        let at = arguments.iter().position(|word| word == name)?;
        Some(arguments.get(at + 1).expect("a number").parse::<usize>().unwrap())
    };
    let sizes = number("--size").map_or_else(|| vec![1_000_000, 10_000_000], |size| vec![size]);
    for size in sizes {
        compare(size, number("--rounds").unwrap_or(ROUNDS));
    }
}

fn compare(size: usize, rounds: usize) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("lookup-{size}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    println!("\n{size} keys");
    let site = Site::of(size);
    let text = folder.join("map");
    let place = folder.join("map.swm");
    site.write(&text);
    let built = build::in_a_child(&text, &place);
    built.report(&site);

    let start = Instant::now();
    let map = Exact::open(Container::open(Bytes::open(&place).unwrap()).unwrap()).unwrap();
    let opened = start.elapsed();
    println!("open                {:>10.3} ms", opened.as_secs_f64() * 1e3);
    let start = Instant::now();
    map.container().bytes().populate().unwrap();
    println!("populate            {:>10.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    map.verify().unwrap();
    println!("verify              {:>10.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let huge = map.container().bytes().huge_copy().unwrap();
    println!("copy to huge pages  {:>10.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let huge = Exact::open(map.container().reopen(huge).unwrap()).unwrap();
    println!("in huge pages       {:>10.0} % of the mapped file", in_huge_pages(&place));
    let start = Instant::now();
    let environment = lmdb::open(&folder.join("lmdb"));
    let lmdb = Lmdb::fill(&environment, &site);
    println!("LMDB: build         {:>10.1} s, sorted, no fsync", start.elapsed().as_secs_f64());

    change::report(&map, &site);
    let again = map.container().reopen(Bytes::open(&place).unwrap()).unwrap();
    let beside = change::beside(Exact::open(again).unwrap(), &site);
    let [map, huge] = [map, huge].map(Layered::from);

    let hits = site.hits(QUESTIONS);
    let misses = site.misses(QUESTIONS);
    let contenders = [
        Contender::Ours(&map, "swm1"),
        Contender::Ours(&huge, "swm1, huge pages"),
        Contender::Ours(&beside, "swm1, 1 % beside"),
        Contender::Lmdb(&lmdb),
    ];
    print!("{:<20}", "ns a question");
    ["hit", "with text", "chained", "six at once", "miss"].iter().for_each(|head| print!("{head:>12}"));
    println!();
    let kinds: [(Question, &Questions); 5] = [
        (Question::Find, &hits),
        (Question::Text, &hits),
        (Question::Chained, &hits),
        (Question::Six, &hits),
        (Question::Find, &misses),
    ];
    let mut turns = vec![vec![Vec::new(); kinds.len()]; contenders.len()];
    for _ in 0..rounds {
        for (column, (question, questions)) in kinds.iter().enumerate() {
            for (row, contender) in contenders.iter().enumerate() {
                turns[row][column].push(contender.ask(*question, questions));
            }
        }
    }
    let medians: Vec<Vec<f64>> = turns.into_iter().map(|row| row.into_iter().map(median).collect()).collect();
    for (contender, row) in contenders.iter().zip(&medians) {
        print!("{:<20}", contender.name());
        row.iter().for_each(|figure| print!("{figure:>12.0}"));
        println!();
    }
    let theirs = medians.last().cloned().unwrap_or_default();
    for (contender, row) in contenders.iter().zip(&medians).take(3) {
        print!("{:<20}", format!("LMDB ÷ {}", contender.name()));
        row.iter().zip(&theirs).for_each(|(ours, theirs)| print!("{:>12.1}", theirs / ours));
        println!();
    }
    let _ = fs::remove_dir_all(&folder);
}

/// How much of the mapped file the kernel has in huge pages.
fn in_huge_pages(place: &Path) -> f64 {
    let place = place.canonicalize().unwrap();
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let ours = maps.lines().skip_while(|line| !line.ends_with(&*place.to_string_lossy()));
    let kilobytes = |word: &str| -> f64 {
        let line = ours.clone().find_map(|line| line.strip_prefix(word)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    100.0 * kilobytes("FilePmdMapped:") / kilobytes("Rss:")
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
