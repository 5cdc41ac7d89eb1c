//! What no part of the translation took: each parameter gets its note by its name.

use switchyard_maps::spec::words;

use super::Import;
use super::families::{KNOWN, NOT_NEEDED};

impl Import<'_> {
    /// Every parameter that has no note yet gets one.
    pub(super) fn leftovers(&mut self) {
        self.extensions();
        let names: Vec<String> = self.main.iter().map(|(name, _)| name.to_owned()).collect();
        for (_, parameter) in self.main.iter() {
            // So that names of the site's own are known by their use.
            self.main.fill(&parameter.raw);
        }
        let classes = self.main.value("smtpd_restriction_classes");
        for name in names.into_iter().filter(|name| !self.report.is_settled(name)).collect::<Vec<_>>() {
            let known = KNOWN.iter().find(|(pattern, ..)| fits(pattern, &name));
            match known {
                _ if words(&classes).any(|class| class == name) => {
                    self.dropped(&name, "a restriction class", "write its tables into the access maps");
                }
                Some((_, NOT_NEEDED, why, _)) => self.not_needed(&name, *why),
                Some((_, fate, why, advice)) => {
                    let advice = Some(*advice).filter(|advice| !advice.is_empty());
                    self.settle(&name, *fate, (*why).to_owned(), advice);
                }
                None if self.main.is_asked(&name) => {
                    self.not_needed(&name, "a name of this file's own, filled in where it is used");
                }
                None => self.dropped(
                    &name,
                    "no setting that is known here",
                    "look it up in postconf(5): is it still needed?",
                ),
            }
        }
    }

    fn extensions(&mut self) {
        let name = "propagate_unmatched_extensions";
        if self.main.get(name).is_none() {
            return;
        }
        let value = self.main.value(name);
        let virtuals = words(&value).any(|word| word == "virtual");
        if virtuals {
            self.not_needed(name, "an extension that an alias does not name goes on to its targets");
        } else if self.draft.set_all("maps.propagate_unmatched_extensions", false, "") {
            self.carried(name, "`maps.propagate_unmatched_extensions`: false");
        } else {
            self.dropped(
                name,
                "an extension that an alias does not name goes on to its targets",
                "write the targets with the extension they shall have",
            );
        }
    }
}

/// `*` stands for any letters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let (first, mut rest) = match parts.next().and_then(|first| name.strip_prefix(first)) {
        Some(rest) => (true, rest),
        None => (false, ""),
    };
    let mut parts = parts.peekable();
    if !first || parts.peek().is_none() {
        return first && rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("biff", "biff", true),
            ("biff", "biffs", false),
            ("*_path", "mailq_path", true),
            ("smtpd_*", "smtpd_x", true),
            ("*_tls_*ciphers", "smtpd_tls_mandatory_ciphers", true),
            ("*_tls_*ciphers", "smtpd_tls_ciphers", true),
            ("*_tls_*ciphers", "smtpd_ciphers", false),
            ("smtpd_client_*_rate_limit", "smtpd_client_message_rate_limit", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
