//! The floors: a crate may use only crates on lower floors, so there is no circle and no short cut.
//!
//! Cargo itself refuses circles; what it cannot know is that mx and router must never name one another, or
//! that only `smtp/src/wire/` may know smtp-proto. [`FLOORS`] and [`CONFINED`] are those rules, and
//! [`check`] reads them against `cargo metadata` and the sources.

use std::fmt::Write as _;

use serde_json::Value;

use crate::run::{self, Failure};
use crate::tree;

/// Each crate's floor and folder, from the lowest up.
const FLOORS: &[(u8, &str, &str)] = &[
    (0, "switchyard-smtp", "smtp"),
    (0, "switchyard-daemon", "daemon"),
    (0, "switchyard-milter-protocol", "milter/protocol"),
    (0, "switchyard-mapsync-protocol", "mapsync/protocol"),
    (1, "switchyard-milter-mta", "milter/mta"),
    (1, "switchyard-maps", "maps"),
    (2, "switchyard-config", "config"),
    (3, "switchyard-mx", "mx"),
    (3, "switchyard-router", "router"),
    (3, "switchyard-milter", "milter"),
    (4, "switchyard-behaviour", "behaviour"),
    (5, "switchyard-mapsync", "mapsync"),
    (6, "switchyard", "cli"),
    (7, "switchyard-tests", "tests"),
    // The chores stand beside the house.
    (8, "xtask", "xtask"),
];

/// A word that inside `folder` may stand only under the paths in `only`.
struct Confined {
    folder: &'static str,
    word: &'static str,
    only: &'static [&'static str],
    why: &'static str,
}

const CONFINED: &[Confined] = &[
    Confined {
        folder: "",
        word: "smtp_proto",
        only: &["smtp/src/wire/"],
        why: "smtp-proto stands behind our own types",
    },
    Confined {
        folder: "smtp/src",
        word: "tokio",
        only: &["smtp/src/io/", "smtp/src/testing.rs"],
        why: "no socket or clock outside io/",
    },
    Confined {
        folder: "smtp/src",
        word: "tokio_rustls",
        only: &["smtp/src/io/"],
        why: "no socket or clock outside io/",
    },
    Confined {
        folder: "milter/protocol/src",
        word: "tokio",
        only: &["milter/protocol/src/io/"],
        why: "no socket or clock outside io/",
    },
    Confined { folder: "smtp/src", word: "rustls", only: &["smtp/src/io/"], why: "TLS is I/O" },
    Confined {
        folder: "mx/src",
        word: "switchyard_config",
        only: &["mx/src/lib.rs", "mx/src/settings/", "mx/src/tests.rs"],
        why: "only settings/ takes the settings apart",
    },
    Confined {
        folder: "router/src",
        word: "switchyard_config",
        only: &["router/src/lib.rs", "router/src/settings/", "router/src/tests.rs"],
        why: "only settings/ takes the settings apart",
    },
    Confined {
        folder: "milter/src",
        word: "switchyard_config",
        only: &["milter/src/lib.rs", "milter/src/settings/"],
        why: "only settings/ takes the settings apart",
    },
    Confined {
        folder: "",
        word: "hickory_resolver",
        only: &[
            "daemon/src/dns.rs",
            "mx/src/deliver/",
            "router/src/deliver/",
            "milter/src/dns/zone.rs",
            "milter/src/verify/dmarc.rs",
            "tests/",
        ],
        why: "only delivery and what a message proves ask the DNS",
    },
    Confined {
        folder: "",
        word: "mail_auth",
        only: &["milter/src/"],
        why: "one daemon says what a message proves",
    },
    Confined {
        folder: "",
        word: "listenfd",
        only: &["daemon/src/"],
        why: "descriptors are inherited in one place",
    },
    Confined {
        folder: "",
        word: "sd_notify",
        only: &["daemon/src/"],
        why: "one voice to the service manager",
    },
    Confined {
        folder: "",
        word: "unsafe",
        only: &["maps/src/artifact/mapped.rs", "maps/benches/lookup/lmdb.rs"],
        why: "mapping a file is all that needs it, and opening the LMDB we are compared with",
    },
];

/// The crate whose lint is `deny`, so that one line of it can say why it differs; see [`CONFINED`].
const MAY_LIFT_UNSAFE: &str = "switchyard-maps";

/// Prints the floors and checks them.
pub(crate) fn run() -> Result<(), Failure> {
    println!("{}", picture());
    check()
}

/// Every broken rule at once.
pub(crate) fn check() -> Result<(), Failure> {
    let metadata = run::read(run::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Failure::Answer(format!("cargo metadata: {error}")))?;
    let mut found = upward_edges(&metadata);
    found.extend(relaxed_lints()?);
    found.extend(misplaced_words()?);
    run::findings(found)
}

fn picture() -> String {
    let mut text = String::new();
    for (floor, name, folder) in FLOORS.iter().rev() {
        let _ = writeln!(text, "{floor}  {name:<27} {folder}/");
    }
    text
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, known, _)| *known == name).map(|(floor, ..)| *floor)
}

/// Dependencies on the same floor or a higher one; build and dev dependencies count as well.
fn upward_edges(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for package in list(&metadata["packages"]) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(floor) = floor_of(name) else {
            found.push(format!("{name} stands on no floor: give it one in xtask/src/floors.rs"));
            continue;
        };
        for dependency in list(&package["dependencies"]) {
            let used = dependency["name"].as_str().unwrap_or_default();
            // A crate may name itself, to turn on its own features for its tests.
            if floor_of(used).is_some_and(|under| under >= floor && used != name) {
                found.push(format!("{name} (floor {floor}) may not use {used}: it is not on a lower floor"));
            }
        }
    }
    found
}

/// Crates that do not take the workspace's lints, and those that could hold `unsafe` without a reason.
fn relaxed_lints() -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for (_, name, folder) in FLOORS {
        let manifest = tree::read(&format!("{folder}/Cargo.toml"))?;
        if !manifest.contains("[lints]\nworkspace = true") {
            found.push(format!("{name} does not take the workspace's lints"));
        }
        if *name != MAY_LIFT_UNSAFE && !forbids_unsafe(folder)? {
            found.push(format!("{name} does not start with #![forbid(unsafe_code)]"));
        }
    }
    Ok(found)
}

/// Whether each root file of the crate forbids `unsafe` for good.
fn forbids_unsafe(folder: &str) -> Result<bool, Failure> {
    let sources = tree::sources(&format!("{folder}/src"), "rs")?;
    let is_root =
        |path: &str| ["lib.rs", "main.rs"].iter().any(|root| path == format!("{folder}/src/{root}"));
    let mut roots = sources.iter().filter(|source| is_root(&source.path));
    Ok(roots.all(|source| source.text.contains("\n#![forbid(unsafe_code)]\n")))
}

fn misplaced_words() -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for rule in CONFINED {
        for source in tree::sources(rule.folder, "rs")? {
            // This file names the words.
            if source.path.starts_with("xtask/") || rule.only.iter().any(|at| source.path.starts_with(at)) {
                continue;
            }
            for (number, line) in source.lines() {
                if names(line, rule.word) {
                    let (path, word, why) = (&source.path, rule.word, rule.why);
                    found.push(format!("{path}:{number}: `{word}` may not stand here: {why}"));
                }
            }
        }
    }
    Ok(found)
}

/// Whether the line's code, not its comment, holds the word by itself.
fn names(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let part_of_a_name = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(|character| part_of_a_name(character) || character == '"')
            && !after.is_some_and(part_of_a_name)
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_only_by_itself_and_only_in_code() {
        assert!(names("use tokio::net;", "tokio"));
        assert!(names("let stream: tokio_rustls::TlsStream;", "tokio_rustls"));
        for line in ["use tokio_rustls::x;", "// tokio", "let a = 1; // tokio", "mytokio()", "\"tokio\""] {
            assert!(!names(line, "tokio"), "{line}");
        }
    }

    #[test]
    fn an_edge_upwards_or_sideways_is_found() {
        let metadata = serde_json::json!({"packages": [
            {"name": "switchyard-mx", "dependencies": [
                {"name": "switchyard-smtp"}, {"name": "switchyard-router"}, {"name": "tokio"}]},
            {"name": "switchyard-smtp", "dependencies": [{"name": "switchyard-maps"}, {"name": "switchyard-smtp"}]},
            {"name": "stranger", "dependencies": []},
        ]});
        let found = upward_edges(&metadata);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("may not use switchyard-router"));
        assert!(found[1].contains("may not use switchyard-maps"));
        assert!(found[2].contains("stranger stands on no floor"));
    }
}
