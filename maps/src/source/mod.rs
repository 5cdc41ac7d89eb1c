//! The text a person edits: Postfix's map files, octets to entries.
//!
//! A logical line starts in the first column and goes on in lines that start with blanks; comments and empty
//! lines may stand in between. An entry is a key, blanks, and a value; blanks inside double quotes belong to
//! the key. All of it as postmap(1) reads it, save that postmap warns and goes on where this refuses.

mod parts;

use std::borrow::Cow;

use crate::fault::Wrong;

pub(crate) use self::parts::{Part, parts};

/// Octets of a logical line: some 30,000 addresses.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// A logical line, with the places its parts came from.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Where each physical line starts in `text`, and its number.
    pieces: Vec<(usize, u32)>,
    number: u32,
}

impl Line<'_> {
    /// The number of its first physical line.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Line and column (in characters) of an offset in `text`.
    pub(crate) fn place(&self, offset: usize) -> (u32, u32) {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= offset);
        let (start, number) = piece.copied().unwrap_or((0, self.number));
        let before = self.text.get(start..offset).unwrap_or_default();
        (number, column(before))
    }
}

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) what: String,
}

/// The logical lines of a file, comments left out.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    number: u32,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self::after(0, unmarked(bytes))
    }

    /// The lines of a text that goes on after so many others.
    fn after(lines: u32, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, number: lines }
    }

    fn physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = match memchr::memchr(b'\n', self.rest) {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &self.rest[..0]),
        };
        self.rest = rest;
        self.number = self.number.saturating_add(1);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn refuse(&self, column: u32, what: impl Into<String>) -> BadLine {
        BadLine { line: self.number, column, what: what.into() }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line: Option<Line<'a>> = None;
        let mut wrong: Option<BadLine> = None;
        loop {
            if (line.is_some() || wrong.is_some()) && !goes_on(self.rest) {
                break;
            }
            let Some(physical) = self.physical() else { break };
            let start = physical.iter().position(|byte| !is_blank(*byte));
            let Some(start) = start.filter(|start| physical[*start] != b'#') else { continue };
            if wrong.is_some() {
                // The rest of a line that is refused already says nothing new.
                continue;
            }
            let so_far = line.as_ref().map_or(0, |line| line.text.len());
            if so_far + physical.len() > MAX_LINE {
                wrong = Some(self.refuse(1, format!("a line of more than {MAX_LINE} octets")));
                continue;
            }
            let text = match read(physical) {
                Ok(text) => text,
                Err((before, what)) => {
                    wrong = Some(self.refuse(column(before), what));
                    continue;
                }
            };
            match &mut line {
                None if start > 0 => {
                    let what =
                        "a line that starts with a blank goes on with the entry above it, and there is none";
                    wrong = Some(self.refuse(1, what));
                }
                None => {
                    line = Some(Line { text: text.into(), pieces: Vec::new(), number: self.number });
                }
                Some(line) => {
                    if line.pieces.is_empty() {
                        line.pieces.push((0, line.number));
                    }
                    line.pieces.push((line.text.len(), self.number));
                    line.text.to_mut().push_str(text);
                }
            }
        }
        wrong.map(Err).or_else(|| line.map(Ok))
    }
}

/// A text without its mark: some editors begin UTF-8 with U+FEFF. Anywhere else that is a character as any.
pub(crate) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// True when the line that starts here starts with a blank, is empty, or is a comment: it begins no entry.
pub(crate) fn goes_on(rest: &[u8]) -> bool {
    matches!(rest, [b' ' | b'\t' | b'#' | b'\n', ..] | [b'\r', b'\n', ..])
}

/// UTF-8 without control characters; the tab is a blank here.
fn read(physical: &[u8]) -> Result<&str, (&str, String)> {
    let text = std::str::from_utf8(physical).map_err(|error| {
        let before = std::str::from_utf8(&physical[..error.valid_up_to()]).unwrap_or_default();
        (before, format!("octet 0x{:02X} is not UTF-8", physical[error.valid_up_to()]))
    })?;
    // Almost every line: all of its octets are looked at together.
    if physical.iter().fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~' | b'\t')) {
        return Ok(text);
    }
    match text.char_indices().find(|(_, character)| character.is_control() && *character != '\t') {
        Some((at, character)) => {
            Err((&text[..at], format!("control character U+{:04X}", u32::from(character))))
        }
        None => Ok(text),
    }
}

fn column(before: &str) -> u32 {
    u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

// ---------------------------------------------------------------------------------------------------------

/// A key and its value; the value is empty when the line has none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    /// Where the value starts in the line.
    pub(crate) value_at: usize,
}

/// Parts a logical line at its first blank outside double quotes.
pub(crate) fn split(line: &str) -> Result<Entry<'_>, Wrong> {
    let special = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\\');
    // Up to here there is nothing to mind.
    let plain = line.as_bytes().iter().position(special).unwrap_or(line.len());
    let mut quote = None;
    let mut escaped = false;
    let mut end = line.len();
    for (at, byte) in line.bytes().enumerate().skip(plain) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if quote.is_some() => quote = None,
            b'"' => quote = Some(at),
            _ if is_blank(byte) && quote.is_none() => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    if let Some(at) = quote {
        return Err(Wrong::at(at, "a double quote that nothing closes"));
    }
    let (key, rest) = line.split_at(end);
    let value = rest.trim_matches([' ', '\t']);
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    Ok(Entry { key, value, value_at: end + blanks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(text: &[u8]) -> Vec<Result<(u32, String), BadLine>> {
        Lines::new(text).map(|line| line.map(|line| (line.number(), line.text.into_owned()))).collect()
    }

    #[test]
    fn logical_lines_are_postfixes() {
        let text = b"# head\n\na 1\r\nb\n  2,\n# between\n\n\t3\n   # indented comment\nc 4";
        let expected = [(3, "a 1"), (4, "b  2,\t3"), (10, "c 4")];
        let lines: Vec<_> = read_all(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(lines, expected.map(|(number, text)| (number, text.to_owned())));
    }

    #[test]
    fn a_place_is_found_in_the_line_it_came_from() {
        let line = Lines::new("kéy a,\n   bad".as_bytes()).next().unwrap().unwrap();
        assert_eq!(line.place(0), (1, 1));
        assert_eq!(line.place(line.text.find('a').unwrap()), (1, 5));
        assert_eq!(line.place(line.text.find("bad").unwrap()), (2, 4));
    }

    #[test]
    fn what_cannot_be_read_is_refused_at_its_place() {
        let bad = |text: &[u8]| match Lines::new(text).next() {
            Some(Err(bad)) => (bad.line, bad.column, bad.what),
            other => panic!("{other:?}"),
        };
        assert_eq!(bad(b"\xc3\xa9 \xff").0, 1);
        assert_eq!(bad(b"\xc3\xa9 \xff"), (1, 3, "octet 0xFF is not UTF-8".to_owned()));
        assert_eq!(bad(b"a b\rc"), (1, 4, "control character U+000D".to_owned()));
        assert_eq!(bad(b"\0"), (1, 1, "control character U+0000".to_owned()));
        assert!(bad(b"# only\n  a b").2.contains("there is none"));
        assert!(bad(&vec![b'a'; MAX_LINE + 1]).2.contains("1048576 octets"));
    }

    #[test]
    fn quoted_blanks_belong_to_the_key() {
        let entry = split("\"a \\\" b\"@x.example \t value here ").unwrap();
        assert_eq!((entry.key, entry.value), ("\"a \\\" b\"@x.example", "value here"));
        assert_eq!(split("key").unwrap().value, "");
        assert_eq!(split("a\"b c").unwrap_err().at, 1);
    }

    proptest! {
        #[test]
        fn no_octets_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for line in Lines::new(&bytes).flatten() {
                let _ = split(&line.text).map(|entry| line.place(entry.value_at));
            }
        }

        #[test]
        fn every_line_is_read_once(lines in proptest::collection::vec("[ #\ta-z]{0,6}", 0..12)) {
            let text = lines.join("\n");
            let letters = |text: &str| text.chars().filter(char::is_ascii_lowercase).count();
            let expected: usize =
                lines.iter().filter(|line| !line.trim_start().starts_with('#')).map(|line| letters(line)).sum();
            let mut read = 0;
            for line in Lines::new(text.as_bytes()) {
                // A refused one is a continuation of nothing; its letters are told by the lines themselves.
                match line {
                    Ok(line) => read += letters(&line.text),
                    Err(_) => return Ok(()),
                }
            }
            prop_assert_eq!(read, expected);
        }
    }
}
