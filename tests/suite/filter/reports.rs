//! Aggregate reports: what was seen yesterday goes today to whoever asked for it and may get it, and to nobody else.
//!
//! Yesterday is libfaketime's: the filter lives it through, ends, and begins again by the true clock.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Kept, Protocol};
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};

use super::ask::ask;
use crate::load::faketime;

/// Takes a report apart: its header, the attachment (put beside, for other readers), and the records in it.
const READER: &str = r#"
import sys, json, gzip, email, email.policy, xml.etree.ElementTree as tree
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
[part] = message.iter_attachments()
packed = part.get_payload(decode=True)
open(sys.argv[1], "wb").write(packed)
def told(node):
    found = {}
    for child in node:
        found.setdefault(child.tag.split("}")[1], []).append(told(child))
    once = lambda name, values: values if name in ("record", "reason") else values[0]
    return {name: once(name, values) for name, values in found.items()} or node.text or ""
root = tree.fromstring(gzip.decompress(packed))
print(json.dumps({"namespace": root.tag, "subject": message["Subject"], "from": message["From"], "to": message["To"],
    "auto": message["Auto-Submitted"], "type": part.get_content_type(), "name": part.get_filename(), "report": told(root)}))
"#;

fn read(kept: &Kept, beside: &Path) -> Value {
    let mut python = Command::new("/usr/bin/python3")
        .args(["-I", "-c", READER])
        .arg(beside)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    python.stdin.take().expect("a pipe").write_all(&kept.content).expect("Python reads");
    let output = python.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&kept.content));
    serde_json::from_slice(&output.stdout).expect("what it read")
}

fn records() -> Records {
    Records::default()
        // Two that may get its reports, and one who has not said that it wants them.
        .txt(
            "_dmarc.example.org",
            "v=DMARC1; p=reject; rua=mailto:own@example.org,mailto:asked@consumer.example,mailto:x@stranger.example",
        )
        .txt("example.org._report._dmarc.consumer.example", "v=DMARC1; rua=mailto:instead@consumer.example")
        .txt("example.org", "v=spf1 ip4:192.0.2.1 -all")
        // Below another name of the same organization.
        .txt("_dmarc.example.net", "v=DMARC1; p=none; rua=mailto:all@example.net")
        .txt("_dmarc.shop.example.net", "v=DMARC1; p=quarantine; t=y; rua=mailto:shop@example.net")
        // Nobody that asked may hear of it.
        .txt("_dmarc.flood.example", "v=DMARC1; p=none; rua=mailto:x@stranger.example")
        // And who asks for nothing gets nothing.
        .txt("_dmarc.quiet.example", "v=DMARC1; p=reject")
}

fn reported(site: &Site, dns: &Knot, relay: &Aiosmtpd) -> Daemon {
    let mut filter = site.filter("mx", dns.address());
    filter.settings.set("verify", "dmarc", "\"obey\"");
    filter.settings.set("reports", "folder", &quoted(site.path("reports").display()));
    filter.settings.set("reports", "from", "\"reports@mx.example.org\"");
    filter.settings.set("reports", "organization", "\"Ours & Theirs\"");
    filter.settings.set("reports", "relay", &quoted(relay.address()));
    filter
}

#[test]
fn what_was_seen_yesterday_is_told_today_to_whoever_may_hear_of_it() {
    let library = faketime().expect("libfaketime: run `cargo xtask peers`");
    let site = Site::new();
    let dns = Knot::start(&records());
    let relay = Aiosmtpd::start(Protocol::Smtp, &Behaviour::default());
    let deaf = Aiosmtpd::start(
        Protocol::Smtp,
        &Behaviour {
            defer: ["own@example.org", "shop@example.net", "instead@consumer.example"]
                .map(str::to_owned)
                .into(),
            ..Behaviour::default()
        },
    );
    let mut filter = reported(&site, &dns, &relay);
    for (name, value) in [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", "-30h".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ] {
        filter.environment.push((name.to_owned(), value));
    }
    filter.start();
    let message = |author: &str| format!("From: a@{author}\nSubject: x\n\nx\n");
    // A name that no XML bears, in a signature that anybody can make up.
    let forged = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=x\u{1}y.example; s=a\u{2}b; h=from;\n bh=eA==; b=eA==\n{}",
        message("example.org")
    );
    let _heard = ask(&filter, "192.0.2.1", "a@example.org", &forged);
    for (author, sender, client) in [
        ("example.org", "a@example.org", "203.0.113.9"),
        ("example.org", "a@example.org", "203.0.113.9"),
        ("shop.example.net", "", "203.0.113.9"),
        ("flood.example", "a@flood.example", "203.0.113.9"),
        ("quiet.example", "a@quiet.example", "203.0.113.9"),
    ] {
        let _heard = ask(&filter, client, sender, &message(author));
    }
    assert!(filter.terminate().success(), "{}", filter.log_end());
    assert_eq!(relay.count(), 0, "yesterday is not over");

    // Who cannot take them today gets them tomorrow.
    filter.environment.clear();
    filter.settings.set("reports", "relay", &quoted(deaf.address()));
    filter.start();
    let fated = |filter: &Daemon, fate: &str| {
        filter.metric(&format!("switchyard_milter_reports_total{{result=\"{fate}\"}}"))
    };
    expect::holds("three reports to be looked at", || {
        fated(&filter, "deferred") + fated(&filter, "unwanted") == 3.0
    });
    assert_eq!(fated(&filter, "unwanted"), 1.0, "{}", filter.log_end());
    assert!(filter.terminate().success());
    filter.settings.set("reports", "relay", &quoted(relay.address()));
    filter.start();
    expect::holds("two reports to be sent", || fated(&filter, "sent") == 2.0);
    assert_eq!(deaf.count(), 0);

    let mut kept = relay.wait_for(2);
    kept.sort_by_key(|kept| kept.recipients.len());
    let [shop, own] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(own.recipients, ["own@example.org", "instead@consumer.example"]);
    assert_eq!(shop.recipients, ["shop@example.net"]);
    assert_eq!(own.reverse_path, "reports@mx.example.org");

    let file = site.path("report.xml.gz");
    let told = read(own, &file);
    assert_eq!(told["namespace"], "{urn:ietf:params:xml:ns:dmarc-2.0}feedback");
    assert_eq!((&told["type"], &told["auto"]), (&"application/gzip".into(), &"auto-generated".into()));
    let report = &told["report"];
    assert_eq!(report["version"], "1.0");
    let about = &report["report_metadata"];
    let (id, range) = (about["report_id"].as_str().expect("an id"), &about["date_range"]);
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok()).expect("a time");
    let (begin, end) = (number(&range["begin"]), number(&range["end"]));
    assert_eq!((begin % 86_400, end), (0, begin + 86_399), "a day");
    assert_eq!(told["name"], format!("mx.example.org!example.org!{begin}!{end}.xml.gz"));
    let subject = format!("Report Domain: example.org Submitter: mx.example.org Report-ID: <{id}>");
    assert_eq!(told["subject"], subject);
    assert_eq!(
        (&about["org_name"], &about["email"]),
        (&"Ours & Theirs".into(), &"reports@mx.example.org".into())
    );
    let published = &report["policy_published"];
    assert_eq!((&published["domain"], &published["p"]), (&"example.org".into(), &"reject".into()));
    assert_eq!(published["discovery_method"], "treewalk");
    let mut rows: Vec<_> = report["record"].as_array().expect("records").iter().map(row).collect();
    rows.sort();
    assert_eq!(
        rows,
        ["192.0.2.1 1 pass fail pass example.org pass", "203.0.113.9 2 reject fail fail example.org fail"]
    );

    // Another program's reading of the same, which goes by its name.
    let named = site.path(told["name"].as_str().expect("a name"));
    std::fs::rename(&file, &named).expect("its own name");
    let seen = Command::new("/usr/bin/dmarc-cat").arg("-N").arg(&named).output().expect("dmarc-cat starts");
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.contains("Ours & Theirs") && seen.contains("203.0.113.9"), "{seen}");

    let told = read(shop, &file);
    assert_eq!(told["report"]["policy_published"]["domain"], "shop.example.net");
    assert_eq!(told["report"]["policy_published"]["testing"], "y");
    let record = &told["report"]["record"][0];
    // RFC 9989 §4.7: in test mode a policy is done one step lower, and that is said.
    assert_eq!(row(record), "203.0.113.9 1 none fail fail shop.example.net none");
    assert_eq!(record["row"]["policy_evaluated"]["reason"][0]["type"], "policy_test_mode");
    assert_eq!(record["identifiers"]["envelope_from"], "");
    assert!(filter.terminate().success());
}

/// Where from, how many, what became of them, by DKIM, by SPF, whose; and what SPF said.
fn row(record: &Value) -> String {
    let (row, whose) = (&record["row"], &record["identifiers"]["header_from"]);
    let became = &row["policy_evaluated"];
    [
        &row["source_ip"],
        &row["count"],
        &became["disposition"],
        &became["dkim"],
        &became["spf"],
        whose,
        &record["auth_results"]["spf"]["result"],
    ]
    .map(|value| value.as_str().unwrap_or_default())
    .join(" ")
}
