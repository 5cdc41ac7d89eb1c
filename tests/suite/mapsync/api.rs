//! The hub's description of itself against the hub, by schemathesis: made-up questions of every form, as each role.
//!
//! It brings a program from PyPI, so it runs in the long form only (`SWITCHYARD_LONG=1`).

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use switchyard_tests::peer::browser::Mutual;
use switchyard_tests::tool::write;

use super::cluster::Cluster;
use crate::crash::long;

const VERSION: &str = "4.32.5";

/// What is looked at: what the hub says no to is not, for a made-up message is never signed.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method";

/// The program, in a folder of its own that stays for the next time.
fn schemathesis() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemathesis-{VERSION}"));
    let program = folder.join("bin/st");
    if !program.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        let package = format!("schemathesis=={VERSION}");
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", &package]));
    }
    program
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    said.into_owned()
}

/// What a role may use and what ends: events go on for ever.
fn for_role(mut document: Value, role: &str) -> Value {
    let paths = document["paths"].as_object_mut().expect("paths");
    for operations in paths.values_mut() {
        operations.as_object_mut().expect("operations").retain(|_, operation| {
            let may = operation["x-roles"].as_array().is_some_and(|roles| roles.contains(&role.into()));
            may && operation["responses"]["200"]["content"].get("text/event-stream").is_none()
        });
    }
    document
}

#[test]
fn made_up_questions_are_answered_as_the_description_says() {
    if !long() {
        return;
    }
    let program = schemathesis();
    let cluster = Cluster::new();
    cluster.write_site("one", "new1");
    let told = cluster.push(Some(0), "one");
    assert_eq!(told.code, Some(0), "{told:?}");
    let told = cluster.admin(Some(0), &["release", "1"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let (tls, hub) = (cluster.site.path("tls"), cluster.addresses[0]);
    for role in ["admin", "push", "agent", "read", "hub"] {
        cluster.certificates.add(role, &format!("URI:spiffe://live/{role}/{role}"));
        let document = Mutual::start(hub, &tls, role).json("/v1/openapi.json");
        let file = cluster.site.path(format!("{role}.json"));
        write(&file, &for_role(document, role).to_string());
        let mut command = Command::new(&program);
        command.args(["run", "--no-color", "--phases", "coverage,fuzzing", "--max-examples", "20"]);
        command
            .args(["--checks", CHECKS, "--request-timeout", "70"])
            .arg("--url")
            .arg(format!("https://{hub}"));
        command.arg("--tls-verify").arg(cluster.certificates.certificate("authority"));
        command.arg("--request-cert").arg(cluster.certificates.certificate(role));
        command.arg("--request-cert-key").arg(cluster.certificates.key(role)).arg(&file);
        let said = run(command.current_dir(&tls));
        let counted = said.lines().find(|line| line.contains(" generated, "));
        println!("{role}: {}", counted.unwrap_or_else(|| panic!("nothing was asked: {said}")).trim());
    }
}
