//! `switchyard key` as a person runs it: keys, roots, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::trust::Trusted;

/// Runs it in a folder; exit code, data, speech.
fn key(folder: &Path, arguments: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    let output = command.current_dir(folder).arg("key").args(arguments.split(' ')).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_key_is_for_its_owner_alone_and_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told, _) = key(folder.path(), "new ann.key");
    assert_eq!(code, Some(0));
    let file = folder.path().join("ann.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    let (_, shown, _) = key(folder.path(), "show ann.key");
    assert_eq!(told, format!("ann.key: {shown}"));
    let secret: serde_json::Value = serde_json::from_slice(&before).unwrap();
    assert!(!told.contains(secret["secret"].as_str().unwrap()));

    let (code, told, said) = key(folder.path(), "new ann.key");
    assert_eq!((code, told.as_str()), (Some(2), ""));
    assert_eq!(said, "ann.key: stands there already, and is never written over\n");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_root_that_hosts_take_and_the_one_after_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old", "new", "ann", "hub"] {
        assert_eq!(key(folder.path(), &format!("new {name}.key")).0, Some(0));
    }
    let first =
        "root --environment live --root old.key --push ann.key --release hub.key --sign old.key --out 1.json";
    let (code, told, said) = key(folder.path(), first);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(told.starts_with("1.json: root 1 of live, until 2"), "{told}");
    let environment = Environment::try_from("live".to_owned()).unwrap();
    let root = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let mut host = Trusted::begin(&root("1.json"), &environment).unwrap();

    // Another root key: the old one and the new one must both sign.
    let next = "root --after 1.json --root new.key --sign new.key --out 2.json";
    let (code, _, said) = key(folder.path(), next);
    assert_eq!(code, Some(1));
    assert!(said.contains("signed by 0 keys of the role root, which needs 1"), "{said}");
    assert!(host.accept_root(&root("2.json")).is_err());
    assert_eq!(key(folder.path(), "sign 2.json --key old.key").0, Some(0));
    host.accept_root(&root("2.json")).unwrap();
    let (code, _, said) = key(folder.path(), "sign 2.json --key old.key");
    assert!(code == Some(2) && said.contains("has signed it already"), "{said}");

    let (_, told, _) = key(folder.path(), "show 2.json --json");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["version"].as_u64(), told["roles"]["push"]["threshold"].as_u64()), (Some(2), Some(1)));
}

#[test]
fn what_no_host_would_take_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    key(folder.path(), "new a.key");
    let root = |more: &str| {
        key(
            folder.path(),
            &format!("root --root a.key --push a.key --release a.key --sign a.key --out r {more}"),
        )
    };
    let (code, _, said) = root("--environment Live");
    assert_eq!(code, Some(2));
    assert_eq!(said, "an environment's name is 1 to 64 of a-z, 0-9 and \"-\"\n");
    let (code, _, said) = root("--environment live --push-threshold 2");
    assert_eq!((code, said.as_str()), (Some(2), "role push wants 2 signatures of 1 keys\n"));
    let (code, _, said) = root("--environment live --push nobody.key");
    assert!(code == Some(2) && said.starts_with("nobody.key: cannot be read: "), "{said}");
    assert!(!folder.path().join("r").exists());
}
