//! JSON in which even DEL and the control characters of ISO 6429's second set are escaped: `serde_json`
//! escapes the first set only, and some terminals obey U+009B as they obey ESC [.

use std::io::{self, Write};

use memchr::memchr2;
use tracing_subscriber::fmt::MakeWriter;

/// Wraps the maker of writers that get one whole line a call.
pub(super) struct Escaped<M>(pub(super) M);

/// Wraps one writer.
pub(super) struct EscapedWriter<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Escaped<M> {
    type Writer = EscapedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        EscapedWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for EscapedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // These characters can stand nowhere in JSON but inside a string, where an escape means the same.
        let mut escaped = Vec::new();
        let mut rest = line;
        while let Some(at) = memchr2(0x7f, 0xc2, rest) {
            let (length, control) = match rest[at..] {
                [0x7f, ..] => (1, Some(0x7f)),
                [0xc2, low @ 0x80..=0x9f, ..] => (2, Some(low)),
                _ => (1, None),
            };
            let (plain, after) = rest.split_at(at + length);
            match control {
                Some(control) => {
                    escaped.extend_from_slice(&plain[..at]);
                    write!(escaped, "\\u{control:04x}")?;
                }
                None => escaped.extend_from_slice(plain),
            }
            rest = after;
        }
        if escaped.is_empty() {
            self.0.write_all(line)?;
        } else {
            escaped.extend_from_slice(rest);
            self.0.write_all(&escaped)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
