//! A text in parts that can be read side by side: each begins where an entry does, so that together they are read
//! as the whole is.

use memchr::{memchr, memchr_iter};

use super::{Lines, goes_on, unmarked};

/// Some lines of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    bytes: &'a [u8],
    /// How many physical lines stand before it.
    before: u32,
}

impl<'a> Part<'a> {
    /// Of a text without its mark.
    pub(crate) fn new(bytes: &'a [u8], before: u32) -> Self {
        Self { bytes, before }
    }

    /// How many octets it has.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn lines(&self) -> Lines<'a> {
        Lines::after(self.before, self.bytes)
    }
}

/// The parts of a text, of about so many octets each, in their order.
pub(crate) fn parts(text: &[u8], octets: usize) -> Vec<Part<'_>> {
    let mut rest = unmarked(text);
    let mut parts = Vec::with_capacity(rest.len() / octets.max(1) + 1);
    let mut before = 0;
    while !rest.is_empty() {
        let (bytes, others) = rest.split_at(next_entry(rest, octets));
        parts.push(Part { bytes, before });
        let lines = u32::try_from(memchr_iter(b'\n', bytes).count()).unwrap_or(u32::MAX);
        before = before.saturating_add(lines);
        rest = others;
    }
    parts
}

/// Where the first entry begins after so many octets; the end of the text when none does.
fn next_entry(text: &[u8], octets: usize) -> usize {
    let mut at = octets;
    while let Some(end) = text.get(at..).and_then(|rest| memchr(b'\n', rest)) {
        at += end + 1;
        match text.get(at..) {
            Some(rest) if !rest.is_empty() && !goes_on(rest) => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::BadLine;

    type Read = Vec<Result<(u32, String, (u32, u32)), BadLine>>;

    fn read(lines: Lines<'_>) -> Read {
        let place = |line: super::super::Line<'_>| {
            let end = line.place(line.text.len());
            (line.number(), line.text.into_owned(), end)
        };
        lines.map(|line| line.map(place)).collect()
    }

    #[test]
    fn a_part_begins_with_an_entry() {
        let text = b"\xef\xbb\xbfa 1\n b\n\n# c\n\r\nd 2\ne 3\n";
        let parts = parts(text, 2);
        let starts: Vec<_> = parts.iter().map(|part| (part.bytes[0], part.before)).collect();
        assert_eq!(starts, [(b'a', 0), (b'd', 5), (b'e', 6)]);
    }

    proptest! {
        #[test]
        fn parts_are_read_as_the_whole_is(
            text in "\u{feff}?(\u{feff}?[ \t#]?[a-c\u{7f}]{0,3}\r?\n){0,20}",
            octets in 0_usize..30,
        ) {
            let whole = read(Lines::new(text.as_bytes()));
            let parts = parts(text.as_bytes(), octets);
            let together: Read = parts.iter().flat_map(|part| read(part.lines())).collect();
            prop_assert_eq!(together, whole);
        }
    }
}
