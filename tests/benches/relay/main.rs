//! Durable relay, ours and Postfix's, in alternating rounds on this machine: `cargo xtask bench relay`.
//!
//! smtp-source → relay → smtp-sink, all on the loopback and on the same cores. In every round each of these has
//! its turn ([`relays`]): source and sink without a relay (the ceiling), Postfix, the router, and the router once
//! more: its two turns against each other are the control, whose ratio would be 1 on a quiet machine. A turn
//! ([`turn`]) ends when the *last* message has reached the sink; its CPU is that of the relay's whole process
//! tree. Medians of the rounds' ratios come with a 95 % interval ([`statistics`]); a round during which the host
//! stole more than 2 % of the time is thrown away and counted ([`report`]).
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it found")]

mod machine;
mod relays;
mod report;
mod statistics;
mod turn;

use std::path::PathBuf;

use clap::Parser;

use relays::Relays;
use report::Round;
use turn::Load;

/// Rounds with too much stolen time, at most, for each that counts.
const TRIES: u32 = 3;

/// Durable relay, ours and Postfix's, in alternating rounds.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench relay")]
struct Arguments {
    /// The router's program.
    #[arg(long)]
    router: PathBuf,
    /// Where the spools are made; the disk under it is part of what is measured.
    #[arg(long)]
    folder: PathBuf,
    /// Rounds that count.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Messages in a turn.
    #[arg(long, default_value_t = 5000)]
    messages: u32,
    /// Sessions at once.
    #[arg(long, default_value_t = 20)]
    sessions: u32,
    /// Bytes of a message's body.
    #[arg(long, default_value_t = 4096)]
    length: u32,
    /// Keep the source's connections, instead of a new one for each message.
    #[arg(long)]
    kept: bool,
    /// Print the figures of every round as JSON.
    #[arg(long)]
    json: bool,
    /// Cargo says so to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let load = Load {
        messages: arguments.messages,
        sessions: arguments.sessions,
        length: arguments.length,
        kept: arguments.kept,
    };
    let relays = Relays::start(&arguments.router, &arguments.folder);
    // Caches, pools and new files: the first turns are nobody's figures.
    eprintln!("warming up");
    let _ = relays.round(&Load { messages: arguments.messages.min(1000), ..load });

    let mut rounds: Vec<Round> = Vec::new();
    let mut discarded = 0;
    while rounds.len() < arguments.rounds as usize && discarded <= arguments.rounds * TRIES {
        let round = relays.round(&load);
        if round.is_fair() {
            rounds.push(round);
        } else {
            discarded += 1;
        }
        eprintln!("round {} of {}, {discarded} thrown away", rounds.len(), arguments.rounds);
    }
    if arguments.json {
        println!("{}", report::json(&load, &rounds, discarded));
    } else {
        print!("{}", report::table(&load, &rounds, discarded));
    }
}
