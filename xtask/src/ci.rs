//! The whole gate, step by step: each says its name and how long it took, all run even when one fails, and
//! the closing line counts them.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::run::{Failure, cargo, show};
use crate::{docs, floors, peers, units};

struct Step {
    name: &'static str,
    run: fn() -> Result<(), Failure>,
}

/// In the order of what is missed first: a missing peer fails later tests in ways that are hard to read.
const STEPS: &[Step] = &[
    Step { name: "peers", run: peers::run },
    Step { name: "format", run: format },
    Step { name: "floors", run: floors::run },
    Step { name: "documents", run: docs::check },
    Step { name: "units", run: units::run },
    Step { name: "clippy", run: clippy },
    Step { name: "tests", run: tests },
    Step { name: "rustdoc", run: rustdoc },
    Step { name: "templates", run: templates },
];

/// Runs the steps whose name holds `only`, or all.
pub(crate) fn run(only: Option<&str>) -> ExitCode {
    let start = Instant::now();
    let chosen = STEPS.iter().filter(|step| only.is_none_or(|word| step.name.contains(word)));
    let failed: Vec<bool> = chosen.map(|step| !passes(step)).collect();
    let failures = failed.iter().filter(|failed| **failed).count();
    println!("\nall steps took {:.0} s", start.elapsed().as_secs_f64());
    println!("steps: {} passed, {failures} failed", failed.len() - failures);
    if failures == 0 && !failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(step: &Step) -> bool {
    println!("\n=== {} ===", step.name);
    let start = Instant::now();
    let outcome = (step.run)();
    let seconds = start.elapsed().as_secs_f64();
    match &outcome {
        Ok(()) => println!("=== {}: ok, {seconds:.1} s", step.name),
        Err(failure) => println!("{failure}\n=== {}: FAILED, {seconds:.1} s", step.name),
    }
    outcome.is_ok()
}

fn format() -> Result<(), Failure> {
    show(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<(), Failure> {
    show(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Plain `cargo test`, which is on every machine.
fn tests() -> Result<(), Failure> {
    show(cargo().args(["test", "--locked", "--workspace", "--no-fail-fast"]))
}

fn rustdoc() -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
    show(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The site that `switchyard up` starts is made of the templates: every role, rendered and checked.
fn templates() -> Result<(), Failure> {
    show(switchyard().args(["check", "config/templates/example-site"]))
}

fn switchyard() -> Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet", "--package", "switchyard", "--"]);
    command
}
