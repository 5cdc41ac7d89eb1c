//! What is told of a scenario that failed, beside its own words: how far everybody's log came, and where mail was left.
//! Whoever reads of a failure has no folder to look into any more.

use std::thread;

/// The last lines of a log that are told.
const LINES: usize = 40;

/// Tells the end of something long, if the scenario is failing at this moment.
pub(crate) fn of(what: &str, text: impl FnOnce() -> String) {
    if thread::panicking() {
        tell(what, &end(&text(), LINES));
    }
}

/// The last lines of a text.
pub(crate) fn end(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

#[expect(clippy::print_stderr, reason = "the test harness shows it under the scenario's name")]
fn tell(what: &str, text: &str) {
    eprintln!("---- {what}\n{text}");
}
