//! A table many lines at once, for those who look only at the lines that changed.
//!
//! Nearly all of a table is passed on as it lies: what becomes of it is proven by its hash, so no line that nobody
//! touches is taken apart. No more is held than a piece and the line that was begun before it.

use std::cmp::Ordering;
use std::io::Read;

use memchr::{memchr, memchr_iter, memrchr};

use crate::lines::{BadLine, LONGEST};
use crate::records::{Record, record};

/// Octets that are read at once.
const PIECE: usize = 256 << 10;
/// Octets of two tables that are compared at once.
const BLOCK: usize = 128;

/// A table that is walked through.
#[derive(Debug)]
pub(crate) struct Pieces<R> {
    input: R,
    octets: Vec<u8>,
    /// How many of them were passed.
    passed: usize,
    /// Where the last line ends that has come whole.
    whole: usize,
    /// Lines that were passed.
    number: u64,
}

impl<R: Read> Pieces<R> {
    /// Begins before the first line.
    pub(crate) fn new(input: R) -> Self {
        Self { input, octets: Vec::new(), passed: 0, whole: 0, number: 0 }
    }

    /// The whole lines that come next, as many as are here; none at the end.
    pub(crate) fn lines(&mut self) -> Result<&[u8], BadLine> {
        if self.passed == self.whole {
            self.fill()?;
        }
        Ok(self.here())
    }

    /// Passes so many octets of them.
    pub(crate) fn pass(&mut self, octets: usize) {
        let passed = self.here().get(..octets).unwrap_or(self.here());
        let (octets, lines) = (passed.len(), memchr_iter(b'\n', passed).count() as u64);
        self.number = self.number.saturating_add(lines);
        self.passed += octets;
    }

    /// How many lines were passed.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the next line, if there is one, is none that goes on with an entry or says nothing. Of a line that is passed
    /// as it lies nobody knows: behind one that changed it would belong to another entry than before.
    pub(crate) fn begins_a_record(&mut self) -> Result<(), BadLine> {
        let goes_on = matches!(self.lines()?.first(), Some(b' ' | b'\t' | b'#' | b'\r' | b'\n'));
        let number = self.number.saturating_add(1);
        if goes_on {
            Err(BadLine::Rule { number, what: "a key begins with something else than a blank or \"#\"" })
        } else {
            Ok(())
        }
    }

    /// The entry of the first of them, and the octets of its line.
    pub(crate) fn first(&mut self) -> Result<Option<(Record<'_>, usize)>, BadLine> {
        let number = self.number.saturating_add(1);
        let wrong = |what| BadLine::Rule { number, what };
        let line = line(self.lines()?);
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(None) };
        if text.len() >= LONGEST {
            return Err(wrong("it is too long"));
        }
        let text = std::str::from_utf8(text).map_err(|_| wrong("it is not UTF-8"))?;
        Ok(Some((record(text).map_err(wrong)?, line.len())))
    }

    fn here(&self) -> &[u8] {
        self.octets.get(self.passed..self.whole).unwrap_or_default()
    }

    fn fill(&mut self) -> Result<(), BadLine> {
        self.octets.drain(..self.whole);
        (self.passed, self.whole) = (0, 0);
        loop {
            let before = self.octets.len();
            let read = self.input.by_ref().take(PIECE as u64).read_to_end(&mut self.octets)?;
            if let Some(end) = self.octets.get(before..).and_then(|new| memrchr(b'\n', new)) {
                self.whole = before + end + 1;
                return Ok(());
            }
            let wrong = |what| Err(BadLine::Rule { number: self.number.saturating_add(1), what });
            match self.octets.len() {
                0 => return Ok(()),
                length if length > LONGEST => return wrong("it is too long"),
                _ if read == 0 => return wrong("it has no end"),
                _ => {}
            }
        }
    }
}

/// The octets of whole lines that both begin with.
pub(crate) fn same(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.chunks_exact(BLOCK).zip(other.chunks_exact(BLOCK));
    let blocks = blocks.take_while(|(one, other)| one == other).count() * BLOCK;
    let rest = one.iter().zip(other).skip(blocks).take_while(|(one, other)| one == other).count();
    let same = one.get(..blocks + rest).unwrap_or_default();
    memrchr(b'\n', same).map_or(0, |end| end + 1)
}

/// The octets of those of these lines whose keys are below this one; they rise.
pub(crate) fn below(lines: &[u8], key: &str) -> usize {
    // Lines before `low` are below, and from `high` on none is.
    let (mut low, mut high) = (0, lines.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = lines.get(low..middle).unwrap_or_default();
        let start = memrchr(b'\n', before).map_or(low, |end| low + end + 1);
        let line = line(lines.get(start..).unwrap_or_default());
        match key_of(line).cmp(key.as_bytes()) {
            Ordering::Less => low = start + line.len(),
            Ordering::Equal | Ordering::Greater => high = start,
        }
    }
    low
}

/// The first of these lines, with its end.
pub(crate) fn line(lines: &[u8]) -> &[u8] {
    memchr(b'\n', lines).and_then(|end| lines.get(..=end)).unwrap_or(lines)
}

/// The last of these lines, with its end; none if there is none.
pub(crate) fn last_line(lines: &[u8]) -> Option<&[u8]> {
    let before = lines.strip_suffix(b"\n")?;
    lines.get(memrchr(b'\n', before).map_or(0, |end| end + 1)..)
}

/// The key in a line; the whole of one that is none of a table's.
pub(crate) fn key_of(line: &[u8]) -> &[u8] {
    memchr(b'\t', line).and_then(|end| line.get(..end)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet at a time.
    struct Drips<'a>(&'a [u8]);

    impl Read for Drips<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let most = into.len().min(1);
            self.0.read(&mut into[..most])
        }
    }

    fn all(input: impl Read) -> Result<Vec<u8>, String> {
        let (mut pieces, mut all) = (Pieces::new(input), Vec::new());
        loop {
            let lines = pieces.lines().map_err(|error| error.to_string())?;
            if lines.is_empty() {
                return Ok(all);
            }
            assert_eq!(lines.last(), Some(&b'\n'));
            let line = line(lines).len();
            all.extend_from_slice(&lines[..line]);
            pieces.pass(line);
        }
    }

    #[test]
    fn lines_come_whole_however_long_they_are_and_however_they_come() {
        let long = |length| [vec![b'x'; length], b"\n".to_vec()].concat();
        let table =
            [b"a\t1\n".to_vec(), long(PIECE - 2), b"\n".to_vec(), long(LONGEST), b"z\n".to_vec()].concat();
        assert_eq!(all(&table[..]).as_ref(), Ok(&table));
        assert_eq!(all(Drips(b"a\n\nbc\n")), Ok(b"a\n\nbc\n".to_vec()));
        assert_eq!(all(&b""[..]), Ok(Vec::new()));
        assert_eq!(all(Drips(b"a\nb")), Err("line 2: it has no end".to_owned()));
        assert_eq!(all(&vec![b'x'; LONGEST + PIECE][..]), Err("line 1: it is too long".to_owned()));
    }

    #[test]
    fn an_entry_is_read_by_the_rules_of_tables() {
        let first = |octets: &[u8]| {
            let mut pieces = Pieces::new(octets);
            let first = pieces.first().map_err(|error| error.to_string())?;
            Ok::<_, String>(
                first.map(|(entry, octets)| (entry.key.to_owned(), entry.value.to_owned(), octets)),
            )
        };
        assert_eq!(first(b"k\tv w\nl\tx\n"), Ok(Some(("k".to_owned(), "v w".to_owned(), 6))));
        assert_eq!(first(b""), Ok(None));
        for bad in [&b"k v\n"[..], b"#k\tv\n", b"k\tv\tw\n", b"k\t\xff\n", b"k\tv", b"\n"] {
            assert!(first(bad).is_err(), "{bad:?}");
        }
        let long = [b"k\t".to_vec(), vec![b'v'; LONGEST - 2], b"\n".to_vec()].concat();
        assert_eq!(first(&long), Err("line 1: it is too long".to_owned()));
    }

    #[test]
    fn what_two_tables_share_ends_with_a_line() {
        let long = "a\t1\n".repeat(BLOCK);
        for (one, other, octets) in [
            ("", "a\t1\n", 0),
            ("a\t1\n", "a\t1\n", 4),
            ("a\t1\nb\t1\n", "a\t1\nb\t2\n", 4),
            ("a\t1\n", "a\t12\n", 0),
            ("a\t1\nb\t1\n", "a\t1\n", 4),
            (&long, &long, long.len()),
            (&format!("{long}b\t1\n"), &format!("{long}b\t2\n"), long.len()),
        ] {
            assert_eq!(same(one.as_bytes(), other.as_bytes()), octets, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_key_has_its_place_among_lines() {
        let keys = ["a", "aa", "b", "c d", "ca", "z\u{e9}"];
        let lines: String = keys.iter().map(|key| format!("{key}\tvalue {key}\n")).collect();
        for key in keys.into_iter().chain(["A", "ab", "c", "cb", "z", "zz"]) {
            let before: usize = keys
                .iter()
                .filter(|other| **other < key)
                .map(|other| 2 * other.len() + "\tvalue \n".len())
                .sum();
            assert_eq!(below(lines.as_bytes(), key), before, "{key}");
        }
        assert_eq!(below(b"", "a"), 0);
        assert_eq!(last_line(b"a\nbc\n"), Some(&b"bc\n"[..]));
        assert_eq!(last_line(b"\n"), Some(&b"\n"[..]));
        assert_eq!(last_line(b""), None);
    }
}
