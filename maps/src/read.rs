//! A map's file, read whole or not at all.
//!
//! What stands under the name may be cut off, endless, no file, or half-way through being written. A line has an
//! end before it has a gigabyte of memory, and a file that changes while it is read is refused: half of an old
//! one and half of a new one is neither.

use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::path::Path;

use memchr::{memchr_iter, memrchr};

use crate::artifact::Bytes;
use crate::artifact::bytes::{PART, some};
use crate::source::MAX_LINE;

/// Octets of a map's file.
const MAX_FILE: u64 = 1 << 30;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("cannot be read: not a file")]
    NotAFile,
    #[error("cannot be read: larger than {MAX_FILE} octets")]
    TooLarge,
    #[error("cannot be read: it changed while it was read")]
    Changed,
    #[error("cannot be read: its octets are others than its hash says")]
    Other,
    /// A line that has no end, and its number.
    #[error("a line of more than {MAX_LINE} octets")]
    Line(u32),
}

/// Reads a file.
pub(crate) fn whole(file: &Path) -> Result<Vec<u8>, Unread> {
    // Asked first: opening a pipe would wait for a writer.
    if !fs::metadata(file)?.is_file() {
        return Err(Unread::NotAFile);
    }
    steady(&mut File::open(file)?, || ())
}

/// A file that nobody changes any more, and its hash: mapped where nobody may write to it, after all of it was read.
pub(crate) fn settled(file: &Path) -> Result<(Bytes, blake3::Hash), Unread> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(Unread::NotAFile);
    }
    if metadata.len() > MAX_FILE {
        return Err(Unread::TooLarge);
    }
    let (mut hasher, mut lines) = (blake3::Hasher::new(), Lengths::default());
    let bytes = Bytes::open_through(file, |part| {
        hasher.update(part);
        lines.pass(part)
    })?;
    Ok((bytes, hasher.finalize()))
}

/// Reads it twice: times of files tell changes apart only when some milliseconds lie between them. `between` is
/// called after each part.
fn steady(file: &mut File, mut between: impl FnMut()) -> Result<Vec<u8>, Unread> {
    let before = file.metadata()?;
    if before.len() > MAX_FILE {
        return Err(Unread::TooLarge);
    }
    let (mut octets, mut lines) = (Vec::new(), Lengths::default());
    let mut part = vec![0; PART];
    loop {
        let read = some(file, &mut part)?;
        if read.is_empty() {
            break;
        }
        lines.pass(read)?;
        if octets.len() as u64 + read.len() as u64 > before.len() {
            return Err(Unread::Changed);
        }
        if octets.is_empty() {
            // All at once: a map of 10 million entries would be copied over and over.
            octets.reserve_exact(usize::try_from(before.len()).unwrap_or(PART));
        }
        octets.extend_from_slice(read);
        between();
    }
    file.rewind()?;
    let mut rest = octets.as_slice();
    loop {
        let read = some(file, &mut part)?;
        match rest.strip_prefix(read) {
            Some(_) if read.is_empty() => break,
            Some(more) => rest = more,
            None => return Err(Unread::Changed),
        }
        between();
    }
    let after = file.metadata()?;
    if !rest.is_empty() || before.modified()? != after.modified()? || after.len() != octets.len() as u64 {
        return Err(Unread::Changed);
    }
    Ok(octets)
}

/// How long the lines of a file are that is read in parts.
#[derive(Debug, Default)]
struct Lengths {
    /// Whole ones.
    lines: u32,
    /// Octets of the one behind them, so far.
    line: usize,
}

impl Lengths {
    fn pass(&mut self, part: &[u8]) -> Result<(), Unread> {
        let mut rest = part;
        // As far as a line may go on: most lines are short, and only the last that ends there is looked for.
        while let Some(reach) = rest.get(..=MAX_LINE - self.line) {
            let end = memrchr(b'\n', reach).ok_or(Unread::Line(self.lines.saturating_add(1)))?;
            rest = self.pass_lines(rest, end + 1);
        }
        let end = memrchr(b'\n', rest).map_or(0, |end| end + 1);
        // What ends with the part may go on in the next one.
        self.line += self.pass_lines(rest, end).len();
        Ok(())
    }

    /// Counts the lines that end in so many octets; what is behind them.
    fn pass_lines<'a>(&mut self, octets: &'a [u8], end: usize) -> &'a [u8] {
        let (lines, rest) = octets.split_at(end);
        let count = memchr_iter(b'\n', lines).count();
        if count > 0 {
            self.lines = self.lines.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            self.line = 0;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

    use super::*;

    /// Some parts of a file, in lines.
    fn text() -> Vec<u8> {
        b"a.example smtp:[one.example]\n".repeat(3 * PART / 29)
    }

    fn file(octets: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(octets).unwrap();
        file
    }

    #[test]
    fn a_file_is_read_whole() {
        for octets in [&b""[..], b"a", b"\n\n", &text()] {
            assert_eq!(whole(file(octets).path()).unwrap(), octets);
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused_wherever_and_whenever() {
        let text = text();
        let parts = text.len().div_ceil(PART);
        let places = [0, text.len() / 2, text.len() - 2];
        for (when, at) in (1..=2 * parts).flat_map(|when| places.map(|at| (when, at))) {
            let file = file(&text);
            let mut calls = 0;
            // The same length, and most often the same time.
            let outcome = steady(&mut File::open(file.path()).unwrap(), || {
                calls += 1;
                if calls == when {
                    file.as_file().write_all_at(b"X", at as u64).unwrap();
                }
            });
            let seen_both_ways = if when <= parts { at < when * PART } else { at >= (when - parts) * PART };
            match outcome {
                Err(Unread::Changed) => {}
                // It came before both looks, or after both.
                Ok(octets) if !seen_both_ways => assert_eq!(octets[at] == b'X', when <= parts, "{when} {at}"),
                other => panic!(
                    "{when} {at}: {}",
                    other.map_or_else(|error| error.to_string(), |_| "taken".into())
                ),
            }
        }
    }

    #[test]
    fn a_file_that_shrinks_or_grows_is_refused() {
        let text = text();
        for length in [0, text.len() as u64 / 2, text.len() as u64 + 1] {
            let file = file(&text);
            let outcome = steady(&mut File::open(file.path()).unwrap(), || {
                file.as_file().set_len(length).unwrap();
            });
            assert!(matches!(outcome, Err(Unread::Changed)), "{length}: {outcome:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_is_held() {
        let mut octets = b"a\nb\n".to_vec();
        octets.resize(octets.len() + MAX_LINE, b'x');
        assert_eq!(whole(file(&octets).path()).unwrap(), octets);
        octets.push(b'x');
        let file = file(&octets);
        assert!(matches!(whole(file.path()), Err(Unread::Line(3))));
        assert!(matches!(settled(file.path()), Err(Unread::Line(3))));
        // As it is when it is mapped.
        file.as_file().set_permissions(Permissions::from_mode(0o444)).unwrap();
        assert!(matches!(settled(file.path()), Err(Unread::Line(3))));
    }

    #[test]
    fn lines_are_as_long_as_they_are_however_they_come() {
        let line = |length: usize| [vec![b'x'; length], vec![b'\n']].concat();
        for (lines, long) in [
            (vec![line(MAX_LINE), line(MAX_LINE)], None),
            (vec![line(0), line(3), line(MAX_LINE), line(MAX_LINE + 1), line(1)], Some(4)),
            (vec![line(MAX_LINE - 1), line(MAX_LINE + PART), line(MAX_LINE + 1)], Some(2)),
            (vec![line(7).repeat(2 * PART), vec![b'x'; MAX_LINE + 1]], Some(2 * PART as u32 + 1)),
        ] {
            let text = lines.concat();
            for part in [PART, MAX_LINE, MAX_LINE + 7, text.len()] {
                let mut lengths = Lengths::default();
                let passed = text.chunks(part).try_for_each(|part| lengths.pass(part));
                let wrong = match passed {
                    Ok(()) => None,
                    Err(Unread::Line(number)) => Some(number),
                    Err(other) => panic!("{other}"),
                };
                assert_eq!(wrong, long, "in parts of {part}");
            }
        }
    }

    #[test]
    fn a_file_that_is_mapped_is_read_first() {
        for octets in [&b"a\n"[..], &text()] {
            let file = file(octets);
            for mode in [0o644, 0o444] {
                file.as_file().set_permissions(Permissions::from_mode(mode)).unwrap();
                let (bytes, hash) = settled(file.path()).unwrap();
                assert_eq!((&*bytes, hash), (octets, blake3::hash(octets)), "{mode:o}");
                assert_eq!(matches!(bytes, Bytes::Mapped(_)), mode == 0o444);
            }
        }
    }
}
