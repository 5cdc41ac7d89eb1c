//! Texts of tables, changed line by line and otherwise left as they are: same lines, same numbers.

/// Each entry's value as `new` would have it, told of the line it stands in; `None` leaves it.
pub(super) fn values(text: &[u8], mut new: impl FnMut(u32, &str) -> Option<String>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (number, line) in (1..).zip(text.split_inclusive(|octet| *octet == b'\n')) {
        let changed = std::str::from_utf8(line).ok().and_then(|line| {
            let content = line.trim_end();
            let at = content.len() - parts(content)?.1.len();
            let value = new(number, &content[at..])?;
            Some(format!("{}{value}{}", &line[..at], &line[content.len()..]))
        });
        match changed {
            Some(line) => out.extend_from_slice(line.as_bytes()),
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// Line, key and value of each entry that starts in its line; values that go on are cut there.
pub(crate) fn entries(text: &[u8]) -> impl Iterator<Item = (u32, &str, &str)> {
    (1..).zip(text.split(|octet| *octet == b'\n')).filter_map(|(number, line)| {
        let (key, value) = parts(std::str::from_utf8(line).ok()?.trim_end())?;
        Some((number, key, value))
    })
}

/// The same without entries that go on in the next line.
pub(crate) fn whole_entries(text: &[u8]) -> impl Iterator<Item = (u32, &str, &str)> {
    let mut lines = (1..).zip(text.split(|octet| *octet == b'\n')).peekable();
    std::iter::from_fn(move || {
        let (number, line) = lines.next()?;
        let goes_on = lines.peek().is_some_and(|(_, next)| matches!(next, [b' ' | b'\t' | b'#', ..]));
        let entry = std::str::from_utf8(line).ok().filter(|_| !goes_on);
        Some(entry.and_then(|line| parts(line.trim_end())).map(|(key, value)| (number, key, value)))
    })
    .flatten()
}

/// The lines that go with one that is refused: where its entry starts; and of a pattern table's `if`, all up
/// to its `endif`, which must not hold without the condition.
pub(crate) fn refused_lines(lines: &[&[u8]], line: u32) -> Vec<u32> {
    let at = |number: u32| {
        usize::try_from(number).ok().and_then(|index| lines.get(index.checked_sub(1)?)).copied()
    };
    let is_within =
        |number: u32| at(number).is_some_and(|line| matches!(line, [b' ' | b'\t' | b'#' | b'\r', ..] | []));
    let mut start = line;
    while start > 1 && is_within(start) {
        start -= 1;
    }
    let opens = |line: &[u8]| {
        line.get(..3).is_some_and(|head| {
            head[..2].eq_ignore_ascii_case(b"if")
                && !head[2].is_ascii_alphanumeric()
                && !matches!(head[2], b'.' | b'@' | b'-')
        })
    };
    let closes = |line: &[u8]| line.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"endif"));
    if !at(start).is_some_and(opens) {
        return vec![start];
    }
    let (mut depth, mut refused) = (0_usize, Vec::new());
    for number in start.. {
        let Some(line) = at(number) else { break };
        depth += usize::from(opens(line));
        refused.push(number);
        if closes(line) {
            depth -= 1;
            if depth == 0 {
                break;
            }
        }
    }
    refused
}

/// Makes comments of entries, each told by its line, with the lines that go on with it.
pub(crate) fn comment_out(text: &[u8], refused: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + MARK.len() * refused.len());
    let mut within = false;
    for (number, line) in (1_u32..).zip(text.split_inclusive(|octet| *octet == b'\n')) {
        let goes_on = matches!(line, [b' ' | b'\t', ..]);
        let content = line.trim_ascii();
        let says_nothing = content.is_empty() || content.starts_with(b"#");
        within = refused.binary_search(&number).is_ok() || (within && (goes_on || says_nothing));
        if within && !says_nothing {
            out.extend_from_slice(MARK);
        }
        out.extend_from_slice(line);
    }
    out
}

const MARK: &[u8] = b"# not imported: ";

/// Key and value of a line that starts an entry.
fn parts(line: &str) -> Option<(&str, &str)> {
    if line.is_empty() || line.starts_with(['#', ' ', '\t']) {
        return None;
    }
    let end = match line.strip_prefix('!').unwrap_or(line).chars().next()? {
        delimiter @ ('/' | '|' | '%' | ',') => pattern_end(line, delimiter),
        _ => key_end(line),
    };
    let (key, rest) = line.split_at(end);
    let value = rest.trim_start();
    (!value.is_empty() && !matches!(key, "if" | "endif")).then_some((key, value))
}

/// Where `/pattern/flags` ends.
fn pattern_end(line: &str, delimiter: char) -> usize {
    let mut escaped = false;
    let mut seen = 0;
    for (at, sign) in line.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if sign == delimiter && seen < 2 => seen += 1,
            ' ' | '\t' if seen == 2 => return at,
            _ => {}
        }
    }
    line.len()
}

/// Where a key ends: at the first blank outside double quotes.
fn key_end(line: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, sign) in line.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return at,
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_change_and_the_rest_stays() {
        let text =
            b"# slow:\n\nexample.org \tslow:[gw]  \n\"a b\"@x slow:\n/a b/i slow:x\r\nif /x/\n  slow:\nkey";
        let changed = values(text, |_, value| value.strip_prefix("slow:").map(|rest| format!("smtp:{rest}")));
        assert_eq!(
            String::from_utf8(changed).unwrap(),
            "# slow:\n\nexample.org \tsmtp:[gw]  \n\"a b\"@x smtp:\n/a b/i smtp:x\r\nif /x/\n  slow:\nkey"
        );
    }

    #[test]
    fn refused_entries_become_comments_with_all_their_lines() {
        let text = b"a 1\nb 2,\n  3,\n# between\n\n\t4\nc 5\n d\n";
        let changed = String::from_utf8(comment_out(text, &[2])).unwrap();
        assert_eq!(
            changed,
            "a 1\n# not imported: b 2,\n# not imported:   3,\n# between\n\n# not imported: \t4\nc 5\n d\n"
        );
        assert_eq!(changed.lines().count(), 8);
    }

    #[test]
    fn a_condition_goes_with_all_that_it_holds() {
        let text = b"/a/ x\nif /b/\n/c/ y\n  z\nIF !/d/\n/e/ w\nendif\nendif\n/f/ v\nif.example x\n";
        let lines: Vec<&[u8]> = text.split(|octet| *octet == b'\n').collect();
        assert_eq!(refused_lines(&lines, 1), [1]);
        assert_eq!(refused_lines(&lines, 4), [3], "where its entry starts");
        assert_eq!(refused_lines(&lines, 2), [2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(refused_lines(&lines, 5), [5, 6, 7]);
        assert_eq!(refused_lines(&lines, 10), [10]);
        assert_eq!(refused_lines(&lines, 99), [99]);
    }

    #[test]
    fn entries_are_listed() {
        let text = b"# x\na.example  OK yes\n b\n/^x y$/ REJECT\n\xff z\n";
        let found: Vec<_> = entries(text).collect();
        assert_eq!(found, [(2, "a.example", "OK yes"), (4, "/^x y$/", "REJECT")]);
        let whole: Vec<_> = whole_entries(text).collect();
        assert_eq!(whole, [(4, "/^x y$/", "REJECT")], "the other one goes on");
    }
}
