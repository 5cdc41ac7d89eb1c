//! docs/metrics.md: every metric, read off the calls that register them.
//!
//! A registration is `.KIND("name", "help"…)` on a `Registry` of `switchyard_daemon::metrics`, or, on the floor
//! beside it, `TYPE::new("name", "help"…)` of the metrics' own crate. What a `let` named just before stands
//! for itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::run::Failure;
use crate::tree;

/// The constructors of `Registry`, and what they make.
const KINDS: &[(&str, &str)] = &[
    (".counter(", "counter"),
    (".counters(", "counter"),
    (".gauge(", "gauge"),
    (".gauges(", "gauge"),
    (".float_gauge(", "gauge"),
    (".float_gauges(", "gauge"),
    (".seconds(", "histogram"),
    (".seconds_by(", "histogram"),
    (".bytes(", "histogram"),
    (".histogram(", "histogram"),
    (".histograms(", "histogram"),
    ("IntCounter::new(", "counter"),
    ("IntCounterVec::new(", "counter"),
    ("IntGauge::new(", "gauge"),
    ("IntGaugeVec::new(", "gauge"),
    ("HistogramVec::new(", "histogram"),
];

/// What listeners call their metrics, in both daemons: the code says `name("sessions")`.
const LISTENER: &str = "smtp_server_";

/// The folders of what runs in production.
const FOLDERS: &[&str] =
    &["daemon/src", "milter/protocol/src", "maps/src", "mx/src", "router/src", "milter/src", "mapsync/src"];

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
    let code = spelled_out(code);
    let mut found = BTreeMap::new();
    for (call, kind) in KINDS {
        for (at, _) in code.match_indices(call) {
            if let Some((name, metric)) = registration(&code[at + call.len()..], kind) {
                found.insert(name, metric);
            }
        }
    }
    found
}

/// Puts what `let help = "…";` and `let options = Opts::new("…", "…");` name where the names are used.
fn spelled_out(mut code: String) -> String {
    let lets: Vec<(String, String)> = code
        .split("let ")
        .skip(1)
        .filter_map(|rest| {
            let (name, value) = rest.split_once(" =")?;
            let (value, _) = value.split_once(";\n")?;
            let value = value.trim();
            let value = match value.strip_prefix("HistogramOpts::new(") {
                Some(list) => list.split_once(").buckets(").map_or(value, |(list, _)| list),
                None => {
                    value.strip_prefix("Opts::new(").and_then(|list| list.strip_suffix(')')).unwrap_or(value)
                }
            };
            let value = value.trim().trim_end_matches(',');
            (value.starts_with('"') && value.ends_with('"')).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect();
    for (name, value) in lets {
        for before in [", ", "new("] {
            for after in [", ", ")"] {
                code = code.replace(&format!("{before}{name}{after}"), &format!("{before}{value}{after}"));
            }
        }
    }
    code.replace("&name(\"", &format!("\"{LISTENER}")).replace("\"), \"", "\", \"")
}

/// `"name", "help"` and perhaps `&["label", …]`, up to the end of the call.
fn registration(arguments: &str, kind: &'static str) -> Option<(String, Metric)> {
    let (name, rest) = literal(arguments)?;
    let (help, rest) = literal(rest.trim_start().strip_prefix(',')?)?;
    let labels = rest.trim_start().strip_prefix(',').and_then(|rest| {
        let (list, _) = rest.trim_start().strip_prefix("&[")?.split_once(']')?;
        Some(list.split(',').map(|label| label.trim().trim_matches('"').to_owned()).collect())
    });
    let name = name.strip_prefix("switchyard_").unwrap_or(&name).to_owned();
    Some((
        name,
        Metric { kind, labels: labels.unwrap_or_default(), help: help.trim_end_matches('.').to_owned() },
    ))
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
        assert_eq!(found["b_total"].help, "Bs, by c");
    }

    #[test]
    fn names_stand_for_what_they_name() {
        let found = registered(
            "let help = \"As.\";\nlet options =\n  Opts::new(\"switchyard_b\", \"Bs\");\n\
             r.counters(\"a_total\", help, &[\"x\"])?,\nIntGaugeVec::new(options, &[\"y\"])?,\n\
             r.gauge(&name(\"c\"), \"Cs.\")?",
        );
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a_total", "b", "smtp_server_c"]);
        assert_eq!((found["b"].kind, found["b"].labels[0].as_str()), ("gauge", "y"));
        assert_eq!(found["a_total"].help, "As");
    }
}
