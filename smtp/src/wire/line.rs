//! Strict command lines: they end at CR LF and hold no other CR, LF or NUL (RFC 5321 §2.3.8, §4.1.1).

use bytes::{Bytes, BytesMut};

/// One line, or why it is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// No whole line yet.
    Partial,
    /// A line without its CR LF.
    Whole(Bytes),
    /// A line with a bare CR, a bare LF or a NUL in it; it has been taken off the input, up to its CR LF.
    Stray,
    /// No end within the limit; what there was is gone, and what follows belongs to the same line.
    TooLong,
}

/// Takes the next line off the input.
///
/// `limit` counts octets with the CR LF. A bare LF never ends a line: what stands after it could be a command
/// that somebody else smuggled in.
pub fn take_line(input: &mut BytesMut, limit: usize) -> Line {
    let Some(end) = memchr::memmem::find(input, b"\r\n") else {
        if input.len() < limit {
            return Line::Partial;
        }
        // Keep a CR that may be half of the CR LF that ends this line.
        let keep = usize::from(input.last() == Some(&b'\r'));
        let gone = input.len() - keep;
        let _ = input.split_to(gone);
        return Line::TooLong;
    };
    if end + 2 > limit {
        // Its CR LF stays and ends it, so that the next line is not taken for its rest.
        let _ = input.split_to(end);
        return Line::TooLong;
    }
    let mut line = input.split_to(end + 2);
    line.truncate(end);
    if memchr::memchr3(b'\r', b'\n', 0, &line).is_some() {
        return Line::Stray;
    }
    Line::Whole(line.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], limit: usize) -> Vec<Line> {
        let mut input = BytesMut::from(text);
        let mut found = Vec::new();
        loop {
            match take_line(&mut input, limit) {
                Line::Partial => return found,
                line => found.push(line),
            }
        }
    }

    #[test]
    fn e14_only_cr_lf_ends_a_line() {
        let whole = |text: &'static [u8]| Line::Whole(Bytes::from_static(text));
        assert_eq!(lines(b"EHLO a\r\nQUIT\r\npart", 100), [whole(b"EHLO a"), whole(b"QUIT")]);
        assert_eq!(lines(b"EHLO a\nMAIL\r\nQUIT\r\n", 100), [Line::Stray, whole(b"QUIT")]);
        assert_eq!(lines(b"EHLO\ra\r\n", 100), [Line::Stray]);
        assert_eq!(lines(b"EHLO\0\r\n", 100), [Line::Stray]);
        assert_eq!(lines(b"NOOP\r\r\n", 100), [Line::Stray]);
    }

    #[test]
    fn r2_a_line_without_end_is_cut_and_not_kept() {
        let mut input = BytesMut::from(&[b'a'; 600][..]);
        assert_eq!(take_line(&mut input, 512), Line::TooLong);
        assert!(input.is_empty());
        let mut input = BytesMut::from(&b"aaaaaaaa\r"[..]);
        assert_eq!(take_line(&mut input, 5), Line::TooLong);
        assert_eq!(&input[..], b"\r");
    }
}
