//! The worked examples of RFC 9989: which identifiers are the author's, how far up the tree of names a policy and an
//! organization are looked for, and what a policy leads to.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::response::Action;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::site::Site;

use super::ask::{ask, verdict, verifying};

/// Policies, then mail of this author from this sender, and what is told of it under whose policy.
struct Example {
    policies: &'static [(&'static str, &'static str)],
    mail: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

const EXAMPLES: &[Example] = &[
    // §4.10.2, first example: the record with the fewest labels.
    Example {
        policies: &[("mail.example.com", "p=quarantine"), ("example.com", "p=reject")],
        mail: &[
            ("a.mail.example.com", "other.example.com", "pass", "reject"),
            ("a.mail.example.com", "example.com", "pass", "reject"),
            ("a.mail.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // §4.10.2, second example: a record that says of itself that it is no public suffix.
    Example {
        policies: &[("mail.example.com", "p=reject; psd=n"), ("example.com", "p=none")],
        mail: &[
            ("a.mail.example.com", "b.mail.example.com", "pass", "reject"),
            ("a.mail.example.com", "other.example.com", "fail", "reject"),
        ],
    },
    // §4.10.2, last example: the name below a public suffix.
    Example {
        policies: &[("com", "p=reject; psd=y")],
        mail: &[
            ("a.mail.example.com", "other.example.com", "pass", "reject"),
            ("a.mail.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // §4.10: eight questions for thirteen labels, and none for those left out.
    Example {
        policies: &[("f.g.h.i.j.mail.example.com", "p=none; psd=n"), ("example.com", "p=reject")],
        mail: &[
            ("a.b.c.d.e.f.g.h.i.j.mail.example.com", "example.com", "pass", "reject"),
            ("a.b.c.d.e.f.g.h.i.j.mail.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // §5.1.7: an organization's part that lies too deep to be found.
    Example {
        policies: &[("b.c.d.e.f.g.example.com", "p=none; psd=n"), ("example.com", "p=reject")],
        mail: &[
            ("mail.a.b.c.d.e.f.g.example.com", "example.com", "pass", "reject"),
            ("mail.a.b.c.d.e.f.g.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // The same with a record of its own, as it advises.
    Example {
        policies: &[("mail.a.b.c.d.e.f.g.example.com", "p=quarantine"), ("example.com", "p=reject")],
        mail: &[("mail.a.b.c.d.e.f.g.example.com", "rival.com", "fail", "quarantine")],
    },
    // §4.10 step 6: two records are none.
    Example {
        policies: &[
            ("a.example.com", "p=none"),
            ("a.example.com", "p=none; t=y"),
            ("example.com", "p=reject"),
        ],
        mail: &[("a.example.com", "rival.com", "fail", "reject")],
    },
];

#[test]
fn rfc9989_policies_and_organizations_are_found_up_the_tree() {
    for Example { policies, mail } in EXAMPLES {
        let mut records = Records::default();
        for (name, policy) in *policies {
            records = records.txt(&format!("_dmarc.{name}"), &format!("v=DMARC1; {policy}"));
        }
        for sender in ["example.com", "other.example.com", "b.mail.example.com", "rival.com"] {
            records = records.txt(sender, "v=spf1 ip4:192.0.2.1 -all");
        }
        let dns = Knot::start(&records);
        let (_site, filter) = verifying(&dns, |_| ());
        for (author, sender, word, policy) in *mail {
            let message = format!("From: a@{author}\nSubject: x\n\nx\n");
            let told = verdict(&ask(&filter, "192.0.2.1", &format!("a@{sender}"), &message));
            assert!(told.contains(&format!("dmarc={word}")), "{author} by {sender}, {policies:?}: {told}");
            assert!(told.contains(&format!("policy.dmarc={policy}")), "{author}, {policies:?}: {told}");
        }
    }
}

/// RFC 9989 §4.10: policies by the tree, and what each setting makes of them.
#[test]
fn rfc9989_policies_are_found_and_obeyed_as_far_as_the_settings_say() {
    let records = Records::default()
        .txt("_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:r@example.com")
        .txt("example.com", "v=spf1 ip4:192.0.2.1 -all")
        .record("shop.example.com", "A 192.0.2.1")
        .txt("_dmarc.watch.example", "v=DMARC1; p=none")
        .txt("_dmarc.try.example", "v=DMARC1; p=reject; t=y");
    let dns = Knot::start(&records);
    for (setting, author, client, word, becomes) in [
        ("tell", "example.com", "203.0.113.9", "dmarc=fail", "pass"),
        ("tell", "example.com", "192.0.2.1", "dmarc=pass", "pass"),
        ("quarantine", "example.com", "203.0.113.9", "dmarc=fail", "hold"),
        ("obey", "example.com", "203.0.113.9", "", "refuse"),
        ("obey", "example.com", "192.0.2.1", "dmarc=pass", "pass"),
        ("obey", "shop.example.com", "203.0.113.9", "dmarc=fail", "hold"),
        ("obey", "gone.example.com", "203.0.113.9", "", "refuse"),
        ("obey", "watch.example", "203.0.113.9", "dmarc=fail", "pass"),
        ("obey", "try.example", "203.0.113.9", "dmarc=fail", "hold"),
        ("obey", "quiet.example", "203.0.113.9", "", "pass"),
    ] {
        let (_site, filter) =
            verifying(&dns, |filter| filter.settings.set("verify", "dmarc", &format!("{setting:?}")));
        let message = format!("From: a@{author}\nSubject: x\n\nx\n");
        let heard = ask(&filter, client, "a@example.com", &message);
        let held = heard.edits.iter().any(|edit| matches!(edit, Edit::Quarantine(_)));
        let became = match &heard.action {
            Action::Continue if held => "hold",
            Action::Continue => "pass",
            Action::Reply(reply) if reply.code() == 550 && reply.status() == Some((5, 7, 26)) => "refuse",
            other => panic!("{other:?}"),
        };
        assert_eq!(became, becomes, "{setting} {author} from {client}: {heard:?}\n{}", filter.log_end());
        if becomes == "refuse" {
            assert!(heard.edits.is_empty(), "what is refused is not changed");
        } else {
            assert!(verdict(&heard).contains(word), "{author}: {heard:?}");
        }
    }
}

/// Appendix B.1: who sent or signed, whose mail it says it is, and whether that is one in relaxed and in strict mode.
const IDENTIFIERS: &[(&str, &str, bool, bool)] = &[
    // Example 1: the very same.
    ("example.com", "example.com", true, true),
    // Example 2: one below the other.
    ("child.example.com", "example.com", true, false),
    ("example.com", "child.example.com", true, false),
    // Example 3: another organization's.
    ("example.net", "child.example.com", false, false),
];

#[test]
fn rfc9989_identifiers_are_the_authors_or_not() {
    let site = Site::new();
    let key = super::key(&site.path(""), "pem", "RSA");
    for strict in [false, true] {
        let mode = if strict { "s" } else { "r" };
        let mut records = Records::default()
            .txt("_dmarc.example.com", &format!("v=DMARC1; p=reject; adkim={mode}; aspf={mode}"));
        for domain in ["example.com", "child.example.com", "example.net"] {
            records = records
                .txt(domain, "v=spf1 ip4:192.0.2.1 -all")
                .txt(&format!("test._domainkey.{domain}"), &key);
        }
        let dns = Knot::start(&records);
        let (_site, filter) = verifying(&dns, |_| ());
        for (identifier, author, relaxed, in_strict) in IDENTIFIERS {
            let passes = if strict { *in_strict } else { *relaxed };
            let word = if passes { "dmarc=pass" } else { "dmarc=fail" };
            let message = format!(
                "From: a@{author}\nDate: Fri, 11 Jul 2003 21:00:37 -0700\nTo: b@example.net\nSubject: x\n\nx\n"
            );
            // B.1.1: SPF alone.
            let told = verdict(&ask(&filter, "192.0.2.1", &format!("a@{identifier}"), &message));
            assert!(
                told.contains(word) && told.contains("spf=pass"),
                "{identifier} for {author}, {mode}: {told}"
            );
            // B.1.2: DKIM alone.
            let signed = dkimsign(&site.path("pem"), identifier, &message);
            let told = verdict(&ask(&filter, "203.0.113.9", "a@nowhere.invalid", &signed));
            assert!(
                told.contains(word) && told.contains("dkim=pass"),
                "{identifier} for {author}, {mode}: {told}"
            );
        }
    }
}

/// A message under a signature that dkimpy made.
fn dkimsign(key: &Path, domain: &str, message: &str) -> String {
    let mut dkimsign = Command::new("/usr/bin/dkimsign")
        .args(["test", domain])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("dkimsign starts: is python3-dkim installed?");
    let wire = message.replace('\n', "\r\n");
    dkimsign.stdin.take().expect("a pipe").write_all(wire.as_bytes()).expect("dkimsign reads");
    let output = dkimsign.wait_with_output().expect("dkimsign ends");
    assert!(output.status.success(), "dkimsign did not sign");
    String::from_utf8(output.stdout).expect("text").replace("\r\n", "\n")
}
