//! `switchyard behave`: the same behaviours asked of a site's folder, of the suite at work, and of a Postfix set up
//! by hand for the same site; and a difference that was planted between the two.

mod example;
mod hand;
mod postfix;
mod words;

use serde_json::Value;
use switchyard_tests::tool::Told;

/// Each behaviour's name with its state on one server, in order.
fn states(told: &Told, server: &str) -> Vec<(String, String)> {
    let run = told.json();
    let behaviours = run["behaviours"].as_array().expect("behaviours");
    let state = |behaviour: &Value| behaviour["verdicts"][server]["state"].as_str().map(str::to_owned);
    let name = |behaviour: &Value| behaviour["name"].as_str().map(str::to_owned);
    let pair = |behaviour| (name(behaviour).expect("a name"), state(behaviour).expect("a state"));
    behaviours.iter().map(pair).collect()
}

/// How many things of a run could not be asked of a server.
fn unasked(told: &Told, server: &str) -> usize {
    let run = told.json();
    let findings = run["behaviours"].as_array().expect("behaviours").iter();
    let findings =
        findings.flat_map(|behaviour| behaviour["verdicts"][server]["findings"].as_array().cloned());
    findings.flatten().filter(|finding| finding["holds"]["not_asked"].is_string()).count()
}
