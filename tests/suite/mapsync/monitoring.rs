//! The alarms and the dashboard: Prometheus reads them, they ask for what is there, and each alarm that has an example
//! goes off as it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use switchyard_tests::peer::require;
use tempfile::TempDir;

const PROMTOOL: &str = "/usr/bin/promtool";

fn tree() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn promtool(words: &[&str], file: &Path) {
    require(PROMTOOL);
    let output = Command::new(PROMTOOL).args(words).arg(file).output().expect("promtool starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", file.display());
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of ours that a text names, without what a histogram adds to its own.
fn named(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("switchyard_"));
    ours.map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
}

#[test]
fn alarms_are_read_and_go_off() {
    let folder = tree().join("monitoring");
    promtool(&["check", "rules"], &folder.join("mapsync.rules.yml"));
    promtool(&["test", "rules"], &folder.join("mapsync.test.yml"));
}

#[test]
fn alarms_and_dashboard_ask_for_what_is_told() {
    let folder: PathBuf = tree().join("monitoring");
    let told = read(&tree().join("docs/metrics.md"));
    for name in ["mapsync.rules.yml", "mapsync.dashboard.json"] {
        let named = named(&read(&folder.join(name)));
        assert!(named.len() > 10, "{name}");
        for metric in named {
            assert!(told.contains(&format!("| `{metric}` |")), "{name}: {metric}");
        }
    }

    // Each question of the dashboard, as a rule: those promtool can read. Grafana fills in the interval.
    let dashboard: Value = serde_json::from_str(&read(&folder.join("mapsync.dashboard.json"))).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("questions"));
    let rule = |(at, target): (usize, &Value)| {
        let expr = target["expr"].as_str().expect("a question").replace("$__rate_interval", "5m");
        json!({ "record": format!("panel:{at}"), "expr": expr })
    };
    let rules: Vec<Value> = targets.enumerate().map(rule).collect();
    let scratch = TempDir::new().expect("a folder");
    let file = scratch.path().join("panels.json");
    // JSON is YAML.
    let text = json!({ "groups": [{ "name": "panels", "rules": rules }] }).to_string();
    switchyard_tests::tool::write(&file, &text);
    promtool(&["check", "rules"], &file);
}
