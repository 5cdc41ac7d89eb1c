//! What imported tables answer, held against postmap(1).

use super::*;

/// Tables by the types that answer for them, each with keys that only a pattern or a network answers.
const ASKED: [(&str, &[(&str, &str)]); 3] = [
    (
        "relay-mx",
        &[
            ("relay_domains", "texthash"),
            ("relay_recipients", "texthash"),
            ("relay_recipients.re", "regexp"),
            ("transport", "texthash"),
            ("relocated", "texthash"),
            ("helo_access", "texthash"),
            ("sender_access", "texthash"),
            ("clients.cidr", "cidr"),
        ],
    ),
    (
        "hosting",
        &[
            ("virtual", "texthash"),
            ("virtual.re", "regexp"),
            ("mailbox_domains", "texthash"),
            ("mailboxes", "texthash"),
            ("transport", "texthash"),
            ("canonical", "texthash"),
            ("clients", "texthash"),
            ("helo.pcre", "pcre"),
            ("senders.re", "regexp"),
            ("recipient_access", "texthash"),
        ],
    ),
    ("smarthost", &[("transport", "texthash"), ("sender_canonical", "texthash")]),
];
const KEYS: [&str; 12] = [
    "ticket-17@example.net",
    "ticket-x@example.net",
    "support-north@hosting.example",
    "someone@spam.example",
    "noreply@shop.example",
    "[203.0.113.4]",
    "192.0.2.77",
    "203.0.113.200",
    "2001:db8:bad::7",
    "198.51.100.1",
    "nobody@nowhere.example",
    "Alice@Hosting.Example",
];

/// Imported tables answer as Postfix does with the original ones, but for lines that the report names.
#[test]
fn answers_are_those_of_postmap() {
    let (mut asked, mut found) = (0, 0);
    for (name, tables) in ASKED {
        let imported = Imported::example(name);
        let config = tempfile::tempdir().unwrap();
        write(&config.path().join("main.cf"), "compatibility_level = 3.6\n");
        let refused = |file: &str, key: &str| {
            let said = |note: &&Value| {
                note["file"] == format!("maps/{file}") && note["value"].as_str().unwrap().starts_with(key)
            };
            // A value in other words is told of by the value, and the key is the line's.
            let reworded = |note: &&Value| {
                note["file"] == format!("maps/{file}")
                    && note["what"].as_str().unwrap().starts_with("written")
            };
            let lines = std::fs::read_to_string(example(name).join(file)).unwrap();
            let line = |note: &Value| {
                lines
                    .lines()
                    .nth(usize::try_from(note["line"].as_u64().unwrap()).unwrap() - 1)
                    .unwrap_or("")
                    .to_owned()
            };
            imported.notes().any(|note| said(&note) || (reworded(&note) && line(note).starts_with(key)))
        };
        for (file, kind) in tables {
            let source = example(name).join(file);
            let mut keys: Vec<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
            if *kind == "texthash" {
                let text = std::fs::read_to_string(&source).unwrap();
                let own = text.lines().filter(|line| !line.starts_with(['#', ' ', '\t']));
                keys.extend(own.filter_map(|line| line.split_whitespace().next().map(str::to_owned)));
            }
            if *kind == "cidr" {
                keys.retain(|key| key.parse::<std::net::IpAddr>().is_ok());
            }
            for key in keys.iter().filter(|key| !refused(file, key)) {
                let theirs = Command::new("/usr/sbin/postmap")
                    .args(["-c", config.path().to_str().unwrap(), "-q", key])
                    .arg(format!("{kind}:{}", source.display()))
                    .output()
                    .unwrap();
                let word = format!("{kind}:{}", imported.site.join("maps").join(file).display());
                let ours = switchyard(&["map", "query", &word, "--", key]);
                let value = |output: &Output| text(&output.stdout).trim().to_owned();
                assert_eq!(
                    value(&ours),
                    value(&theirs),
                    "{name}/{file} asked for {key}: {}",
                    text(&ours.stderr)
                );
                asked += 1;
                found += usize::from(!value(&theirs).is_empty());
            }
        }
    }
    assert!(asked > 200 && found > 40, "{asked} asked, {found} found");
}

/// Debian's postmap makes what another machine would have left behind: compiled files without their texts.
#[test]
fn compiled_tables_become_text_again() {
    for (kind, suffix) in [("hash", "db"), ("btree", "db"), ("lmdb", "lmdb"), ("cdb", "cdb")] {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path();
        write(
            &source.join("main.cf"),
            &format!(
                "myhostname = mx.example.org\nrelay_domains = example.org\nrelay_recipient_maps = {kind}:/etc/postfix/people\n"
            ),
        );
        let people: String = (0..500).map(|number| format!("user{number}@example.org OK\n")).collect();
        write(&source.join("people"), &people);
        let table = format!("{kind}:{}", source.join("people").display());
        let postmap = Command::new("/usr/sbin/postmap")
            .args(["-c", source.to_str().unwrap(), &table])
            .output()
            .unwrap();
        assert!(postmap.status.success(), "{}", text(&postmap.stderr));
        std::fs::remove_file(source.join("people")).unwrap();
        let imported = Imported::of(source, &[]);
        let people = imported.read("maps/people");
        assert!(
            people.starts_with(&format!("# 500 entries out of people.{suffix}, a compiled {kind} table")),
            "{people}"
        );
        assert_eq!(people.lines().filter(|line| line.ends_with("@example.org\tOK")).count(), 500);
    }
}
