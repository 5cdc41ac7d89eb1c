//! A compiled table as text: its entries sorted, as postmap(1) would read them again.

use switchyard_maps::foreign::{Database, ForeignError};

/// The text, and how many entries stand in it.
pub(super) struct Dumped {
    pub(super) text: Vec<u8>,
    pub(super) entries: usize,
}

/// Writes a database as text; `aliases` in the form of aliases(5).
pub(super) fn text(database: &Database, source: &str, aliases: bool) -> Result<Dumped, ForeignError> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let (mut odd, mut entries) = (0_usize, 0_usize);
    database.each(|key, value| {
        if aliases && is_mark(key, value) {
            return;
        }
        match line(key, value, aliases) {
            Some(line) => {
                entries += 1;
                lines.push(line);
            }
            None => odd += 1,
        }
    })?;
    lines.sort_unstable();
    let head = format!(
        "# {entries} entries out of {source}, a compiled {} table: the text that it was made of was not there.\n",
        database.kind()
    );
    let mut text = head.into_bytes();
    if odd > 0 {
        text.extend_from_slice(
            format!("# {odd} more have a line end in them, and no text has a way to say it.\n").as_bytes(),
        );
    }
    for line in lines {
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    Ok(Dumped { text, entries })
}

/// What postalias(1) adds for sendmail and NIS.
fn is_mark(key: &[u8], value: &[u8]) -> bool {
    key.starts_with(b"YP_") || (key == b"@" && value == b"@")
}

/// None when a text has no way to say it.
fn line(key: &[u8], value: &[u8], aliases: bool) -> Option<Vec<u8>> {
    let breaks = |octet: &u8| matches!(octet, b'\n' | b'\r');
    if key.is_empty() || key.iter().chain(value).any(breaks) {
        return None;
    }
    let mut line = quoted(key, aliases);
    line.extend_from_slice(if aliases { b": " } else { b"\t" });
    line.extend_from_slice(value);
    Some(line)
}

/// postmap(1) takes the quotes off a local part: it gets them back where it needs them.
fn quoted(key: &[u8], aliases: bool) -> Vec<u8> {
    let needs = |octet: &u8| matches!(octet, b' ' | b'\t' | b'"' | b'\\') || (aliases && *octet == b':');
    let needs = key.iter().any(needs) || key.starts_with(b"#");
    if !needs {
        return key.to_vec();
    }
    let (local, domain) = match key.iter().rposition(|octet| *octet == b'@') {
        Some(at) => key.split_at(at),
        None => (key, &b""[..]),
    };
    let mut out = vec![b'"'];
    for octet in local {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*octet);
    }
    out.push(b'"');
    out.extend_from_slice(domain);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(key: &str, value: &str, aliases: bool) -> Option<String> {
        line(key.as_bytes(), value.as_bytes(), aliases).map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn entries_are_written_so_that_they_read_back() {
        assert_eq!(text_of("a@b", "c d", false).unwrap(), "a@b\tc d");
        assert_eq!(text_of("joe user@b", "c", false).unwrap(), "\"joe user\"@b\tc");
        assert_eq!(text_of("#a", "c", false).unwrap(), "\"#a\"\tc");
        assert_eq!(text_of("root", "a@b", true).unwrap(), "root: a@b");
        assert_eq!(text_of("a:b", "c", true).unwrap(), "\"a:b\": c");
        assert_eq!(text_of("a\nb", "c", false), None);
        assert!(is_mark(b"YP_LAST_MODIFIED", b"1") && is_mark(b"@", b"@") && !is_mark(b"@", b"x"));
    }
}
