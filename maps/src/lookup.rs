//! Which keys an address is asked by, in Postfix's order. No I/O and no clock.
//!
//! | map | keys, in order |
//! |---|---|
//! | transport | user+ext@domain, user@domain, domain, .parent and its parents, `*` |
//! | recipients, virtual alias | user+ext@domain, user@domain, user+ext and user (local domains only), @domain |
//! | relay domains | domain, .parent and its parents |

use std::collections::BTreeSet;

use switchyard_smtp::address::{LocalPart, Mailbox};

use crate::key;
use crate::name::MapName;
use crate::options::MapOptions;
use crate::table::{Hit, Table};

/// What the settings say about asking.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    delimiter: Box<str>,
    local: BTreeSet<Box<str>>,
    parents_match: BTreeSet<MapName>,
    /// See [`MapOptions::propagate_unmatched_extensions`].
    pub(crate) propagate: bool,
}

impl Rules {
    pub(crate) fn new(options: &MapOptions) -> Self {
        let local = options.local_domains.iter().chain(&options.origin);
        Self {
            delimiter: options.recipient_delimiter.as_str().into(),
            local: local.map(|domain| domain.as_str().into()).collect(),
            parents_match: options.parent_domain_matches_subdomains.clone(),
            propagate: options.propagate_unmatched_extensions,
        }
    }

    /// `+ext`, delimiter and all; none when the address has none or is one that is never parted.
    pub(crate) fn extension<'a>(&self, local: &'a str) -> Option<&'a str> {
        local_extension(local, &self.delimiter)
    }

    fn is_local(&self, host: &str) -> bool {
        self.local.contains(host)
    }
}

/// As Postfix's `split_addr`: at the first delimiter, unless that leaves nothing on either side.
fn local_extension<'a>(local: &'a str, delimiter: &str) -> Option<&'a str> {
    let reserved = ["postmaster", "mailer-daemon", "double-bounce"];
    if delimiter.is_empty() || reserved.iter().any(|word| local.eq_ignore_ascii_case(word)) {
        return None;
    }
    // Mailing lists came before address extensions (Postfix's `owner_request_special`).
    if delimiter.contains('-') {
        let lower = local.to_ascii_lowercase();
        if lower.starts_with("owner-") || (lower.len() > 8 && lower.ends_with("-request")) {
            return None;
        }
    }
    let at = local.find(|character| delimiter.contains(character)).filter(|at| *at > 0)?;
    let (_, extension) = local.split_at(at);
    (extension.chars().count() > 1).then_some(extension)
}

/// How much of an address a key stood for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    /// The extension was in the key, or there was none.
    Whole,
    /// The key left the extension out.
    WithoutExtension,
    /// `@domain`.
    Domain,
}

/// An address in the form that maps are asked in.
#[derive(Debug)]
struct Asked {
    whole: String,
    /// Octets before the at-sign.
    local: usize,
    without_extension: Option<String>,
}

impl Asked {
    fn new(mailbox: &Mailbox, rules: &Rules) -> Self {
        Self::of(mailbox.local.as_str(), &key::of_host(&mailbox.host), rules)
    }

    fn of(local: &str, host: &str, rules: &Rules) -> Self {
        let whole = key::joined(local, host);
        let local = whole.len() - host.len() - 1;
        let without_extension = rules.extension(&whole[..local]).map(|extension| {
            let user = &whole[..local - extension.len()];
            format!("{user}{}", &whole[local..])
        });
        Self { whole, local, without_extension }
    }

    fn host(&self) -> &str {
        &self.whole[self.local + 1..]
    }
}

/// The order of recipients and virtual aliases.
pub(crate) fn address(table: &Table, mailbox: &Mailbox, rules: &Rules) -> Option<(Hit, Matched)> {
    find_address(table, &Asked::new(mailbox, rules), rules)
}

/// Whether the parts of an address lead to a line: the local part without quotes, the host in lower case.
pub(crate) fn answers(table: &Table, local: &str, host: &str, rules: &Rules) -> bool {
    find_address(table, &Asked::of(local, host, rules), rules).is_some()
}

fn find_address(table: &Table, asked: &Asked, rules: &Rules) -> Option<(Hit, Matched)> {
    let users = |end: &str| -> Option<(Hit, Matched)> {
        let whole = asked.whole.strip_suffix(end).and_then(|key| table.find(key));
        let whole = whole.map(|hit| (hit, Matched::Whole));
        whole.or_else(|| {
            let user = asked.without_extension.as_deref()?.strip_suffix(end)?;
            Some((table.find(user)?, Matched::WithoutExtension))
        })
    };
    if let Some(found) = users("") {
        return Some(found);
    }
    let at_domain = &asked.whole[asked.local..];
    // `"joe@other.example"@here` must not be taken for joe@other.example.
    if rules.is_local(asked.host())
        && !asked.whole[..asked.local].contains('@')
        && let Some(found) = users(at_domain)
    {
        return Some(found);
    }
    Some((table.find(at_domain)?, Matched::Domain))
}

/// The order of transport maps.
pub(crate) fn transport(table: &Table, mailbox: &Mailbox, rules: &Rules) -> Option<Hit> {
    let asked = Asked::new(mailbox, rules);
    let user = || asked.without_extension.as_deref().and_then(|key| table.find(key));
    table
        .find(&asked.whole)
        .or_else(user)
        .or_else(|| domain(table, asked.host(), rules, MapName::Transport))
        .or_else(|| table.find("*"))
}

/// A domain and its parents.
pub(crate) fn domain(table: &Table, name: &str, rules: &Rules, map: MapName) -> Option<Hit> {
    if let Some(hit) = table.find(name) {
        return Some(hit);
    }
    if name.starts_with('[') {
        return None;
    }
    let dot = usize::from(rules.parents_match.contains(&map));
    name.match_indices('.').find_map(|(at, _)| table.find(&name[at + dot..]))
}

/// An extension put back on a local part; none when the result would be over 64 octets.
pub(crate) fn with_extension(local: &LocalPart, extension: &str) -> Option<LocalPart> {
    LocalPart::new(&format!("{}{extension}", local.as_str())).ok()
}

#[cfg(test)]
mod tests {
    use switchyard_smtp::address::Domain;

    use super::*;

    /// A table whose values are the lines the keys stand in.
    fn table(keys: &[&str]) -> Table {
        let mut table = Table::default();
        for (line, key) in (1..).zip(keys) {
            table.insert(key, Hit { value: line, line }).unwrap();
        }
        table
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
            ("user+", "+", None),
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
            let found = transport(&table(&keys[from..]), &mailbox, &rules("+"));
            assert_eq!(found.map(|hit| hit.line), Some(1), "{}", keys[from]);
        }
        // A domain is not below itself, and without the option not above its children.
        assert_eq!(
            transport(&table(&[".a.b.example", "b.example", "@a.b.example"]), &mailbox, &rules("+")),
            None
        );
        let literal = Mailbox::parse("user@[192.0.2.1]").unwrap();
        assert_eq!(transport(&table(&[".0.2.1]", ".2.1]"]), &literal, &rules("+")), None);
        assert!(transport(&table(&["[192.0.2.1]"]), &literal, &rules("+")).is_some());
    }

    #[test]
    fn parents_match_where_the_settings_say_so() {
        let rules = Rules { parents_match: BTreeSet::from([MapName::RelayDomains]), ..Rules::default() };
        let table = table(&["b.example", ".c.example"]);
        let ask = |name: &str, map| domain(&table, name, &rules, map).map(|hit| hit.line);
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
            let found = address(&table, &here, &rules("+"));
            assert_eq!(found.map(|(hit, matched)| (hit.line, matched)), Some((1, *matched)), "{key}");
        }
        let away = Mailbox::parse("user@away.example").unwrap();
        assert_eq!(address(&table(&["user", "away.example", "@here.example"]), &away, &rules("+")), None);
    }

    #[test]
    fn a1_a_quoted_at_sign_is_no_domain() {
        let tricky = Mailbox::parse("\"joe@other.example\"@here.example").unwrap();
        assert_eq!(address(&table(&["joe@other.example", "@other.example"]), &tricky, &rules("+")), None);
        assert!(address(&table(&["joe@other.example@here.example"]), &tricky, &rules("+")).is_some());
    }
}
