use switchyard_smtp::address::Domain;

use super::*;
use crate::chain::Chain;

/// A table whose keys stand a line each.
fn table(keys: &[&str]) -> Chain {
    Chain::of_lines(&keys.iter().map(|key| (*key, "")).collect::<Vec<_>>())
}

fn line(found: Found<Option<Hit<'_>>>) -> Option<u32> {
    found.unwrap().map(|hit| hit.line)
}

fn rules(delimiter: &str) -> Rules {
    Rules::new(&MapOptions {
        recipient_delimiter: delimiter.to_owned(),
        local_domains: BTreeSet::from([Domain::parse("here.example").unwrap()]),
        ..MapOptions::default()
    })
}

#[test]
fn extensions_are_split_as_postfix_splits_them() {
    for (local, delimiter, extension) in [
        ("user+ext", "+", Some("+ext")),
        ("user+a+b", "+", Some("+a+b")),
        ("user-a+b", "+-", Some("-a+b")),
        ("user", "+", None),
        ("user+ext", "", None),
        ("+ext", "+", None),
        ("user+", "+", Some("+")),
        ("Mailer-Daemon", "-", None),
        ("double-bounce", "-", None),
        ("owner-list", "-", None),
        ("owner-list", "+", None),
        ("list-request", "-", None),
        ("-request", "-", None),
    ] {
        assert_eq!(local_extension(local, delimiter), extension, "{local} {delimiter}");
    }
}

#[test]
fn transport_asks_in_postfixes_order() {
    let keys = ["user+ext@a.b.example", "user@a.b.example", "a.b.example", ".b.example", ".example", "*"];
    let mailbox = Mailbox::parse("User+Ext@A.B.example").unwrap();
    for from in 0..keys.len() {
        let table = table(&keys[from..]);
        let found = transport(&table.asking(), &mailbox, &rules("+"));
        assert_eq!(line(found), Some(1), "{}", keys[from]);
    }
    // A domain is not below itself, and without the option not above its children.
    let ask = |keys: &[&str], mailbox| line(transport(&table(keys).asking(), mailbox, &rules("+")));
    assert_eq!(ask(&[".a.b.example", "b.example", "@a.b.example"], &mailbox), None);
    let literal = Mailbox::parse("user@[192.0.2.1]").unwrap();
    assert_eq!(ask(&[".0.2.1]", ".2.1]"], &literal), None);
    assert_eq!(ask(&["[192.0.2.1]"], &literal), Some(1));
}

#[test]
fn parents_match_where_the_settings_say_so() {
    let rules = Rules { parents_match: BTreeSet::from([MapName::RelayDomains]), ..Rules::default() };
    let table = table(&["b.example", ".c.example"]);
    let ask = |name: &str, map| line(domain(&table.asking(), name, &rules, map));
    assert_eq!(ask("a.b.example", MapName::RelayDomains), Some(1));
    assert_eq!(ask("a.b.example", MapName::Transport), None);
    assert_eq!(ask("a.c.example", MapName::RelayDomains), None);
    assert_eq!(ask("a.c.example", MapName::Transport), Some(2));
    assert_eq!(ask("xb.example", MapName::RelayDomains), None);
}

#[test]
fn aliases_ask_in_postfixes_order() {
    use Matched::{Domain as AtDomain, Whole, WithoutExtension};
    let keys = [
        ("user+ext@here.example", Whole),
        ("user@here.example", WithoutExtension),
        ("user+ext", Whole),
        ("user", WithoutExtension),
        ("@here.example", AtDomain),
    ];
    let here = Mailbox::parse("user+ext@here.example").unwrap();
    for (from, (key, matched)) in keys.iter().enumerate() {
        let table = table(&keys[from..].iter().map(|(key, _)| *key).collect::<Vec<_>>());
        let found = address(&table.asking(), &here, &rules("+")).unwrap();
        assert_eq!(found.map(|(hit, matched)| (hit.line, matched)), Some((1, *matched)), "{key}");
    }
    let away = Mailbox::parse("user@away.example").unwrap();
    let table = table(&["user", "away.example", "@here.example"]);
    assert!(address(&table.asking(), &away, &rules("+")).unwrap().is_none());
}

#[test]
fn a1_a_quoted_at_sign_is_no_domain() {
    let tricky = Mailbox::parse("\"joe@other.example\"@here.example").unwrap();
    let asked = |keys: &[&str]| address(&table(keys).asking(), &tricky, &rules("+")).unwrap().is_some();
    assert!(!asked(&["joe@other.example", "@other.example"]));
    assert!(asked(&["joe@other.example@here.example"]));
}

#[test]
fn access_asks_in_postfixes_order() {
    let rules = rules("+");
    let mailbox = Mailbox::parse("User+Ext@A.B.example").unwrap();
    let keys = [
        "user+ext@a.b.example",
        "user@a.b.example",
        "a.b.example",
        ".b.example",
        ".example",
        "user+ext@",
        "user@",
    ];
    for (from, key) in keys.iter().enumerate() {
        let table = table(&keys[from..]);
        let found = mail_access(&table.asking(), &mailbox, &rules, MapName::SenderAccess);
        assert_eq!(line(found), Some(1), "{key}");
    }
    let keys = ["mail.b.example", ".b.example", "192.0.2.1", "192.0.2", "192.0", "192"];
    for (from, key) in keys.iter().enumerate() {
        let table = table(&keys[from..]);
        let address = "::ffff:192.0.2.1".parse().unwrap();
        let found = client(&table.asking(), Some("Mail.B.example"), address, &rules);
        assert_eq!(line(found), Some(1), "{key}");
    }
    let table = table(&["2001:db8"]);
    assert_eq!(line(client(&table.asking(), None, "2001:db8:1::1".parse().unwrap(), &rules)), Some(1));
    assert_eq!(line(client(&table.asking(), None, "2001:db9::1".parse().unwrap(), &rules)), None);
}

#[test]
fn a_backend_is_found_by_the_longest_prefix() {
    let keys = ["john@x.example", "joh*@x.example", "j*@x.example", "@x.example"];
    let mailbox = Mailbox::parse("John+a@X.example").unwrap();
    for (from, key) in keys.iter().enumerate() {
        let table = table(&keys[from..]);
        assert_eq!(line(backend(&table.asking(), &mailbox, &rules("+"))), Some(1), "{key}");
    }
    let table = table(&["é*@x.example"]);
    let mailbox = Mailbox::parse("éva@x.example").unwrap();
    assert_eq!(line(backend(&table.asking(), &mailbox, &rules("+"))), Some(1));
}
