//! DATA: where content ends, what it may hold, and dot-stuffing both ways (RFC 5321 §4.5.2).
//!
//! The end is looked for first and alone: whatever else is wrong with the content is judged after it, so that
//! a refused message never leaves the session out of step with its client.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr_iter, memmem};

/// End of data, after the line end that closes the content (RFC 5321 §4.1.1.4).
const END: &[u8] = b"\r\n.\r\n";

/// Looks for the end of data in a growing buffer, each octet once.
#[derive(Debug, Default)]
pub struct DataReceiver {
    /// Octets at the front of the input that hold no end.
    searched: usize,
    /// Octets thrown away since the content went over its limit.
    discarded: u64,
    /// The very start of the content has been seen, or thrown away.
    begun: bool,
}

/// What became of the content.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// All of it, dot-stuffed, without the final dot.
    Whole(Bytes),
    /// It went over the limit; it was read to its end and is gone.
    TooBig,
}

impl DataReceiver {
    /// Takes the content off the input once its end is there.
    pub fn receive(&mut self, input: &mut BytesMut, limit: u64) -> Option<Received> {
        if !self.begun {
            // The line end before the first octet is that of the DATA command itself.
            if input.starts_with(b".\r\n") {
                input.advance(3);
                return Some(Received::Whole(Bytes::new()));
            }
            if input.len() >= 3 {
                self.begun = true;
            } else if b".\r\n".starts_with(input) {
                return None;
            }
        }
        let from = self.searched.saturating_sub(END.len() - 1);
        if let Some(at) = memmem::find(&input[from..], END) {
            let content = input.split_to(from + at + 2).freeze();
            input.advance(3);
            let fits = self.discarded == 0 && content.len() as u64 <= limit;
            return Some(if fits { Received::Whole(content) } else { Received::TooBig });
        }
        self.searched = input.len();
        if self.discarded > 0 || input.len() as u64 > limit.saturating_add(END.len() as u64) {
            let keep = input.len().min(END.len() - 1);
            let gone = input.len() - keep;
            self.discarded += gone as u64;
            // A fresh, small buffer: the big one's memory is free at once.
            *input = BytesMut::from(&input[gone..]);
            self.searched = keep;
        }
        None
    }

    /// Octets read and thrown away so far.
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.discarded
    }
}

/// What content is made of, found in one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inspection {
    /// A CR without LF, or an LF without CR.
    pub stray_line_end: bool,
    /// A NUL.
    pub nul: bool,
    /// An octet over 127.
    pub eight_bit: bool,
    /// The longest line without its CR LF, in octets.
    pub longest_line: usize,
    /// Octets of the header.
    pub header_octets: usize,
    /// Fields of the header.
    pub header_fields: usize,
}

/// Looks content over, stuffed or not.
#[must_use]
pub fn inspect(content: &[u8]) -> Inspection {
    let mut found = Inspection {
        eight_bit: !content.is_ascii(),
        nul: memchr(0, content).is_some(),
        ..Inspection::default()
    };
    let mut line_start = 0;
    let mut line_ends = 0;
    let mut in_header = true;
    for at in memchr_iter(b'\n', content) {
        let has_cr = at > line_start && content[at - 1] == b'\r';
        found.stray_line_end |= !has_cr;
        let length = at - line_start - usize::from(has_cr);
        found.longest_line = found.longest_line.max(length);
        if in_header {
            match content.get(line_start) {
                _ if length == 0 => in_header = false,
                Some(b' ' | b'\t') => {}
                _ => found.header_fields += 1,
            }
            found.header_octets = at + 1;
        }
        line_ends += 1;
        line_start = at + 1;
    }
    found.longest_line = found.longest_line.max(content.len() - line_start);
    if in_header {
        found.header_octets = content.len();
    }
    // As many CR as CR LF pairs, or a CR stands alone somewhere.
    found.stray_line_end |= memchr_iter(b'\r', content).count() != line_ends;
    found
}

/// Doubles each dot that starts a line (RFC 5321 §4.5.2). Content without such a dot is handed back as it is.
#[must_use]
pub fn stuff(content: &Bytes) -> Bytes {
    let mut dots = line_start_dots(content).peekable();
    if dots.peek().is_none() {
        return content.clone();
    }
    let mut stuffed = BytesMut::with_capacity(content.len() + content.len() / 32 + 16);
    let mut copied = 0;
    for dot in dots {
        stuffed.extend_from_slice(&content[copied..dot]);
        stuffed.extend_from_slice(b".");
        copied = dot;
    }
    stuffed.extend_from_slice(&content[copied..]);
    stuffed.freeze()
}

/// Takes one dot off each line that starts with one. Content without such a line is handed back as it is.
#[must_use]
pub fn unstuff(wire: &Bytes) -> Bytes {
    let mut dots = line_start_dots(wire).peekable();
    if dots.peek().is_none() {
        return wire.clone();
    }
    let mut content = BytesMut::with_capacity(wire.len());
    let mut copied = 0;
    for dot in dots {
        content.extend_from_slice(&wire[copied..dot]);
        copied = dot + 1;
    }
    content.extend_from_slice(&wire[copied..]);
    content.freeze()
}

/// Where dots start lines; a line starts after CR LF and nowhere else.
fn line_start_dots(content: &[u8]) -> impl Iterator<Item = usize> {
    let first = content.starts_with(b".").then_some(0);
    first.into_iter().chain(memmem::find_iter(content, b"\r\n.").map(|at| at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `text` in two pieces, cut at `cut`, and tells what came out and what was left.
    fn receive(text: &[u8], cut: usize) -> (Option<Received>, Vec<u8>) {
        let mut receiver = DataReceiver::default();
        let mut input = BytesMut::from(&text[..cut]);
        let mut found = receiver.receive(&mut input, 1000);
        if found.is_none() {
            input.extend_from_slice(&text[cut..]);
            found = receiver.receive(&mut input, 1000);
        } else {
            input.extend_from_slice(&text[cut..]);
        }
        (found, input.to_vec())
    }

    #[test]
    fn e1_to_e12_the_end_is_cr_lf_dot_cr_lf_wherever_the_text_is_cut() {
        let not_an_end: [&[u8]; 12] = [
            b"\n.\n",
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r.\n",
            b"\r.\r\n",
            b"\n.\r",
            b"\r\n.\r",
            b"\r\n.\r\r\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\n\n.\r\n",
        ];
        for vector in not_an_end {
            let text = [b"S: x\r\n\r\nbody", vector, b"MAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n"].concat();
            for cut in 0..text.len() {
                let (found, left) = receive(&text, cut);
                let Some(Received::Whole(content)) = found else { panic!("no end: {vector:?} cut at {cut}") };
                assert!(content.ends_with(b"MAIL FROM:<evil@x>\r\n"), "{vector:?} cut at {cut}");
                assert_eq!(left, b"QUIT\r\n", "{vector:?} cut at {cut}");
                let seen = inspect(&content);
                assert!(seen.stray_line_end || seen.nul, "{vector:?} must be refused");
            }
        }
    }

    #[test]
    fn e7_a_stray_cr_before_the_end_is_seen() {
        let (found, _) = receive(b"body\r\r\n.\r\n", 0);
        assert_eq!(found, Some(Received::Whole(Bytes::from_static(b"body\r\r\n"))));
        assert!(inspect(b"body\r\r\n").stray_line_end);
    }

    #[test]
    fn an_empty_message_and_a_first_line_with_a_dot() {
        for cut in 0..3 {
            assert_eq!(receive(b".\r\n", cut).0, Some(Received::Whole(Bytes::new())));
        }
        for cut in 0..9 {
            let (found, _) = receive(b"..x\r\n.\r\n", cut.min(8));
            assert_eq!(found, Some(Received::Whole(Bytes::from_static(b"..x\r\n"))));
        }
    }

    #[test]
    fn s8_over_the_limit_is_read_to_its_end_and_not_kept() {
        let mut receiver = DataReceiver::default();
        let mut input = BytesMut::new();
        for _ in 0..1000 {
            input.extend_from_slice(&[b'a'; 100]);
            assert_eq!(receiver.receive(&mut input, 500), None);
            assert!(input.len() <= 700);
        }
        input.extend_from_slice(b"\r\n.\r\nNOOP");
        assert_eq!(receiver.receive(&mut input, 500), Some(Received::TooBig));
        assert_eq!(&input[..], b"NOOP");
        assert!(receiver.discarded() > 99_000);
    }

    #[test]
    fn what_is_seen() {
        let seen = inspect(b"A: 1\r\n folded\r\nB: 2\r\n\r\nlong line \xff\r\n");
        assert_eq!((seen.header_fields, seen.header_octets), (2, 23));
        assert!(seen.eight_bit && !seen.stray_line_end && !seen.nul);
        assert_eq!(seen.longest_line, 11);
        assert!(
            inspect(b"a\n").stray_line_end
                && inspect(b"a\r").stray_line_end
                && inspect(b"\na\r").stray_line_end
        );
    }

    proptest! {
        #[test]
        fn stuffing_reads_back(content in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200)) {
            let content = Bytes::from(content);
            let wire = stuff(&content);
            prop_assert_eq!(unstuff(&wire), content);
            // No end of data hides in stuffed content.
            prop_assert!(memmem::find(&wire, END).is_none() && !wire.starts_with(b".\r\n"));
        }

        #[test]
        fn the_end_does_not_depend_on_how_the_wire_cuts(content in "[a.\r\n]{0,40}", cut in 0usize..45) {
            let text = format!("{content}\r\n.\r\nNOOP\r\n");
            let whole = receive(text.as_bytes(), 0);
            prop_assert!(whole.0.is_some());
            prop_assert_eq!(receive(text.as_bytes(), cut.min(text.len())), whole);
        }
    }
}
