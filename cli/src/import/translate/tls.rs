//! TLS: our certificate, and how much of it is asked for on the way out.

use std::collections::BTreeMap;

use switchyard_config::site::Role;
use switchyard_config::words::read_hop;
use switchyard_maps::spec::words;
use toml::Value;

use super::Import;
use crate::import::tables::{entries, read};

/// What is to be done about a key that only root may read.
const GIVE_KEY: &str = "Postfix reads the key as root, and the daemons may not: give the group `switchyard` a copy in \
                        /etc/switchyard/tls, and name it there";

impl Import<'_> {
    pub(super) fn tls(&mut self) {
        self.server();
        self.client();
        self.policy();
    }

    fn server(&mut self) {
        let level = match self.main.value("smtpd_tls_security_level") {
            level if level.is_empty() && self.main.value("smtpd_use_tls") == "yes" => "may".to_owned(),
            level => level,
        };
        let chain = self.main.value("smtpd_tls_chain_files");
        let mut files: Vec<&str> = words(&chain).collect();
        let (certificate, key) =
            (self.main.value("smtpd_tls_cert_file"), self.main.value("smtpd_tls_key_file"));
        if files.is_empty() && !certificate.is_empty() && certificate != "none" {
            files = vec![certificate.as_str()];
        }
        let has_key_file = !key.is_empty();
        let key = if key.is_empty() { files.first().copied().unwrap_or_default().to_owned() } else { key };
        let names = ["smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_key_file"];
        match files.as_slice() {
            _ if matches!(level.as_str(), "" | "none") => {
                for name in names {
                    self.not_needed(name, "smtpd_tls_security_level offers no TLS");
                }
                self.carried(
                    "smtpd_tls_security_level",
                    "no certificate is named, so no STARTTLS is offered",
                );
                return;
            }
            [] => {
                return self.dropped(
                    "smtpd_tls_security_level",
                    "no certificate is named",
                    "state the facts `certificate` and `key`",
                );
            }
            [file] => {
                self.draft.fact("certificate", *file, "PEM, on each host");
                self.draft.fact("key", key, "");
                let what = "the facts `certificate` and `key` in site.toml";
                let holds_key = |name: &str| name == "smtpd_tls_key_file" || !has_key_file;
                for name in names {
                    match holds_key(name) && self.main.get(name).is_some() {
                        true => self.changed(name, what, GIVE_KEY),
                        false => self.carried(name, what),
                    }
                }
            }
            [first, ..] => {
                self.draft.fact("certificate", *first, "PEM, on each host");
                self.draft.fact("key", *first, "");
                self.changed(
                    "smtpd_tls_chain_files",
                    "one certificate is offered: the first of them",
                    "name another in the facts `certificate` and `key` if it fits better",
                );
            }
        }
        let authorities = self.main.value("smtpd_tls_CAfile");
        let asks = self.main.value("smtpd_tls_ask_ccert") == "yes"
            || self.main.value("smtpd_tls_req_ccert") == "yes";
        if asks && !authorities.is_empty() {
            self.draft.fact("client_ca", authorities, "whose clients are known by certificate");
            self.carried("smtpd_tls_CAfile", "the fact `client_ca` in site.toml");
            self.carried("smtpd_tls_ask_ccert", "clients are asked where `client_ca` is stated");
        }
        match level.as_str() {
            "encrypt" => self.changed(
                "smtpd_tls_security_level",
                "STARTTLS is offered; nobody is refused for not using it",
                "`relay.require_tls = true` asks it of clients that relay",
            ),
            _ => self.carried("smtpd_tls_security_level", "STARTTLS is offered to all"),
        }
    }

    fn client(&mut self) {
        if !self.draft.has(Role::Router) {
            return;
        }
        let name = "smtp_tls_security_level";
        let level = match self.main.value(name) {
            level if level.is_empty() && self.main.value("smtp_use_tls") == "yes" => "may".to_owned(),
            level => level,
        };
        let authorities = self.main.value("smtp_tls_CAfile");
        match level.as_str() {
            "" => self.changed(
                name,
                "TLS is used where a server offers it; Postfix used none",
                "`deliver.tls = \"none\"` would be as before",
            ),
            "none" | "may" | "encrypt" => {
                self.draft.set(Role::Router, "deliver.tls", level.as_str(), "");
                self.carried(name, format!("`deliver.tls`: {level}"));
            }
            "verify" | "secure" if !authorities.is_empty() => {
                self.draft.set(Role::Router, "deliver.tls", "verify", "");
                self.carried(name, "`deliver.tls`: verify");
            }
            "dane" => {
                self.draft.set(Role::Router, "deliver.tls", "may", "");
                self.changed(
                    name,
                    "`deliver.tls`: may; TLSA records are not asked",
                    "name hosts that must be verified in `deliver.tls_policy`",
                );
            }
            other => {
                self.draft.set(Role::Router, "deliver.tls", "encrypt", "");
                let what =
                    format!("`{other}` is not known, or needs smtp_tls_CAfile; `deliver.tls` is encrypt");
                self.changed(name, what, "set `deliver.tls = \"verify\"` and `deliver.ca`");
            }
        }
        if !authorities.is_empty() {
            self.draft.set(Role::Router, "deliver.ca", authorities.as_str(), "");
            self.carried("smtp_tls_CAfile", "`deliver.ca`");
        }
        let certificate = self.main.value("smtp_tls_cert_file");
        if !certificate.is_empty() {
            let key = match self.main.value("smtp_tls_key_file") {
                key if key.is_empty() => certificate.clone(),
                key => key,
            };
            self.draft.set(Role::Router, "deliver.certificate", certificate, "");
            self.draft.set(Role::Router, "deliver.key", key, "");
            self.carried("smtp_tls_cert_file", "`deliver.certificate`");
            self.carried("smtp_tls_key_file", "`deliver.key`");
        }
    }

    /// `smtp_tls_policy_maps`: levels by next hop.
    fn policy(&mut self) {
        let name = "smtp_tls_policy_maps";
        let value = self.main.value(name);
        if value.is_empty() || !self.draft.has(Role::Router) {
            return self.not_needed(name, "names no table");
        }
        let verifies = !self.main.value("smtp_tls_CAfile").is_empty();
        let mut policy = BTreeMap::new();
        let mut odd = Vec::new();
        for word in words(&value) {
            let word = word.strip_prefix("proxy:").unwrap_or(word);
            let text = ["hash:", "lmdb:", "cdb:", "btree:", "texthash:"]
                .iter()
                .find_map(|kind| word.strip_prefix(kind));
            let Some(bytes) = text.and_then(|name| read(&self.tree.find(name)?).ok()) else {
                odd.push(format!("the table {word}"));
                continue;
            };
            for (line, key, value) in entries(&bytes) {
                let level = value.split_ascii_whitespace().next().unwrap_or_default();
                let known = match level {
                    "none" | "may" | "encrypt" => Some(level),
                    "verify" | "secure" if verifies => Some("verify"),
                    _ => None,
                };
                match known.filter(|_| read_hop(key).is_ok()) {
                    Some(level) => {
                        policy.entry(key.to_owned()).or_insert_with(|| Value::from(level));
                    }
                    None => odd.push(format!("line {line} ({key} {value})")),
                }
            }
        }
        let count = policy.len();
        for (hop, level) in policy {
            self.draft.add(Role::Router, "deliver.tls_policy", &hop, level);
        }
        if odd.is_empty() {
            self.carried(name, format!("`deliver.tls_policy`: {count} next hops"));
        } else {
            odd.truncate(10);
            let what = format!("`deliver.tls_policy` has {count} next hops; without: {}", odd.join(", "));
            self.changed(name, what, "none, may, encrypt and, with smtp_tls_CAfile, verify are known");
        }
    }
}
