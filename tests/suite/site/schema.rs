//! The schemas for editors, by somebody else's validator: what is right passes, what is wrong is marked.

use std::path::Path;
use std::process::Command;

use switchyard_tests::tool::{switchyard, write};
use tempfile::TempDir;

/// Prints each fault's place and message; nothing for a file that fits.
const VALIDATE: &str = "
import json, sys, tomllib
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
for error in jsonschema.Draft7Validator(schema).iter_errors(tomllib.load(open(sys.argv[2], 'rb'))):
    print('/'.join(map(str, error.absolute_path)), error.message)
";

/// What the schema of a kind says of a file.
fn faults(folder: &Path, kind: &str, file: &Path) -> String {
    let schema = folder.join(format!("{kind}.json"));
    if !schema.exists() {
        let told = switchyard(["schema", kind]);
        assert_eq!(told.code, Some(0), "{}", told.speech);
        write(&schema, &told.data);
    }
    let output = Command::new("/usr/bin/python3").args(["-c", VALIDATE]).arg(schema).arg(file).output();
    let output = output.expect("python3 starts");
    assert!(output.status.success(), "{}: run `cargo xtask peers`", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("plain text")
}

#[test]
fn every_file_of_a_site_and_every_rendered_one_fits_its_schema() {
    let folder = TempDir::with_prefix("switchyard-schema-").expect("a folder");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let golden = repository.join("config/tests/golden");
    let mut files = vec![
        ("site", golden.join("site/site.toml")),
        ("mx", golden.join("site/host/mx1.example.org.toml")),
        ("mx", golden.join("mx1.toml")),
        ("mx", golden.join("mx2.toml")),
        ("router", golden.join("router1.toml")),
        ("router", golden.join("outbound1.toml")),
        ("base", repository.join("config/templates/base.toml")),
        ("mx", repository.join("config/templates/role/mx.toml")),
        ("router", repository.join("config/templates/role/router.toml")),
        ("router", repository.join("config/templates/role/outbound.toml")),
        ("router", repository.join("config/templates/daemon/asks-milter.toml")),
        ("milter", repository.join("config/templates/daemon/milter.toml")),
        ("agent", repository.join("config/templates/daemon/agent.toml")),
        ("agent", golden.join("mx1.agent.toml")),
        ("milter", golden.join("router1.milter.toml")),
        ("hub", repository.join("config/templates/role/hub.toml")),
        ("hub", golden.join("hub1.toml")),
    ];
    let site = folder.path().join("site");
    assert_eq!(switchyard(["init", site.to_str().expect("a plain path")]).code, Some(0));
    files.extend([("site", site.join("site.toml")), ("router", site.join("role/router.toml"))]);
    for (kind, file) in files {
        assert_eq!(faults(folder.path(), kind, &file), "", "{}", file.display());
    }
}

#[test]
fn slips_are_marked_where_they_stand() {
    let folder = TempDir::with_prefix("switchyard-schema-").expect("a folder");
    let slips = [
        (
            "mx",
            "limits = { sesions = 5 }",
            "limits Additional properties are not allowed ('sesions' was unexpected)",
        ),
        ("mx", "limits = { hops = 5 }", "limits/hops"),
        ("router", "queue = { queue_lifetime = 5 }", "queue/queue_lifetime"),
        ("router", "queue = { queue_lifetime = '5 days' }", "queue/queue_lifetime"),
        ("router", "pools = { a = { member = [] } }", "pools/a Additional"),
        (
            "base",
            "routers = { pool = [] }",
            "Additional properties are not allowed ('routers' was unexpected)",
        ),
        ("site", "facts = { origin = 'a.example' }", "'host' is a required property"),
        ("site", "host = [{ name = 'a', role = 'mxx', addresses = [] }]", "host/0/role 'mxx' is not one of"),
    ];
    for (kind, text, said) in slips {
        let file = folder.path().join("slip.toml");
        write(&file, text);
        let faults = faults(folder.path(), kind, &file);
        assert!(faults.contains(said), "{text}: {faults:?}");
    }
    // A hole fits where a number does; how it is filled is the templates' affair.
    let file = folder.path().join("hole.toml");
    write(&file, "limits = { hops = '${hops}' }");
    assert_eq!(faults(folder.path(), "mx", &file), "");
}
