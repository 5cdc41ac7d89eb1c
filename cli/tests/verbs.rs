//! The verbs `check` and `render` as a person runs them: what is written where, and how they end.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use switchyard_config::{MxSettings, Settings};

const EXAMPLE: &str = "../config/templates/example-site";
const BAD: &str = "../config/tests/bad/layers.site";

fn switchyard(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchyard")).args(arguments).output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A copy of the example site, to break.
fn example(folder: &Path) -> PathBuf {
    let site = folder.join("site");
    for (name, text) in switchyard_config::example::FILES {
        let path = site.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, text);
    }
    site
}

fn write(path: &Path, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_site_without_a_fault_is_fine() {
    assert_eq!(
        told(&switchyard(&["check", EXAMPLE])),
        (Some(0), "2 hosts, nothing wrong\n".into(), String::new())
    );
    assert_eq!(told(&switchyard(&["check", "--json", EXAMPLE])), (Some(0), "[]\n".into(), String::new()));
}

#[test]
fn faults_of_settings_and_maps_come_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let site = example(folder.path());
    write(&site.join("maps/transport"), "# ours\nexample.org lmtp:@mailboxs\n");
    write(&site.join("base.toml"), "[limits]\nhop = 100\n");
    let (code, data, speech) = told(&switchyard(&["check", site.to_str().unwrap()]));
    assert_eq!((code, data.as_str()), (Some(1), ""));
    let settings = format!(
        "{}:2:1: unknown key `hop` in [limits]; did you mean `hops`?",
        site.join("base.toml").display()
    );
    assert_eq!(speech.trim_end(), settings, "a host whose settings are wrong has no maps to read");

    write(&site.join("base.toml"), "");
    let (code, _, speech) = told(&switchyard(&["check", site.to_str().unwrap()]));
    let map = format!("{}:2:", site.join("maps/transport").display());
    assert!(speech.starts_with(&map) && speech.contains("unknown pool `mailboxs`"), "{speech}");
    assert_eq!((code, speech.lines().count()), (Some(1), 1));
}

#[test]
fn faults_can_be_had_as_json() {
    let (code, data, speech) = told(&switchyard(&["check", "--json", BAD]));
    assert_eq!((code, speech.as_str()), (Some(1), ""));
    let faults: Vec<serde_json::Value> = serde_json::from_str(&data).unwrap();
    let hops = faults.iter().find(|fault| fault["message"] == "`hops`: at least 50 is needed").unwrap();
    assert_eq!((hops["line"].as_u64(), hops["column"].as_u64()), (Some(2), Some(8)));
    assert_eq!(hops["file"], format!("{BAD}/base.toml"));
}

#[test]
fn a_host_is_rendered_as_its_daemon_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mx.toml");
    let (code, text, _) = told(&switchyard(&["render", EXAMPLE, "--host", "mx1"]));
    assert_eq!(code, Some(0));
    let written =
        switchyard(&["render", EXAMPLE, "--host", "mx1.example.org", "--out", path.to_str().unwrap()]);
    assert_eq!(told(&written), (Some(0), String::new(), String::new()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(MxSettings::load(&path).unwrap().common.host_name.as_str(), "mx1.example.org");
    let (_, text, _) = told(&switchyard(&["render", EXAMPLE, "--host", "mx1", "--origin"]));
    assert!(
        text.lines().any(|line| line.starts_with("recipients") && line.contains("# suite/role/mx.toml:")),
        "{text}"
    );
}

#[test]
fn what_cannot_be_rendered_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mx.toml");
    write(&path, "before");
    let out = path.to_str().unwrap();
    let (code, data, speech) = told(&switchyard(&["render", BAD, "--host", "mx1", "--out", out]));
    assert_eq!((code, data.as_str()), (Some(2), ""));
    assert!(speech.contains("unknown key `sesions`"), "{speech}");
    let (code, _, speech) = told(&switchyard(&["render", EXAMPLE, "--host", "mx2", "--out", out]));
    assert!(code == Some(2) && speech.contains("no host `mx2`"), "{speech}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-written is left");
}
