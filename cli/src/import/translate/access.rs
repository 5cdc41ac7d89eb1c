//! `smtpd_*_restrictions`: tables of access(5) go along; of the other words, some are how it always is here.

use switchyard_config::site::Role;
use switchyard_maps::spec::words;

use super::Import;
use crate::import::report::{Fate, Note};
use crate::import::tables::Use;

const LISTS: [&str; 8] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
    "smtpd_etrn_restrictions",
];

/// Restrictions that take a table, and the map that asks it.
const CHECKS: [(&str, &str); 4] = [
    ("check_client_access", "client_access"),
    ("check_helo_access", "helo_access"),
    ("check_sender_access", "sender_access"),
    ("check_recipient_access", "recipient_access"),
];

/// How it always is.
const BUILT_IN: [(&str, &str); 13] = [
    ("reject_unauth_destination", "an mx takes mail for relay domains and alias domains only"),
    ("defer_unauth_destination", "an mx takes mail for relay domains and alias domains only"),
    ("permit_auth_destination", "an mx takes mail for relay domains and alias domains only"),
    ("permit_mynetworks", "`relay.networks` of the router"),
    ("permit", "what nothing refuses is taken"),
    ("reject_unlisted_recipient", "recipients are looked up"),
    ("reject_unauth_pipelining", "a client that talks out of turn is refused"),
    ("reject_non_fqdn_recipient", "a recipient without a domain is nobody of a relay domain"),
    ("reject_unknown_recipient_domain", "a recipient of no relay domain is refused"),
    ("permit_inet_interfaces", "loopback is in `relay.networks` of the router"),
    ("permit_tls_clientcerts", "`relay.mutual_tls` of the router"),
    ("permit_tls_all_clientcerts", "`relay.mutual_tls` of the router"),
    ("reject_multi_recipient_bounce", "a null reverse-path with many recipients gets an answer for each"),
];

/// Words that have no counterpart: their start, why, and what to do.
const DROPPED: [(&str, &str, &str); 16] = [
    ("permit_sasl_authenticated", NO_SASL, NO_SASL_DO),
    (
        "reject_plaintext_session",
        "no rule of its own asks for TLS",
        "`relay.require_tls` asks it of clients that relay",
    ),
    ("reject_rbl_client", NO_LISTS, NO_LISTS_DO),
    ("reject_rhsbl_", NO_LISTS, NO_LISTS_DO),
    ("permit_dnswl_client", NO_LISTS, NO_LISTS_DO),
    ("permit_rhswl_client", NO_LISTS, NO_LISTS_DO),
    (
        "check_policy_service",
        "policy servers are not asked",
        "keep Postfix before the mx for it, or go without",
    ),
    ("reject_unverified_", "addresses are not probed", "list the addresses in `maps.recipients`"),
    ("reject_unknown_client_hostname", NO_NAMES, NO_NAMES_DO),
    ("reject_unknown_reverse_client_hostname", NO_NAMES, NO_NAMES_DO),
    ("reject_unknown_", "the sender's and the client's names are not looked up", NO_NAMES_DO),
    (
        "reject_invalid_helo_hostname",
        "a name that RFC 5321 does not allow is no reason to refuse here",
        HELO_DO,
    ),
    ("reject_non_fqdn_", "a name or a sender without a domain is no reason to refuse here", HELO_DO),
    (
        "check_",
        "this form of access table is not asked",
        "use check_client_access, _helo_, _sender_ or _recipient_access",
    ),
    ("reject_authenticated_sender_login_mismatch", NO_SASL, NO_SASL_DO),
    ("reject_", "has no counterpart", "an access table may say much of it"),
];

const NO_SASL: &str = "no client logs in with a password here";
const NO_SASL_DO: &str = "leave submission to Postfix or the mailbox server, with a router as its relayhost";
const NO_LISTS: &str = "DNS lists are not asked";
const NO_LISTS_DO: &str = "block by `maps.client_access`, or keep a filter before the mx";
const NO_NAMES: &str = "the client's name is not looked up";
const NO_NAMES_DO: &str = "block networks by `maps.client_access`";
const HELO_DO: &str = "refuse such names by `maps.helo_access` or `maps.sender_access` with a regexp table";

const OWN_TOO_DO: &str = "see that no line of it refuses your own hosts";

impl Import<'_> {
    pub(super) fn access(&mut self) {
        for list in LISTS {
            if self.main.get(list).is_some() {
                self.restrictions(list);
            }
        }
        if self.is_parent_matching("smtpd_access_maps") {
            let asked = CHECKS.map(|(_, map)| map).into_iter().filter(|map| self.maps.contains_key(map));
            self.parents.extend(asked);
        }
    }

    fn restrictions(&mut self, list: &str) {
        let value = self.main.value(list);
        let mut words = words(&value).peekable();
        // Whether own hosts had left the list already.
        let mut own_are_through = false;
        let mut any = false;
        while let Some(word) = words.next() {
            any = true;
            if let Some((_, map)) = CHECKS.iter().find(|(name, _)| *name == word) {
                let table = words.next().unwrap_or_default();
                self.check(list, word, table, map, own_are_through);
                continue;
            }
            own_are_through |= matches!(word, "permit_mynetworks" | "permit_inet_interfaces");
            if let Some((_, why)) = BUILT_IN.iter().find(|(name, _)| *name == word) {
                self.word(list, word, Fate::NotNeeded, why, None);
            } else if matches!(word, "reject" | "defer") {
                self.closed(list, word, own_are_through);
            } else if word == "warn_if_reject" {
                self.word(
                    list,
                    word,
                    Fate::Dropped,
                    "the next restriction only wrote to the log",
                    Some("WARN in an access table does that"),
                );
            } else if word == "sleep" {
                words.next();
                self.word(
                    list,
                    word,
                    Fate::Dropped,
                    "nobody is kept waiting",
                    Some("`limits.greeting_wait` listens for hasty clients"),
                );
            } else {
                self.no_counterpart(list, word, &mut words);
            }
        }
        if !any {
            self.not_needed(list, "names nothing");
        }
    }

    /// `reject` at the end of a list.
    fn closed(&mut self, list: &str, word: &str, own_are_through: bool) {
        let has = |map| self.maps.get(map).is_some_and(|tables| !tables.is_empty());
        let takes_mail = has("relay_domains") || has("virtual_alias");
        if own_are_through && !takes_mail {
            let why = "clients of other networks may send to relay domains only, and there are none";
            return self.word(list, word, Fate::NotNeeded, why, None);
        }
        let why = "every mail that came this far was refused";
        self.word(list, word, Fate::Dropped, why, Some("`static:REJECT` as the last access table does that"));
    }

    fn no_counterpart<'w>(
        &mut self,
        list: &str,
        word: &'w str,
        words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>,
    ) {
        let takes_argument = ["check_", "reject_rbl_", "reject_rhsbl_", "permit_dnswl_", "permit_rhswl_"]
            .iter()
            .any(|start| word.starts_with(start));
        let argument = if takes_argument { words.next() } else { None };
        let said = argument.map_or_else(|| word.to_owned(), |argument| format!("{word} {argument}"));
        let found = DROPPED.iter().find(|(start, ..)| word.starts_with(start));
        let (why, advice) = found.map_or(
            (
                "no restriction that is known here; a restriction class, maybe",
                "write its tables into the access maps",
            ),
            |(_, why, advice)| (*why, *advice),
        );
        self.word(list, &said, Fate::Dropped, why, Some(advice));
    }

    fn check(&mut self, list: &str, word: &str, table: &str, map: &'static str, own_are_through: bool) {
        let said = format!("{word} {table}");
        if list.contains("_etrn_") {
            return self.word(list, &said, Fate::Dropped, "ETRN is not offered", None);
        }
        match self.tables.take(&self.tree, table, Use::Access) {
            Ok(_) if !self.has_map(map) => {
                let why = format!("no host of the site asks a map `{map}`");
                self.word(list, &said, Fate::Dropped, &why, None);
            }
            Ok(spec) => {
                let tables = self.maps.entry(map).or_default();
                let twice = tables.contains(&spec);
                if !twice {
                    tables.push(spec.clone());
                }
                let what = format!("`maps.{map}`: {spec}");
                // Own hosts send to the router, which asks none of these behind an mx.
                if own_are_through && !self.draft.has(Role::Mx) {
                    let what = format!(
                        "{what}; it is asked of every client, also of `mynetworks`, whom Postfix let pass before"
                    );
                    self.word(list, &said, Fate::Changed, &what, Some(OWN_TOO_DO));
                } else {
                    self.word(list, &said, Fate::Carried, &what, None);
                }
            }
            Err(not) => self.word(list, &said, Fate::Dropped, &not.what, Some(&not.advice)),
        }
    }

    /// A note on one word of a list.
    fn word(&mut self, list: &str, word: &str, fate: Fate, what: &str, advice: Option<&str>) {
        let (file, line) =
            self.main.get(list).map_or(("main.cf", 0), |parameter| (parameter.file, parameter.line));
        self.report.push(Note {
            file: file.to_owned(),
            line,
            setting: list.to_owned(),
            value: word.to_owned(),
            fate,
            what: what.to_owned(),
            advice: advice.map(str::to_owned),
        });
    }
}
