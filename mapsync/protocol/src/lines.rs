//! Lines of bounded length, one after another, into a buffer that is used again.

use std::io::{BufRead, Read as _};

/// The longest line without its end: as long as a map file may have it.
pub const LONGEST: usize = 1 << 20;

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    /// What is read from failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The line breaks a rule.
    #[error("line {number}: {what}")]
    Rule {
        /// Which one, from 1.
        number: u64,
        /// The rule.
        what: &'static str,
    },
}

#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// Puts the next line without its end into `line`; false at the end of all.
    pub(crate) fn read(&mut self, line: &mut String) -> Result<bool, BadLine> {
        let mut octets = std::mem::take(line).into_bytes();
        octets.clear();
        self.input.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut octets)?;
        if octets.is_empty() {
            return Ok(false);
        }
        self.number = self.number.saturating_add(1);
        if octets.pop() != Some(b'\n') {
            return Err(self.wrong(if octets.len() < LONGEST { "it has no end" } else { "it is too long" }));
        }
        *line = String::from_utf8(octets).map_err(|_| self.wrong("it is not UTF-8"))?;
        Ok(true)
    }

    /// The line that was read last breaks a rule.
    pub(crate) fn wrong(&self, what: &'static str) -> BadLine {
        BadLine::Rule { number: self.number, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(octets: &[u8]) -> Result<Vec<String>, String> {
        let mut lines = Lines::new(octets);
        let (mut all, mut line) = (Vec::new(), String::new());
        while lines.read(&mut line).map_err(|error| error.to_string())? {
            all.push(line.clone());
        }
        Ok(all)
    }

    #[test]
    fn a_line_has_an_end_and_no_more_than_so_many_octets() {
        assert_eq!(all(b""), Ok(Vec::new()));
        assert_eq!(all(b"a\n\nb\n"), Ok(vec!["a".to_owned(), String::new(), "b".to_owned()]));
        assert_eq!(all(b"a\nb"), Err("line 2: it has no end".to_owned()));
        assert_eq!(all(b"a\n\xff\n"), Err("line 2: it is not UTF-8".to_owned()));
        let mut long = vec![b'x'; LONGEST];
        long.push(b'\n');
        assert_eq!(all(&long).map(|lines| lines.len()), Ok(1));
        long.insert(0, b'x');
        assert_eq!(all(&long), Err("line 1: it is too long".to_owned()));
    }
}
