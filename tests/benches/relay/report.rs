//! What is said at the end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::statistics::{Estimate, estimate, median};
use super::turn::{Load, Turn};

/// The most that the host may take away during a turn.
const STEAL_LIMIT: f64 = 0.02;

/// Everybody's turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) direct: Turn,
    pub(crate) postfix: Turn,
    pub(crate) router: Turn,
    pub(crate) again: Turn,
}

impl Round {
    /// Whether the machine was ours.
    pub(crate) fn is_fair(&self) -> bool {
        [self.direct, self.postfix, self.router, self.again].iter().all(|turn| turn.steal <= STEAL_LIMIT)
    }
}

type Pick = fn(&Round) -> &Turn;

/// Name, who says when a message is durable, and the turn.
const ROWS: &[(&str, &str, Pick)] = &[
    ("source -> sink", "none", |round| &round.direct),
    ("Postfix", "fsync", |round| &round.postfix),
    ("router", "log", |round| &round.router),
    ("router again", "log", |round| &round.again),
];

/// For people.
pub(crate) fn table(load: &Load, rounds: &[Round], discarded: u32) -> String {
    if rounds.is_empty() {
        return format!(
            "no round was fair: the host took more than 2 % of the time in each of {discarded}\n"
        );
    }
    let mut text = String::new();
    let connections = if load.kept { "kept connections" } else { "a new connection for each message" };
    let _ = writeln!(
        text,
        "\n{} messages of {} bytes, {} sessions, {connections}; {} rounds, {discarded} thrown away (steal > 2 %)\n",
        load.messages,
        load.length,
        load.sessions,
        rounds.len()
    );
    let _ = writeln!(
        text,
        "{:<16}{:>8}{:>12}{:>18}{:>20}",
        "", "ack", "msgs/s", "relay CPU us/msg", "machine CPU us/msg"
    );
    for (name, ack, pick) in ROWS {
        let rate = median_of(rounds, |round| pick(round).rate);
        let machine = median_of(rounds, |round| pick(round).machine_cpu);
        let relay = match *ack {
            "none" => "-".to_owned(),
            _ => format!("{:.0}", median_of(rounds, |round| pick(round).relay_cpu)),
        };
        let _ = writeln!(text, "{name:<16}{ack:>8}{rate:>12.0}{relay:>18}{machine:>20.0}");
    }
    let _ = writeln!(text, "\nratios, median of the rounds [95 % interval]");
    for (name, ratio) in ratios(rounds) {
        let Estimate { median, low, high } = ratio;
        let _ = writeln!(text, "{name:<44}{median:>7.3} [{low:.3}, {high:.3}]");
    }
    text
}

/// For programs.
pub(crate) fn json(load: &Load, rounds: &[Round], discarded: u32) -> Value {
    let turn = |turn: &Turn| {
        json!({
            "messages_per_second": turn.rate, "relay_cpu_us": turn.relay_cpu,
            "machine_cpu_us": turn.machine_cpu, "steal": turn.steal,
        })
    };
    let rounds_json: Vec<Value> = rounds
        .iter()
        .map(|round| {
            json!({
                "direct": turn(&round.direct), "postfix": turn(&round.postfix),
                "router": turn(&round.router), "router_again": turn(&round.again),
            })
        })
        .collect();
    let ratios: Vec<Value> =
        if rounds.is_empty() { Vec::new() } else { ratios(rounds).iter().map(ratio).collect() };
    json!({
        "messages": load.messages, "sessions": load.sessions, "length": load.length, "kept": load.kept,
        "ack": {"postfix": "fsync", "router": "log"},
        "rounds": rounds_json, "discarded": discarded, "ratios": ratios,
    })
}

fn ratio((name, estimate): &(&str, Estimate)) -> Value {
    json!({"name": name, "median": estimate.median, "low": estimate.low, "high": estimate.high})
}

fn ratios(rounds: &[Round]) -> [(&'static str, Estimate); 4] {
    let of = |ratio: fn(&Round) -> f64| estimate(&rounds.iter().map(ratio).collect::<Vec<_>>());
    [
        ("msgs/s, router / Postfix", of(|round| round.router.rate / round.postfix.rate)),
        ("relay CPU, Postfix / router", of(|round| round.postfix.relay_cpu / round.router.relay_cpu)),
        ("msgs/s, router / ceiling", of(|round| round.router.rate / round.direct.rate)),
        ("control: msgs/s, router / router again", of(|round| round.router.rate / round.again.rate)),
    ]
}

fn median_of(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> f64 {
    median(&rounds.iter().map(figure).collect::<Vec<_>>())
}
