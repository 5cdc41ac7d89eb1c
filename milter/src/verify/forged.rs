//! Verdicts in our name that are not ours: found before anybody believes them (RFC 8601 §5).

use switchyard_smtp::address::Domain;

/// Octets of a value that are looked at for its author; behind them nothing could be read as one.
const MOST: usize = 4_096;
/// Comments inside comments; deeper ones are nobody's honest writing.
const MOST_NESTED: usize = 32;

/// Whether a field claims to be a verdict of `authserv_id`, or hides whose it is.
pub(crate) fn claims(name: &[u8], value: &[u8], authserv_id: &Domain) -> bool {
    // Obsolete syntax lets spaces stand before the colon (RFC 5322 §4.5), and readers that take it are there.
    if !name.trim_ascii_end().eq_ignore_ascii_case(b"Authentication-Results") {
        return false;
    }
    match author(value.get(..MOST).unwrap_or(value)) {
        Some(author) => same(&author, authserv_id),
        // What we cannot read, somebody else may read as our name.
        None => true,
    }
}

/// Domains are compared as the DNS would; a dot at the end changes nothing.
fn same(author: &str, authserv_id: &Domain) -> bool {
    let author = author.strip_suffix('.').unwrap_or(author);
    author.eq_ignore_ascii_case(authserv_id.as_str())
        || Domain::parse(author).is_ok_and(|author| author == *authserv_id)
}

/// The authserv-id: a token or a quoted text, behind any spaces, line ends and comments (RFC 8601 §2.2).
fn author(value: &[u8]) -> Option<String> {
    let mut rest = after_comments(value)?;
    let mut author = Vec::new();
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        rest = quoted;
        loop {
            let (first, more) = rest.split_first()?;
            rest = more;
            match first {
                b'"' => break,
                b'\\' => {
                    let (escaped, more) = rest.split_first()?;
                    author.push(*escaped);
                    rest = more;
                }
                b'\r' | b'\n' => {}
                octet => author.push(*octet),
            }
        }
    } else {
        let end = rest.iter().position(|octet| octet.is_ascii_whitespace() || b";(".contains(octet));
        author.extend_from_slice(rest.get(..end.unwrap_or(rest.len()))?);
    }
    if author.is_empty() {
        return None;
    }
    String::from_utf8(author).ok()
}

fn after_comments(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value;
    let mut depth = 0_usize;
    loop {
        let Some((first, more)) = rest.split_first() else {
            return if depth == 0 { Some(rest) } else { None };
        };
        match first {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b'\\' if depth > 0 => {
                rest = more.get(1..)?;
                continue;
            }
            octet if depth == 0 && !octet.is_ascii_whitespace() => return Some(rest),
            _ => {}
        }
        if depth > MOST_NESTED {
            return None;
        }
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Domain {
        Domain::parse("mx.example.org").unwrap()
    }

    #[test]
    fn a8_our_name_is_found_however_it_is_written() {
        for value in [
            " mx.example.org; spf=pass",
            "mx.example.org",
            " MX.Example.ORG; none",
            " mx.example.org.; none",
            " \"mx.example.org\"; dkim=pass",
            " \"mx\\.example.org\" 1; dkim=pass",
            "\r\n\tmx.example.org;\r\n\tdkim=pass",
            " (a (nested \\) comment) here) mx.example.org (x) 1; spf=pass",
            " mx.example.org(x); spf=pass",
            " mx.example.org\r\n 1; spf=pass",
        ] {
            for name in ["Authentication-Results", "AUTHENTICATION-results", "Authentication-Results "] {
                assert!(claims(name.as_bytes(), value.as_bytes(), &ours()), "{name}:{value:?}");
            }
        }
    }

    #[test]
    fn a8_what_hides_its_author_is_taken_for_ours() {
        let deep = "(".repeat(40) + &")".repeat(40) + " other.example; none";
        for value in
            ["", " ", " ;", " (open mx.example.org", " \"open", " \"\"; none", " \u{1}\\", deep.as_str()]
        {
            let expected = value != " \u{1}\\";
            assert_eq!(claims(b"Authentication-Results", value.as_bytes(), &ours()), expected, "{value:?}");
        }
        assert!(claims(b"Authentication-Results", b" \xff\xfe; none", &ours()));
    }

    #[test]
    fn what_others_say_stays() {
        for (name, value) in [
            ("Authentication-Results", " other.example; spf=pass"),
            ("Authentication-Results", " notmx.example.org; none"),
            ("Authentication-Results", " mx.example.org.evil.example; none"),
            ("ARC-Authentication-Results", " i=1; mx.example.org; none"),
            ("X-Authentication-Results", " mx.example.org; none"),
        ] {
            assert!(!claims(name.as_bytes(), value.as_bytes(), &ours()), "{name}:{value}");
        }
    }
}
