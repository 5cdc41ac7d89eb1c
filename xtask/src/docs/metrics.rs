//! docs/metrics.md: every metric, read off the calls that register them.
//!
//! A registration is `.KIND("name", "help"…)` on a `Registry` of `switchyard_daemon::metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::run::Failure;
use crate::tree;

/// The constructors of `Registry`, and what they make.
const KINDS: &[(&str, &str)] = &[
    ("counter", "counter"),
    ("counters", "counter"),
    ("gauge", "gauge"),
    ("gauges", "gauge"),
    ("float_gauge", "gauge"),
    ("float_gauges", "gauge"),
    ("seconds", "histogram"),
    ("seconds_by", "histogram"),
    ("bytes", "histogram"),
    ("histogram", "histogram"),
    ("histograms", "histogram"),
];

/// The folders of what runs in production.
const FOLDERS: &[&str] = &["daemon/src", "maps/src", "mx/src", "router/src"];

const HEAD: &str = "\
# Metrics

Made from the sources by `cargo xtask docs`. Every daemon serves these at `/metrics`, in the text format of
Prometheus; the units are seconds and bytes. Labels have closed sets of values: no address, domain or host is
ever one, those are in the log.
";

struct Metric {
    kind: &'static str,
    labels: Vec<String>,
    help: String,
}

/// The whole document.
pub(super) fn document() -> Result<String, Failure> {
    let mut text = HEAD.to_owned();
    for folder in FOLDERS {
        let mut metrics = BTreeMap::new();
        for source in tree::sources(folder, "rs")? {
            if !source.path.ends_with("tests.rs") {
                let production = source.text.split("#[cfg(test)]").next().unwrap_or_default();
                metrics.extend(registered(production));
            }
        }
        if !metrics.is_empty() {
            let _ = write!(
                text,
                "\n## `{}`\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n",
                folder
            );
        }
        for (name, Metric { kind, labels, help }) in metrics {
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "| `switchyard_{name}` | {kind} | {labels} | {help} |");
        }
    }
    Ok(text)
}

/// The registrations in a source, by name.
fn registered(source: &str) -> BTreeMap<String, Metric> {
    let code =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeMap::new();
    for (method, kind) in KINDS {
        let call = format!(".{method}(");
        for (at, _) in code.match_indices(&call) {
            if let Some((name, metric)) = registration(&code[at + call.len()..], kind) {
                found.insert(name, metric);
            }
        }
    }
    found
}

/// `"name", "help"` and perhaps `&["label", …]`, up to the end of the call.
fn registration(arguments: &str, kind: &'static str) -> Option<(String, Metric)> {
    let (name, rest) = literal(arguments)?;
    let (help, rest) = literal(rest.trim_start().strip_prefix(',')?)?;
    let labels = rest.trim_start().strip_prefix(',').and_then(|rest| {
        let (list, _) = rest.trim_start().strip_prefix("&[")?.split_once(']')?;
        Some(list.split(',').map(|label| label.trim().trim_matches('"').to_owned()).collect())
    });
    let labels = labels.unwrap_or_default();
    Some((name, Metric { kind, labels, help }))
}

/// A string literal at the start, without escapes but for a line that goes on, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let (inside, rest) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    let lines = inside.split("\\\n").map(str::trim_start).collect::<Vec<_>>();
    Some((lines.concat(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_over_several_lines_are_read() {
        let found = registered(
            "registry.counter(\"a_total\", \"As.\")?,\n  registry.counters(\n  \"b_total\",\n \"Bs, by \\\n  c.\",\n  \
             &[\"c\", \"d\"],\n)?;\n// registry.gauge(\"no\", \"No.\")\nother.bytes(4)",
        );
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a_total", "b_total"]);
        assert_eq!(found["b_total"].labels, ["c", "d"]);
        assert_eq!(found["b_total"].help, "Bs, by c.");
    }
}
