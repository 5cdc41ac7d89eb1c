//! docs/rfcs.md: which RFC is obeyed where, from the references beside the statements that obey them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::run::{Failure, findings};
use crate::tree;

/// Where references count: not in this tool, whose sources hold the titles.
const FOLDERS: &[&str] = &["smtp", "daemon", "milter", "maps", "config", "mx", "router", "cli"];

/// What each RFC is called, and how far it is obeyed.
const KNOWN: &[(u16, &str, &str)] = &[
    (1034, "Domain names, concepts", "by hickory"),
    (1035, "Domain names", "what a domain may be"),
    (1047, "Duplicate messages and SMTP", "an answer to the final dot waits only for the disk"),
    (1123, "Requirements for internet hosts", "what it says of mail"),
    (1870, "SMTP message size declaration", "yes"),
    (2033, "LMTP", "yes, as a client"),
    (2034, "SMTP enhanced error codes", "yes"),
    (2369, "List fields", "signed where they are there"),
    (2920, "SMTP command pipelining", "yes"),
    (3030, "CHUNKING and BINARYMIME", "yes"),
    (3056, "6to4", "an IPv4 address inside is filtered as such"),
    (3207, "STARTTLS", "yes"),
    (3461, "SMTP DSN extension", "yes"),
    (3463, "Enhanced mail system status codes", "yes"),
    (3464, "Delivery status notifications", "yes"),
    (3834, "Automatic responses", "reports say that they are automatic"),
    (3848, "Transmission types in Received", "yes"),
    (4291, "IPv6 addressing", "where an address class matters"),
    (4343, "DNS case insensitivity", "where names are compared"),
    (4409, "Message submission", "no: mail is relayed, not submitted"),
    (5198, "Net-Unicode", "where text may be UTF-8"),
    (5234, "ABNF", "as the notation"),
    (5248, "Registry of status codes", "yes"),
    (5280, "X.509 certificates", "by rustls"),
    (5321, "SMTP", "yes"),
    (5322, "Internet message format", "what a relay must know of it"),
    (5598, "Internet mail architecture", "as the vocabulary"),
    (5890, "IDNA definitions", "domains are kept as A-labels"),
    (5891, "IDNA protocol", "domains are kept as A-labels"),
    (6052, "IPv6 addresses of IPv4 hosts", "an IPv4 address inside is filtered as such"),
    (6066, "TLS extensions", "server name, by rustls"),
    (6152, "8BITMIME", "yes"),
    (6376, "DKIM", "yes, with mail-auth; a signature with l= proves nothing"),
    (6522, "multipart/report", "yes"),
    (6531, "SMTPUTF8", "yes"),
    (6532, "Internationalized headers", "passed on untouched"),
    (6533, "Internationalized DSNs", "yes"),
    (6710, "SMTP message transfer priorities", "yes, but for the reply that tells of a lowered priority"),
    (6761, "Special-use domain names", "where they route"),
    (6890, "Special-purpose addresses", "addresses that mail never goes to are filtered"),
    (7208, "SPF", "yes, with mail-auth"),
    (7372, "Status codes for authentication failures", "5.7.26"),
    (7435, "Opportunistic security", "yes"),
    (7489, "DMARC, first edition", "as RFC 9989, which replaces it"),
    (7504, "SMTP 521 and 556", "yes"),
    (7505, "Null MX", "yes"),
    (7672, "DANE for SMTP", "no: not yet"),
    (8058, "One-click unsubscribing", "its field is signed where it is there"),
    (8301, "DKIM cryptography", "yes"),
    (8446, "TLS 1.3", "by rustls"),
    (8461, "MTA-STS", "no: not yet"),
    (8601, "Authentication-Results", "yes"),
    (8617, "ARC", "yes, with mail-auth"),
    (8996, "TLS 1.0 and 1.1 are over", "yes"),
    (9110, "HTTP semantics", "for the probes, by axum"),
    (9422, "SMTP LIMITS", "yes"),
    (9989, "DMARC", "yes, with mail-auth, which counts one of two records at a name; here they are none"),
    (9990, "DMARC aggregate reports", "yes, with mail-auth; no extensions"),
];

const HEAD: &str = "\
# RFCs

Made from the sources by `cargo xtask docs`: the code names the section beside the statement that obeys it.
";

/// The sections of one RFC, and the files that name them.
type Sections = BTreeMap<String, BTreeSet<String>>;

/// The whole document.
pub(super) fn document() -> Result<String, Failure> {
    let mut references: BTreeMap<u16, Sections> = BTreeMap::new();
    for folder in FOLDERS {
        for source in tree::sources(folder, "rs")? {
            for (number, section) in source.lines().flat_map(|(_, line)| named(line)) {
                let files = references.entry(number).or_default().entry(section).or_default();
                files.insert(source.path.clone());
            }
        }
    }
    let mut text = HEAD.to_owned();
    let mut untitled = Vec::new();
    for (number, sections) in &references {
        let Some((_, title, obeyed)) = KNOWN.iter().find(|(known, ..)| known == number) else {
            untitled.push(format!("RFC {number} is named in the sources: add its title to {}", file!()));
            continue;
        };
        let _ = write!(text, "\n## RFC {number}: {title}\n\nObeyed: {obeyed}.\n\n");
        for (section, files) in sections {
            let files = files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "- {}: {files}", if section.is_empty() { "as a whole" } else { section });
        }
    }
    findings(untitled).map(|()| text)
}

/// The references in a line: number, and section or nothing.
fn named(line: &str) -> Vec<(u16, String)> {
    let mut found = Vec::new();
    for piece in line.split("RFC ").skip(1) {
        let digits = piece.len() - piece.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let Ok(number) = piece[..digits].parse() else { continue };
        // `RFC 5321 §4.1.1.4 and §4.5.2`, `RFC 5321 Appendix C`.
        let mut sections: Vec<String> = piece.split('§').skip(1).filter_map(section).collect();
        if let Some(rest) = piece[digits..].strip_prefix(" Appendix ") {
            sections.extend(rest.chars().next().map(|letter| format!("Appendix {letter}")));
        }
        if sections.is_empty() {
            sections.push(String::new());
        }
        found.extend(sections.into_iter().map(|section| (number, section)));
    }
    found
}

fn section(text: &str) -> Option<String> {
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let digits = text[..end].trim_end_matches('.');
    (!digits.is_empty()).then(|| format!("§{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_in_every_way_they_are_written() {
        let whole = |number: u16| (number, String::new());
        let part = |number: u16, section: &str| (number, section.to_owned());
        assert_eq!(named("// RFC 5321 §4.5.2: a dot"), [part(5321, "§4.5.2")]);
        assert_eq!(
            named("/// (RFC 2033 §4.2, §4.3). RFC 1870."),
            [part(2033, "§4.2"), part(2033, "§4.3"), whole(1870)]
        );
        assert_eq!(named("// RFC 5321 Appendix C: routes"), [part(5321, "Appendix C")]);
        assert_eq!(named("// no RFC here"), []);
    }

    #[test]
    fn the_titles_stand_in_order() {
        assert!(KNOWN.is_sorted_by_key(|(number, ..)| *number));
    }
}
