//! A map's file, read whole or not at all.
//!
//! What stands under the name may be cut off, endless, no file, or half-way through being written. A line has an
//! end before it has a gigabyte of memory, and a file that changes while it is read is refused: half of an old
//! one and half of a new one is neither.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use memchr::memchr_iter;

use crate::artifact::Bytes;
use crate::source::MAX_LINE;

/// Octets of a map's file.
const MAX_FILE: u64 = 1 << 30;
/// Octets read at once.
const PART: usize = 1 << 18;

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

/// A file that nobody changes any more: mapped where nobody may write to it.
pub(crate) fn settled(file: &Path) -> Result<Bytes, Unread> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(Unread::NotAFile);
    }
    if metadata.len() > MAX_FILE {
        return Err(Unread::TooLarge);
    }
    Ok(Bytes::open(file)?)
}

/// Reads it twice: times of files tell changes apart only when some milliseconds lie between them. `between` is
/// called after each part.
fn steady(file: &mut File, mut between: impl FnMut()) -> Result<Vec<u8>, Unread> {
    let before = file.metadata()?;
    if before.len() > MAX_FILE {
        return Err(Unread::TooLarge);
    }
    let (mut octets, mut line, mut number) = (Vec::new(), 0, 1);
    let mut part = vec![0; PART];
    loop {
        let read = some(file, &mut part)?;
        if read.is_empty() {
            break;
        }
        let mut start = 0;
        for end in memchr_iter(b'\n', read).chain([read.len()]) {
            // What ends with the part may go on in the next one.
            line += end - start;
            if line > MAX_LINE {
                return Err(Unread::Line(number));
            }
            if end < read.len() {
                (line, number, start) = (0, number.saturating_add(1), end + 1);
            }
        }
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

/// What there is, up to a part of it; nothing at the end.
fn some<'a>(file: &mut File, part: &'a mut [u8]) -> io::Result<&'a [u8]> {
    loop {
        match file.read(part) {
            Ok(length) => return Ok(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::FileExt as _;

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
        assert!(matches!(whole(file(&octets).path()), Err(Unread::Line(3))));
    }
}
