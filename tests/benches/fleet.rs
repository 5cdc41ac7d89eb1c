//! A fleet on this machine, a hub and a thousand hosts on the loopback with mutual TLS: `cargo xtask bench fleet`.
//!
//! The hub is the program that is shipped, in a process of its own, whose CPU and memory are read; hosts are clients of
//! the protocol in this one ([`switchyard_tests::fleet`] says what they do and what they leave out). Signatures are
//! made and verified, and a push counts only when the hub has taken the word of every host.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it found")]

use std::path::PathBuf;

use clap::Parser;
use switchyard_tests::fleet::daemons::{Programs, whole_hosts};
use switchyard_tests::fleet::figures;
use switchyard_tests::fleet::lines::{self, Sizes};

/// A fleet: how soon a push is everywhere, and what that costs a hub.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench fleet")]
struct Arguments {
    /// The program of hubs and agents, switchyard-mapsync.
    #[arg(long)]
    mapsync: PathBuf,
    /// The program of whole hosts, switchyard-mx.
    #[arg(long)]
    mx: PathBuf,
    /// Hosts.
    #[arg(long, default_value_t = 1000)]
    hosts: usize,
    /// Small pushes.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Entries of the large table, of which one in a hundred changes.
    #[arg(long, default_value_t = 1_000_000)]
    entries: usize,
    /// Hosts with an agent and an mx each.
    #[arg(long, default_value_t = 20)]
    whole_hosts: usize,
    /// Only what needs one hub and no daemons: nothing is killed.
    #[arg(long)]
    one: bool,
    /// Only hosts with an agent and an mx each.
    #[arg(long, conflicts_with = "one")]
    only_whole_hosts: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Cargo says so to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let (hosts, entries) = (arguments.hosts, arguments.entries);
    let sizes = Sizes { hosts, rounds: arguments.rounds, entries };
    let programs = Programs { mapsync: arguments.mapsync, mx: arguments.mx };
    let mut found = Vec::new();
    if !arguments.only_whole_hosts {
        eprintln!("one hub, {hosts} hosts");
        found.extend(lines::one_hub(&programs.mapsync, sizes).await);
        if !arguments.one {
            eprintln!("three hubs on etcd, {hosts} hosts at two of them");
            found.extend(lines::three_hubs(&programs.mapsync, sizes).await);
        }
    }
    if !arguments.one {
        eprintln!("{} hosts with an agent and an mx each", arguments.whole_hosts);
        found.extend(whole_hosts(&programs, arguments.whole_hosts, entries).await);
    }
    if arguments.json {
        println!("{}", figures::json(&found));
    } else {
        print!("{}", figures::table(&found));
    }
}
